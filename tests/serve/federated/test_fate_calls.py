"""Clients of FATE-Serving, as they are: HTTP and gRPC, single and batch, their return codes."""

from __future__ import annotations

import json
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from ascribe.core.federated.table import Table
from ascribe.serve.federated import fate
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import fate_inference_pb2 as pb
from ascribe.serve.wire.fate_inference_pb2_grpc import InferenceServiceStub
from ascribe.train.adapters.fate import read_fate
from tests.train.adapters.fate import made, real

from .servers import Rows, bundled, guesting, hosting
from .worlds import GUEST_CSV, ids, pair, scores

SINGLE, BATCH = "/federation/v1/inference", "/federation/v1/batchInference"


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    bundle = bundled(pair()[0], tmp_path_factory.mktemp("fate") / "guest")
    with (
        hosting(pair()[1], Rows(real.table("host"))) as host,
        guesting(bundle, {"10000": host}, service_id="breast", background=GUEST_CSV) as where,
    ):
        yield where


def single(name: str, **body: Any) -> dict[str, Any]:
    remote = {"featureData": real.table("guest")[name], "sendToRemoteFeatureData": {"id": name}}
    return {"head": {"serviceId": "breast", "applyId": "a1"}, "body": remote | body}


def batch(names: list[str], **body: Any) -> dict[str, Any]:
    rows = [
        {"index": i, "featureData": real.table("guest").get(n, {}), "sendToRemoteFeatureData": {"id": n}}
        for i, n in enumerate(names)
    ]
    return {"head": {"serviceId": "breast"}, "body": {"batchDataList": rows} | body}


def by_http(at: Any, path: str, asked: Any) -> dict[str, Any]:
    found = httpx.post(at.http + path, json=asked)
    assert found.status_code == 200
    return found.json()


def by_grpc(at: Any, path: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Head and body together, as their clients send it."""
    with grpc.insecure_channel(at.grpc) as channel:
        stub = InferenceServiceStub(channel)
        call = stub.batchInference if path == BATCH else stub.inference
        raw = json.dumps({**asked.get("head", {}), **asked.get("body", {})}).encode()
        return json.loads(call(pb.InferenceMessage(body=raw), timeout=60).body)


DOORS = pytest.mark.parametrize("ask", [by_http, by_grpc], ids=["http", "grpc"])


@DOORS
def test_a_single_call(at, ask):
    found = ask(at, SINGLE, single("133"))
    assert (found["retcode"], found["retmsg"], found["flag"]) == (0, "", 0)
    data = found["data"]
    assert data["score"] == pytest.approx(scores()["133"][1], abs=1e-9)
    assert data["modelId"] == "guest-9999#host-10000#model"
    assert data["modelVersion"] == "202004201033174706226"
    assert data["timestamp"] > 1e12
    assert "explanation" not in found


@DOORS
def test_a_batch_has_every_rows_own_code(at, ask):
    names = [*ids()[:50], "nobody"]
    found = ask(at, BATCH, batch(names))
    assert found["retcode"] == 0
    rows = found["batchDataList"]
    assert [row["index"] for row in rows] == list(range(51))
    for name, row in zip(names[:-1], rows, strict=False):
        assert row["data"]["score"] == pytest.approx(scores()[name][1], abs=1e-9)
    assert (rows[-1]["retcode"], rows[-1]["data"]) == (2113, None)
    assert found["singleInferenceResultMap"]["3"] == rows[3]


@DOORS
def test_an_explanation_on_request(at, ask):
    recorded = real.expected("secureboost", "expected_shapley")["ids"]["133"]
    told = ask(at, SINGLE, single("133", explain=True))["explanation"]
    assert told["values"]["10000"] == pytest.approx(recorded["shapley"]["HOST"], abs=1e-9)
    assert told["base_value"] + sum(told["values"].values()) == pytest.approx(recorded["margin"], abs=1e-9)
    assert told["margin"] == pytest.approx(recorded["margin"], abs=1e-9)


def test_texts_absent_values_and_one_id_of_another_name(at):
    asked = single("133")
    asked["body"]["sendToRemoteFeatureData"] = {"device_id": 133}
    asked["body"]["featureData"] = {**real.table("guest")["133"], "x2": "", "x9": None, "stranger": "text"}
    found = by_http(at, SINGLE, asked)
    assert found["data"]["score"] == pytest.approx(scores()["133"][1], abs=1e-9)
    found = by_http(at, SINGLE, single("133", featureData={}))
    assert found["warn"] == {"defaulted": {"guest:9999": 39}}


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    asked = single("133")
    held = asked
    for name in path[:-1]:
        held = held[name]
    if value is None:
        del held[path[-1]]
    else:
        held[path[-1]] = value
    return asked


REFUSED = {
    "no service id": (changed(("head", "serviceId"), None), 100),
    "another service": (changed(("head", "serviceId"), "loans"), 122),
    "a service id that cannot be": (changed(("head", "serviceId"), "a?b"), 100),
    "no features": (changed(("body", "featureData"), None), 100),
    "features of another kind": (changed(("body", "featureData"), [1]), 100),
    "a feature of another kind": (changed(("body", "featureData"), {"x0": {}}), 100),
    "no id": (changed(("body", "sendToRemoteFeatureData"), {}), 100),
    "two ids": (changed(("body", "sendToRemoteFeatureData"), {"a": "1", "b": "2"}), 100),
    "a feature that is no number": (changed(("body", "featureData"), {"x0": "abc"}), 102),
    "a policy": (changed(("body", "policy"), "guess"), 100),
    "an id that nobody has": (changed(("body", "sendToRemoteFeatureData"), {"id": "nobody"}), 2113),
    "a body that is none": (changed(("body",), "text"), 100),
}


@DOORS
@pytest.mark.parametrize("what", REFUSED)
def test_return_codes(at, ask, what):
    asked, code = REFUSED[what]
    if ask is by_grpc and what == "a body that is none":
        pytest.skip("over gRPC there is no body apart")
    found = ask(at, SINGLE, asked)
    assert found["retcode"] == code, found
    assert found["data"] is None
    assert found["retmsg"]
    assert "\n" not in found["retmsg"]


def test_batches_that_cannot_be_told_apart(at):
    asked = batch(ids()[:3])
    asked["body"]["batchDataList"][1]["index"] = 0
    assert by_http(at, BATCH, asked)["retcode"] == 100
    assert by_http(at, BATCH, batch([]))["retcode"] == 100
    assert by_http(at, BATCH, {"head": {"serviceId": "breast"}, "body": {"batchDataList": {}}})["retcode"] == 100
    assert httpx.post(at.http + SINGLE, content=b"{").json()["retcode"] == 100
    assert httpx.post(at.http + SINGLE, content=b"[" * 1000).status_code == 400


def test_names_that_the_guest_does_not_have_take_no_room(at, monkeypatch):
    """A column costs all rows a place: a body of a megabyte with other names in each row would take gigabytes."""
    tables = []

    class Watched(Table):
        @classmethod
        def of_rows(cls, rows: Any) -> Table:
            tables.append(Table.of_rows(rows))
            return tables[-1]

    monkeypatch.setattr(fate, "Table", Watched)
    names = ids()[:20]
    asked = batch(names)
    for i, row in enumerate(asked["body"]["batchDataList"]):
        row["featureData"] = row["featureData"] | {f"mine_{i}_{j}": 1 for j in range(10)}
    found = by_http(at, BATCH, asked)
    assert [row["data"]["score"] for row in found["batchDataList"]] == pytest.approx([scores()[n][1] for n in names])
    assert set(tables[0].columns) <= set(pair()[0].inputs)


def test_an_explanation_says_which_class_it_is_of(tmp_path):
    """It is the first one's, whatever the label of the row."""
    rng, names = np.random.default_rng(3), (made.GUEST, made.HOST)
    trees = [made.random_tree(rng, 3, names) for _ in range(6)]
    labels, rows = ("low", "mid", "high"), made.random_rows(12, 3)
    world = made.World(trees, classes=3, dim=3, init=(0.0,), labels=labels)
    guest, host = (
        read_fate(made.cache(tmp_path / f"{i}.json", made.trees_files(world, name)), name.partition(":")[0])
        for i, name in enumerate(names)
    )
    theirs = Rows({str(i): {c: row[c] for c in made.COLUMNS[made.HOST] if c in row} for i, row in enumerate(rows)})
    asked = [
        {"index": i, "featureData": {c: row[c] for c in made.COLUMNS[made.GUEST] if c in row},
         "sendToRemoteFeatureData": {"id": str(i)}}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    with hosting(host, theirs) as bank, guesting(bundled(guest, tmp_path / "guest"), {"10000": bank}) as at:
        body = {"explain": True, "batchDataList": asked}
        found = by_http(at, BATCH, {"head": {"serviceId": "s"}, "body": body})["batchDataList"]
    assert {row["explanation"]["output"] for row in found} == {"low"}
    assert len({row["data"]["label"] for row in found}) > 1
    for row, whole in zip(found, rows, strict=True):
        told = row["explanation"]
        assert told["margin"] == pytest.approx(made.margins(world, whole)[0])
        assert told["base_value"] + sum(told["values"].values()) == pytest.approx(told["margin"])


def test_a_policy_of_bounds_says_margin_and_score_between_which(tmp_path):
    bundle, parties = bundled(pair()[0], tmp_path / "guest"), PartySettings(timeout_s=0.5, connect_s=0.2)
    with guesting(bundle, {"10000": "127.0.0.1:1"}, parties=parties) as at:
        failed = by_http(at, SINGLE, single("133"))
        assert (failed["retcode"], failed["data"]) == (105, None)
        assert failed["retmsg"].startswith("policy fail: ")
        bounded = by_http(at, SINGLE, single("133", policy="bounds"))
    assert (bounded["retcode"], bounded["data"]) == (105, None)
    low, high = (ends[0] for ends in bounded["bounds"]["margin"])
    assert [low, high] == pytest.approx(real.expected("secureboost", "expected_shapley")["ids"]["133"]["interval"])
    assert bounded["bounds"]["score"][0][0] < scores()["133"][1] <= bounded["bounds"]["score"][1][0] + 1e-12
