"""Priority over the wire: parameters of the open inference protocol, fields of the own verbs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from ascribe.serve.wire import attribution_pb2 as pb
from tests.waiting import until

from . import tiny
from .asking import VECTOR, Doors, doors
from .held import holding
from .oip.test_rest import INFER

ROW = list(tiny.ROW.values())
EXACT = {"estimator": "exact", "samples": 64}  # all rows that wait are of one kind
USUAL, COUNT = 40, 6


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with doors(tmp_path_factory.mktemp("priority"), explain_threads=1, max_wait_s=1e6) as found:
        yield found


def infer(asked: Doors, rows: int, **parameters: Any) -> None:
    tensor = {"name": "x", "shape": [rows, 3], "datatype": "FP64", "data": ROW * rows}
    body = {"inputs": [tensor], "outputs": [{"name": "attribution"}], "parameters": EXACT | parameters}
    assert asked.http.post(INFER, json=body).status_code == 200


def by_grpc(asked: Doors, rows: int, priority: int) -> None:
    request = pb.AttributionRequest(feature_vector=[VECTOR] * rows, priority=priority, **EXACT)
    assert asked.called("GetAttribution", request) is grpc.StatusCode.OK


def by_rest(asked: Doors, rows: int, priority: int) -> None:
    body = {"feature_vector": [{"values": ROW}] * rows, "priority": priority, **EXACT}
    assert asked.http.post("/v1/attributions", json=body).status_code == 200


def waiting(asked: Doors) -> float:
    """Rows, by the server's own metrics."""
    lines = asked.http.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("attribution_queue_rows ")).split()[1])


@pytest.mark.parametrize("ask", [by_rest, by_grpc, infer], ids=["rest", "grpc", "oip"])
def test_an_urgent_request_is_answered_before_those_that_wait(asked, ask):
    """Who comes first has the one thread; the rest waits for it."""
    with ThreadPoolExecutor(8) as pool, holding() as held:
        calls = [pool.submit(infer, asked, USUAL) for _ in range(COUNT)]
        until(lambda: waiting(asked) == COUNT * USUAL - held.first)
        calls += [pool.submit(ask, asked, rows=3, priority=3), pool.submit(ask, asked, rows=1, priority=1)]
        until(lambda: waiting(asked) == COUNT * USUAL - held.first + 4)
        held.go.set()
        for call in calls:
            call.result()
    first, *later = held.requests
    assert set(first) == {USUAL}
    order = [rows for batch in later for rows in batch]
    assert order[0] == 1
    assert set(order[1:]) == {USUAL, 3}


def test_a_priority_that_is_none_is_refused(asked):
    for number in (-1, 1 << 32, 0.5, "1"):
        body = {"feature_vector": [{"values": ROW}], "priority": number}
        for path in ("/v1/attributions", "/v1/predictions", "/v1/jobs"):
            answer = asked.http.post(path, json=body)
            assert (answer.status_code, "priority" in answer.json()["detail"]) == (400, True)
    assert "schedule_policy" in asked.http.get("/v2").json()["extensions"]
