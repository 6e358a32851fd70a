"""Requests that were refused or came too late, counted once each, by reason and by stage, whichever the door."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from ascribe.serve.observe.log import Log
from ascribe.serve.observe.metrics import Metrics
from ascribe.serve.observe.snapshots import page
from ascribe.serve.rpc.desk import Desk
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.waiting import until

from ..asking import ROW, VECTOR, Doors, doors
from ..held import holding
from .reading import total

BODY = {"feature_vector": [ROW]}
ASKED = pb.AttributionRequest(feature_vector=[VECTOR])
LATE, SHED = "attribution_deadline_expired_total", "attribution_shed_total"


def count(asked: Doors, name: str, **labels: str) -> float:
    return total(asked.http.get("/metrics").text, name, **labels)


def test_a_rate_that_is_used_up_is_counted_at_both_doors(tmp_path):
    with doors(tmp_path, rate_per_s=0.001) as asked:
        assert asked.posted().status_code == 200
        assert (asked.predict(), asked.explain()) == (429, 429)
        assert (count(asked, SHED, reason="rate"), count(asked, SHED)) == (4, 4)


def test_a_deadline_is_counted_where_it_met_the_request(tmp_path):
    """The first is handed over and held, the others wait behind it, until the server's own time is up."""
    with doors(tmp_path, explain_threads=1, timeout_s=4.0) as asked, holding() as held, ThreadPoolExecutor(2) as pool:
        first = pool.submit(asked.http.post, "/v1/attributions", json=BODY)
        assert held.began.wait(60)
        second = pool.submit(asked.http.post, "/v1/attributions", json=BODY)
        with pytest.raises(grpc.RpcError) as caught:
            AttributionServiceStub(asked.channel).GetAttribution(ASKED, timeout=60.0)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert (first.result().status_code, second.result().status_code) == (504, 504)
        until(lambda: count(asked, LATE) == 3)
        assert (count(asked, LATE, stage="run"), count(asked, LATE, stage="queue")) == (1, 2)
        held.go.set()


def test_calls_that_their_callers_library_gives_up_count_as_late(tmp_path):
    """3.333 s are told as 3.34 s: the caller hangs up before the server's deadline comes. All count on an idle machine;
    on a busy one some come so late that they look cancelled, or never.
    """
    with doors(tmp_path, explain_threads=1) as asked, holding() as held, ThreadPoolExecutor(6) as pool:
        stub = AttributionServiceStub(asked.channel)
        calls = [pool.submit(stub.GetAttribution, ASKED, timeout=3.333) for _ in range(6)]
        assert {call.exception().code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        until(lambda: count(asked, LATE) >= 1)
        held.go.set()


class Late:
    """A call whose time was up when it came."""

    def time_remaining(self) -> float:
        return 0.0

    async def abort_with_status(self, status: grpc.Status) -> None:
        raise RuntimeError(status.code)


def test_a_call_that_comes_too_late_is_counted_at_the_door():
    metrics = Metrics()

    async def never(entry: object) -> None:
        raise AssertionError("work was done")

    with pytest.raises(RuntimeError, match="DEADLINE_EXCEEDED"):
        asyncio.run(Desk(Log(lambda line: None, metrics)).answered("attribution", Late(), never))  # type: ignore[arg-type]
    assert total(page(metrics.snapshot()).decode(), LATE, stage="door") == 1
