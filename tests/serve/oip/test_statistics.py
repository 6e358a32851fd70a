"""The protocol's statistics: counted by hand too, the same by both doors, one view of several processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from ascribe.serve.observe.snapshots import merged, taken
from ascribe.serve.observe.tally import Tally, rounded
from ascribe.serve.oip.statistics import of_versions
from ascribe.serve.wire import open_inference_pb2 as pb
from ascribe.serve.wire.open_inference_pb2_grpc import GRPCInferenceServiceStub

from .. import tiny
from ..asking import Doors, doors
from .test_rest import INFER, matrix

STATS = f"/v2/models/{tiny.NAME}/stats"


@pytest.fixture
def asked(tmp_path) -> Iterator[Doors]:
    with doors(tmp_path, explain_threads=1) as found:  # so that no two parts of a request overlap
        yield found


def stats(asked: Doors) -> dict[str, Any]:
    """Of the only version, once all ways of asking said the same."""
    (one,) = asked.http.get(STATS).json()["model_stats"]
    paths = ("/v2/models/stats", f"/v2/models/{tiny.NAME}/versions/{one['version']}/stats")
    assert [asked.http.get(path).json()["model_stats"] for path in paths] == [[one]] * 2
    ask = GRPCInferenceServiceStub(asked.channel).ModelStatistics
    for request in (pb.ModelStatisticsRequest(), pb.ModelStatisticsRequest(name=tiny.NAME, version=one["version"])):
        (by_grpc,) = ask(request).model_stats
        assert json_format.ParseDict(one, pb.ModelStatistics()) == by_grpc
    return one


def test_counts_are_those_of_what_was_asked_by_both_doors(asked):
    before = stats(asked)
    assert (before["inference_count"], before["execution_count"], before["last_inference"]) == (0, 0, 0)
    assert before["inference_stats"]["success"] == {"count": 0, "ns": 0}
    began_ms, start = time.time() * 1000, time.perf_counter_ns()
    assert asked.predict() == 200 and asked.explain() == 200  # by both doors: four requests of one row
    table = [list(tiny.ROW.values())] * 3
    three = {"name": "x", "shape": [3, 3], "datatype": "FP64", "data": np.array(table).ravel().tolist()}
    assert asked.http.post(INFER, json={"inputs": [three], "outputs": [{"name": "prediction"}]}).status_code == 200
    explain = f"/v1/models/{tiny.NAME}:explain"
    assert asked.http.post(explain, json={"instances": table, "parameters": {"tier": "exact"}}).status_code == 200
    for body in ({"inputs": [matrix()], "parameters": {"tier": "no"}}, {"inputs": []}):
        assert asked.http.post(INFER, json=body).status_code in (400, 422)
    assert asked.http.post("/v2/models/other/infer", json={"inputs": [matrix()]}).status_code == 404
    took_ns = time.perf_counter_ns() - start
    found = stats(asked)
    spent = found["inference_stats"]
    assert found["inference_count"] == 4 + 3 + 3
    assert {name: one["count"] for name, one in spent.items()} == {
        "success": 6, "fail": 2, "queue": 6, "compute_input": 6, "compute_infer": 6, "compute_output": 6,
        "cache_hit": 0, "cache_miss": 0,
    }  # fmt: skip
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert 0 < sum(spent[part]["ns"] for part in parts) <= spent["success"]["ns"] < took_ns
    assert 0 < spent["fail"]["ns"] < took_ns - spent["success"]["ns"]
    assert began_ms - 1 <= found["last_inference"] <= time.time() * 1000 + 1
    sizes = {one["batch_size"]: one["compute_infer"]["count"] for one in found["batch_stats"]}
    assert sum(sizes.values()) == found["execution_count"] and sizes[4] >= 1  # three rows: rounded up
    assert set(sizes) <= {1, 4}
    assert stats(asked) == found  # to ask for statistics is no inference


def test_what_is_not_served_has_none(asked):
    for path in ("/v2/models/other/stats", f"/v2/models/{tiny.NAME}/versions/1/stats"):
        assert asked.http.get(path).status_code == 404
    with pytest.raises(grpc.RpcError) as caught:
        GRPCInferenceServiceStub(asked.channel).ModelStatistics(pb.ModelStatisticsRequest(name="other"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "statistics" in asked.http.get("/v2").json()["extensions"]


def test_a_job_counts_as_calls_of_the_engine_alone(asked):
    job = asked.http.post("/v1/jobs", json={"feature_vector": [{"values": tiny.ROW}] * 5, "tier": "exact"}).json()["id"]
    while (card := asked.http.get(f"/v1/jobs/{job}").json())["state"] != "done":
        assert card["state"] in ("queued", "running"), card
    found = stats(asked)
    assert found["execution_count"] > 0 and found["inference_stats"]["success"]["count"] == 0


WHO = [("m", "1"), ("m", "2"), ("n", "1")]
EVENTS = st.tuples(
    st.integers(0, 2), st.sampled_from(["good", "bad", "lost", "call"]), st.integers(1, 5000), st.integers(1, 9)
)


@given(st.lists(st.lists(EVENTS, max_size=12), min_size=1, max_size=4))
def test_several_processes_are_added_up(processes):
    """Whole milliseconds; against plain sums."""
    wanted: dict[tuple[str, str], dict[str, Any]] = {
        who: {"success": [0, 0], "fail": [0, 0], "queue": [0, 0], "calls": {}, "last": 0.0} for who in WHO
    }
    snapshots, clock = [], [0.0]
    for events in processes:
        registry = CollectorRegistry(auto_describe=False)
        tally = Tally(registry, lambda: clock[0])
        for which, what, rows, ms in events:
            who = WHO[which]
            clock[0] += 1.0
            held = wanted[who]
            if what == "call":
                tally.computed(who, rows, ms / 1000)
                count, total = held["calls"].get(rounded(rows), (0, 0))
                held["calls"][rounded(rows)] = (count + 1, total + ms)
                continue
            tally.ended((who[0], "") if what == "lost" else who, what == "good", ms / 1000)
            for each in WHO if what == "lost" else [who]:  # whichever version of the model answers now
                if each[0] == who[0]:
                    end = wanted[each]["success" if what == "good" else "fail"]
                    end[0], end[1] = end[0] + 1, end[1] + ms
            if what == "good":
                tally.answered(who, {"queue": ms / 1000, "total": 9.0})
                held["queue"] = [held["queue"][0] + 1, held["queue"][1] + ms]
                held["last"] = clock[0]
        snapshots.append(taken(registry))
    for who, found in zip(WHO, of_versions(merged(snapshots), WHO), strict=True):
        held = wanted[who]
        for name in ("success", "fail", "queue"):
            one = getattr(found.inference_stats, name)
            assert [one.count, round(one.ns / 1e6)] == held[name]
        assert {
            one.batch_size: (one.compute_infer.count, round(one.compute_infer.ns / 1e6)) for one in found.batch_stats
        } == held["calls"]
        assert (found.name, found.version, found.last_inference) == (*who, round(1000 * held["last"]))


@given(st.integers(1, 1 << 20))
def test_sizes_are_rounded_up_to_a_power_of_two(rows):
    assert rounded(rows) >= rows > rounded(rows) // 2 and rounded(rows).bit_count() == 1


def test_a_version_that_is_gone_leaves_no_series():
    registry = CollectorRegistry(auto_describe=False)
    tally = Tally(registry)
    for who in WHO:
        tally.ended(who, True, 0.1)
        tally.computed(who, 3, 0.1)
    tally.forget(WHO[0])
    left = {(s.labels["model"], s.labels["version"]) for m in registry.collect() for s in m.samples}
    assert left == set(WHO[1:])
