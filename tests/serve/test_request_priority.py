"""Priority over the wire: parameters of the open inference protocol, fields of the own verbs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from ascribe.serve.wire import attribution_pb2 as pb

from . import tiny
from .asking import VECTOR, Doors, doors
from .oip.test_rest import INFER

ROW = list(tiny.ROW.values())
SLOW = {"estimator": "exact", "samples": 4096}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with doors(tmp_path_factory.mktemp("priority"), explain_threads=1, max_wait_s=1e6) as found:
        yield found


def infer(asked: Doors, rows: int, **parameters: Any) -> float:
    """The time at which it was answered."""
    tensor = {"name": "x", "shape": [rows, 3], "datatype": "FP64", "data": ROW * rows}
    body = {"inputs": [tensor], "outputs": [{"name": "attribution"}], "parameters": SLOW | parameters}
    assert asked.http.post(INFER, json=body).status_code == 200
    return time.monotonic()


def by_grpc(asked: Doors, priority: int) -> float:
    request = pb.AttributionRequest(feature_vector=[VECTOR], priority=priority, **SLOW)
    assert asked.called("GetAttribution", request) is grpc.StatusCode.OK
    return time.monotonic()


def by_rest(asked: Doors, priority: int) -> float:
    body = {"feature_vector": [{"values": ROW}], "priority": priority, **SLOW}
    assert asked.http.post("/v1/attributions", json=body).status_code == 200
    return time.monotonic()


@pytest.mark.parametrize(
    "ask", [by_rest, by_grpc, lambda asked, priority: infer(asked, 1, priority=priority)], ids=["rest", "grpc", "oip"]
)
def test_an_urgent_request_is_answered_before_those_that_wait(asked, ask):
    with ThreadPoolExecutor(8) as pool:
        usual = [pool.submit(infer, asked, 40) for _ in range(6)]
        time.sleep(0.1)
        low, urgent = pool.submit(ask, asked, 3), pool.submit(ask, asked, 1)
        # one that came before is being worked on, and on a busy machine ends before this one is heard; as may another
        assert sum(one.result() < urgent.result() for one in usual) <= 2
        assert urgent.result() < low.result()


def test_a_priority_that_is_none_is_refused(asked):
    for number in (-1, 1 << 32, 0.5, "1"):
        body = {"feature_vector": [{"values": ROW}], "priority": number}
        for path in ("/v1/attributions", "/v1/predictions", "/v1/jobs"):
            answer = asked.http.post(path, json=body)
            assert (answer.status_code, "priority" in answer.json()["detail"]) == (400, True)
    assert "schedule_policy" in asked.http.get("/v2").json()["extensions"]
