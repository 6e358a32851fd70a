"""A server that knows a lake: nodes by name, how the offline side stands, and a sample left for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ascribe.bundle.live import read_live
from ascribe.bundle.state import State, beside
from ascribe.serve import live
from ascribe.serve.app import running
from ascribe.serve.settings import Settings

from . import tiny

NODE = "rack 1/node.2"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = str(tmp_path_factory.mktemp("lake") / "lake")
    state = State(beside(place))
    features = tiny.ROW | {"another_counter": 5.0}
    blob = {"id": "r-9", "node": NODE, "timestamp_us": int(time.time() * 1e6), "features": features, "power_w": 91.0}
    state.put(blob, "nodes", NODE)
    lacking = {"id": "r-1", "node": "poor", "timestamp_us": 10**15, "features": {"busy": 0.5}, "power_w": None}
    state.put(lacking, "nodes", "poor")
    state.put({"at_us": 1, "rows": 7, "quarantined": 1, "lag": {"a": 2, "b": 3}}, "ingest", "ascribe")
    return place


@pytest.fixture(scope="module")
def http(lake: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    registry, _ = tiny.publish(tmp_path_factory.mktemp("served"))
    with running(registry, tiny.NAME, Settings(lake=lake), write=lambda _: None) as at, httpx.Client(base_url=at.http) as client:  # noqa: E501  # fmt: skip
        yield client


def test_nodes_are_listed_and_looked_up(http):
    assert http.get("/v1/nodes").json() == {"nodes": ["poor", NODE]}
    card = http.get(f"/v1/nodes/{NODE}").json()
    assert card["features"]["another_counter"] == 5.0
    assert card["age_s"] < 60
    assert not card["stale"]
    assert http.get("/v1/nodes/poor").json()["stale"]


def test_the_latest_vector_is_explained_by_the_name_of_its_node(http):
    answer = http.get(f"/v1/nodes/{NODE}/attribution").json()
    (row,) = answer["attributions"]
    asked = {"feature_vector": {"id": "r-9", "values": tiny.ROW, "measured_w": 91.0}}
    (posted,) = http.post("/v1/attributions", json=asked).json()["attributions"]
    assert row == posted
    assert row["unexplained_w"] == pytest.approx(91.0 - row["prediction"])


def test_what_cannot_be_answered_says_why(http):
    unknown = http.get("/v1/nodes/nobody")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    poor = http.get("/v1/nodes/poor/attribution")
    assert poor.status_code == 400
    assert "ghz" in poor.text


@pytest.mark.parametrize("name", ["a" * 400, "\u8282" * 90])
@pytest.mark.parametrize("what", ["", "/attribution"])
def test_a_name_that_no_file_can_have_is_one_of_no_node(http, name, what):
    answer = http.get(f"/v1/nodes/{name}{what}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_state_that_cannot_be_read_is_told_as_such(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    place, log = tmp_path / "lake", []
    broken = tmp_path / "lake_state" / "nodes" / "broken.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    with running(registry, tiny.NAME, Settings(lake=str(place)), write=log.append) as at:
        for what in ("", "/attribution"):
            answer = httpx.get(f"{at.http}/v1/nodes/broken{what}")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"] == "1"
            assert str(tmp_path) not in answer.text  # the log has it
    told = [json.loads(line) for line in log if b"unavailable" in line]
    assert len(told) == 2
    assert all("nodes/broken" in line["cause"] and "is no JSON" in line["cause"] for line in told)


def test_a_server_without_a_lake_says_so(served):
    answer = served.http.get("/v1/nodes")
    assert answer.status_code == 404
    assert "--lake" in answer.json()["detail"]


def test_the_status_of_readers_and_runs(http, lake):
    State(beside(lake)).put({"run": "1", "status": "promoted", "version": "v1", "rows": 5}, "runs", tiny.NAME, "2026")
    told = http.get("/v1/status").json()
    assert told["readers"]["ascribe"] == {"at_us": 1, "rows": 7, "quarantined": 1, "lag_records": 5}
    assert told["runs"][tiny.NAME] == {"at": "2026", "run": "1", "status": "promoted", "rows": 5, "version": "v1"}
    assert told["drift"] == {tiny.NAME: None}


def test_answered_rows_are_left_for_the_offline_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "ROWS", 20)
    registry, version = tiny.publish(tmp_path)
    lake = str(tmp_path / "lake")
    with running(registry, tiny.NAME, Settings(lake=lake), write=lambda _: None) as at:
        bad = {"values": tiny.ROW | {"busy": -1}}
        for i in range(15):
            rows = [{"values": tiny.ROW | {"busy": 0.3 + i / 100}}, {"values": list(tiny.ROW.values())}, bad]
            assert httpx.post(f"{at.http}/v1/attributions", json={"feature_vector": rows}).status_code == 200
    sample = read_live(State(beside(lake)), tiny.NAME, version)
    assert sample.names == list(tiny.ROW)
    assert (len(sample.X), sample.seen) == (20, 30)
    for x, f, shares in zip(sample.X, sample.predictions, sample.attributions, strict=True):
        assert f == pytest.approx(tiny.BIAS + tiny.WEIGHTS @ x, rel=1e-5)
        assert len(shares) == 3
