"""The way out of a server, seen from outside, in its order; and calls that cross it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import httpx
import msgspec
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ascribe.serve import leaving as way_out
from ascribe.serve.app import Addresses, running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from benchmarks.kept_alive import KeptAlive
from benchmarks.proxy import Proxy

from . import tiny
from .fleet import until

BODY = {"feature_vector": {"values": tiny.ROW}}
ROW = pb.FeatureVector(values=list(tiny.ROW.values()))
SLOW = pb.AttributionRequest(feature_vector=[ROW] * 512, estimator="exact", samples=1024)
READY = "/v2/health/ready"
DRAIN_S = 1.0


@contextmanager
def leaving(registry: str, **settings: float) -> Iterator[tuple[Addresses, threading.Event, threading.Event]]:
    """A server, an event that tells it to go, and one that says that it has gone."""
    go, gone, places = threading.Event(), threading.Event(), []
    up = threading.Event()

    def served() -> None:
        with running(registry, tiny.NAME, Settings(**settings), write=lambda _: None) as at:
            places.append(at)
            up.set()
            go.wait()
        gone.set()

    thread = threading.Thread(target=served)
    thread.start()
    assert up.wait(30)
    try:
        yield places[0], go, gone
    finally:
        go.set()
        thread.join()


def inflight(at: Addresses) -> float:
    """Requests at hand, by the server's own metrics."""
    text = httpx.get(at.http + "/metrics").text
    return float(next(line for line in text.splitlines() if line.startswith("attribution_inflight ")).split()[1])


def health(channel: grpc.Channel) -> int:
    return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status


def test_the_order_of_leaving(tmp_path, monkeypatch):
    registry, _ = tiny.publish(tmp_path)
    heard = threading.Event()  # the drain is over

    async def drained(drain_s: float) -> None:
        assert drain_s == 2.0
        await asyncio.to_thread(heard.wait)

    monkeypatch.setattr(way_out, "drained", drained)
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    with (
        leaving(registry, drain_s=2.0, grace_s=120.0) as (at, go, gone),
        httpx.Client(base_url=at.http) as kept,
        grpc.insecure_channel(at.grpc) as channel,
    ):
        stub = AttributionServiceStub(channel)
        assert (kept.get(READY).status_code, health(channel)) == (200, serving)
        assert "connection" not in kept.post("/v1/predictions", json=BODY).headers

        # 1: it says so on both doors, and answers on: on old connections, the last time, and on new ones
        go.set()
        until(lambda: httpx.get(at.http + READY).status_code == 503)
        until(lambda: health(channel) == not_serving)
        last = kept.post("/v1/predictions", json=BODY)
        assert (last.status_code, last.headers["connection"]) == (200, "close")
        assert httpx.post(at.http + "/v1/predictions", json=BODY).status_code == 200
        with grpc.insecure_channel(at.grpc, [("grpc.use_local_subchannel_pool", 1)]) as other:
            AttributionServiceStub(other).GetPrediction(pb.PredictionRequest(feature_vector=[ROW]))
        assert httpx.get(at.http + READY).status_code == 503

        # 2: when nobody can connect any more, what runs goes on
        running_call = stub.GetAttribution.future(SLOW)
        until(lambda: inflight(at) == 1)
        heard.set()
        until(lambda: not _taken(at.http.removeprefix("http://")))
        until(lambda: not _taken(at.grpc))
        assert not running_call.done(), "the call was too short for this test to say anything"
        assert not gone.is_set()
        assert len(running_call.result(timeout=60).attributions) == 512

        # 3: then it is gone, long before the grace is over
        assert gone.wait(60)


def test_no_drain_no_delay(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    with leaving(registry, grace_s=120.0) as (at, go, gone), httpx.Client(base_url=at.http) as kept:
        assert kept.get(READY).status_code == 200
        go.set()
        assert gone.wait(60)  # long before the grace is over, which nothing needed


def test_callers_without_a_pause_lose_nothing_when_a_replica_leaves(tmp_path):
    """Sixteen callers whose next call follows at once: some cross whatever the server says, at any instant."""
    registry, _ = tiny.publish(tmp_path)
    with leaving(registry, drain_s=DRAIN_S) as first, leaving(registry, drain_s=DRAIN_S) as second:
        answered, failures = asyncio.run(_crossing(first, second))
    assert failures == []
    assert answered > 100  # as many before it leaves, and some while it does


async def _crossing(first, second) -> tuple[int, list[str]]:
    answered, failures, stop = 0, [], asyncio.Event()

    async def call(ask) -> None:
        nonlocal answered
        while not stop.is_set():
            try:
                await ask()
                answered += 1
            except (grpc.RpcError, OSError, EOFError) as exc:
                failures.append(repr(exc)[:300])

    async with Proxy() as proxy:
        for name, (at, _, _) in (("a", first), ("b", second)):
            proxy.add(name, at.http.removeprefix("http://"), at.grpc)
        while not all(replica.ready for replica in proxy.replicas.values()):
            await asyncio.sleep(0.01)
        async with grpc.aio.insecure_channel(proxy.at["grpc"]) as channel:
            stub, http = AttributionServiceStub(channel), KeptAlive(proxy.at["http"], 0.5)

            async def by_http() -> None:
                answer = await http.post("/v1/predictions", msgspec.json.encode(BODY))
                if answer.status != 200:
                    failures.append(str(answer))

            async def by_grpc() -> None:
                await stub.GetPrediction(pb.PredictionRequest(feature_vector=[ROW]), timeout=20)

            callers = [asyncio.create_task(call(ask)) for ask in (by_http, by_grpc) for _ in range(8)]
            while answered < 100:
                await asyncio.sleep(0.01)
            began = time.monotonic()
            first[1].set()
            assert await asyncio.to_thread(first[2].wait, 60)
            assert time.monotonic() - began >= DRAIN_S
            stop.set()
            await asyncio.gather(*callers)
            http.close()
    return answered, failures


def _taken(at: str) -> bool:
    host, _, port = at.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(("drain_s", "ages"), [(0.0, []), (10.0, [5000])])
def test_a_grpc_connection_lives_half_a_drain(drain_s, ages):
    from ascribe.serve.rpc.binding import connection_age_ms

    assert connection_age_ms(Settings(drain_s=drain_s)) == ages
