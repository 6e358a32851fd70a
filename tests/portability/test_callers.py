"""Ordinary clients, made from the published proto alone, call every verb: Python's generated code and Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from ascribe.bundle.registry import Registry
from ascribe.serve.app import Addresses, running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from tests import forecasts
from tests.serve import tiny

HERE = Path(__file__).parent
PROTO = HERE.parents[1] / "proto/attribution/v1"
PACKAGES = ("@grpc/grpc-js", "@grpc/proto-loader")
VERBS = {method.name for method in pb.DESCRIPTOR.services_by_name["AttributionService"].methods}
ROW = {"id": "a", "names": list(tiny.ROW), "values": list(tiny.ROW.values()), "measured_w": 100.0}
ROWS = {"model": tiny.NAME, "feature_vector": [ROW]}
TRAFFIC = "traffic"
HELD = forecasts.series(4)
SAMPLES = {"name": "north", "epoch_s": HELD.time_s.tolist(), "values": HELD.values[:, 0].tolist()}
SCRIPT = [
    ("GetAttribution", [ROWS | {"tier": "exact"}]),
    ("GetPrediction", [ROWS | {"explain": "later", "tier": "exact"}]),
    ("GetAttributionById", [{"attribution_id": "$attribution_id", "wait_s": 10}]),
    ("GetEnergy", [ROWS | {"observed": [{"names": ["busy"]}]}]),
    ("StreamAttributions", [{"index": k, "request": ROWS | {"tier": "exact"}} for k in (7, 8)]),
    ("StartAttributionJob", [ROWS | {"tier": "exact"}]),
    ("GetAttributionJob", [{"id": "$id"}]),
    ("GetAttributionJobResult", [{"id": "$id"}]),
    ("CancelAttributionJob", [{"id": "$id"}]),
    ("GetForecast", [{"model": TRAFFIC, "series": [SAMPLES]}]),
]
PYTHON = """
import json, sys, time
import grpc
import attribution_pb2 as pb, attribution_pb2_grpc as wire
from google.protobuf.json_format import MessageToDict, ParseDict

service = pb.DESCRIPTOR.services_by_name["AttributionService"]
known, out = {}, []
with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = wire.AttributionServiceStub(channel)

    def call(verb, requests):
        kind = getattr(pb, service.methods_by_name[verb].input_type.name)
        sent = [ParseDict({k: known[v[1:]] if str(v)[0] == "$" else v for k, v in r.items()}, kind()) for r in requests]
        method = service.methods_by_name[verb]
        said = getattr(stub, verb)(iter(sent) if method.client_streaming else sent[0])
        messages = said if method.server_streaming else [said]
        return [MessageToDict(message, preserving_proto_field_name=True) for message in messages]

    for verb, requests in json.load(sys.stdin):
        answers = call(verb, requests)
        while verb == "GetAttributionJob" and answers[0]["state"] in ("queued", "running"):
            time.sleep(0.05)
            answers = call(verb, requests)
        known.update(answers[0])
        out.append((verb, answers))
json.dump({"offered": [m.name for m in service.methods], "answers": out}, sys.stdout)
"""


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    place = tmp_path_factory.mktemp("callers")
    registry, _ = tiny.publish(place)
    store = Registry(registry)
    bundle = forecasts.forecast_bundle(tmp_path_factory, place / "traffic", forecasts.series())
    store.promote(TRAFFIC, store.publish(TRAFFIC, bundle), tiny.AT)
    with running(registry, [tiny.NAME, TRAFFIC], Settings(), write=lambda line: None) as at:
        yield at


def check(said: dict, at: Addresses) -> None:
    """What a caller of every verb must have got."""
    assert set(said["offered"]) == VERBS == {verb for verb, _ in SCRIPT}
    answers = dict(said["answers"])
    with grpc.insecure_channel(at.grpc) as channel:
        own = channel.unary_unary(
            "/attribution.v1.AttributionService/GetAttribution", pb.AttributionRequest.SerializeToString,
            pb.AttributionResponse.FromString,
        )(pb.AttributionRequest(model=tiny.NAME, feature_vector=[pb.FeatureVector(**ROW)], tier="exact"))  # fmt: skip
    wanted = dict(own.attributions[0].attribution_shares)
    assert len(wanted) == 3
    for verb, told in (
        ("GetAttribution", answers["GetAttribution"]),
        ("GetAttributionById", [a["response"] for a in answers["GetAttributionById"]]),
        ("StreamAttributions", [a["response"] for a in answers["StreamAttributions"]]),
        ("GetAttributionJobResult", answers["GetAttributionJobResult"]),
    ):
        for one in told:
            assert one["attributions"][0]["attribution_shares"] == wanted, verb
    assert sorted(int(a["index"]) for a in answers["StreamAttributions"]) == [7, 8]
    assert answers["GetPrediction"][0]["predictions"][0]["prediction"] == own.attributions[0].prediction
    assert answers["GetEnergy"][0]["energies"][0]["coalitions"][0]["observed"] == ["busy"]
    (forecast,) = answers["GetForecast"][0]["forecasts"]
    assert (forecast["status"], len(forecast["forecast"])) == ("ok", forecasts.HORIZON)
    assert answers["CancelAttributionJob"][0]["state"] == answers["GetAttributionJob"][0]["state"] == "done"


def told_by(command: list[object], folder: Path) -> dict:
    done = subprocess.run(
        [str(word) for word in command], input=json.dumps(SCRIPT), capture_output=True, text=True, timeout=60,
        check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_python_made_from_the_proto_calls_every_verb(at, tmp_path):
    pytest.importorskip("grpc_tools", reason="needs grpcio-tools")
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", *outs, "-I", str(PROTO), "attribution.proto"]
    subprocess.run(command, check=True)
    (tmp_path / "ask.py").write_text(PYTHON)
    check(told_by([sys.executable, tmp_path / "ask.py", at.grpc], tmp_path), at)


def test_node_that_loads_the_proto_calls_every_verb(at):
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("Node.js with npm is not installed: the second client was not asked")
    missing = [name for name in PACKAGES if not (HERE / "node_modules" / name).is_dir()]
    assert not missing, f"{', '.join(missing)} not installed: `make test` does it, or `npm ci` in {HERE.name}"
    check(told_by([node, HERE / "call.mjs", at.grpc], HERE), at)
