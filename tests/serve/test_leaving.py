"""The way out of a server, seen from outside, in its order; and calls that cross it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import httpx
import msgspec
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ascribe.serve import leaving as way_out
from ascribe.serve.app import Addresses, running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from benchmarks.kept_alive import KeptAlive
from benchmarks.proxy import Proxy
from tests.waiting import until

from . import tiny
from .held import holding

BODY = {"feature_vector": {"values": tiny.ROW}}
ROW = pb.FeatureVector(values=list(tiny.ROW.values()))
LARGE = pb.AttributionRequest(feature_vector=[ROW] * 512, estimator="exact", samples=64)
READY = "/v2/health/ready"
DRAIN_S = 0.5


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
    assert up.wait(120)
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
        holding(least=2) as held,
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
        running_call = stub.GetAttribution.future(LARGE)
        assert held.began.wait(60)
        assert inflight(at) == 1
        heard.set()
        until(lambda: not _taken(at.http.removeprefix("http://")))
        until(lambda: not _taken(at.grpc))
        assert not running_call.done()
        assert not gone.is_set()
        held.go.set()
        assert len(running_call.result(timeout=60).attributions) == 512

        # 3: then it is gone, long before the grace is over
        assert gone.wait(60)


def test_no_drain_no_delay(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    with leaving(registry, grace_s=120.0) as (at, go, gone), httpx.Client(base_url=at.http) as kept:
        assert kept.get(READY).status_code == 200
        go.set()
        assert gone.wait(60)  # long before the grace is over, which nothing needed


def test_callers_without_a_pause_lose_nothing_when_a_replica_leaves(tmp_path, monkeypatch):
    """Sixteen callers whose next call follows at once: some cross whatever the server says, at any instant. A drain is
    long enough here if everybody has heard of it, however slow this machine is.
    """
    registry, _ = tiny.publish(tmp_path)
    heard, drained = threading.Event(), way_out.drained

    async def long_enough(drain_s: float) -> None:
        await drained(drain_s)
        await asyncio.to_thread(heard.wait, 60)

    monkeypatch.setattr(way_out, "drained", long_enough)
    with leaving(registry, drain_s=DRAIN_S) as first, leaving(registry, drain_s=DRAIN_S) as second:
        answered, failures = asyncio.run(_crossing(first, second, heard))
    assert failures == []
    assert answered > 100  # as many before it leaves, and some while it does


async def _crossing(first, second, heard: threading.Event) -> tuple[int, list[str]]:
    failures, stop, told = [], asyncio.Event(), [0] * 16  # answers of each caller

    async def call(who: int, ask) -> None:
        while not stop.is_set():
            try:
                await ask()
                told[who] += 1
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
                await stub.GetPrediction(pb.PredictionRequest(feature_vector=[ROW]), timeout=60)

            callers = [asyncio.create_task(call(who, (by_http, by_grpc)[who % 2])) for who in range(16)]
            await _once(lambda: sum(told) >= 100)
            began = time.monotonic()
            first[1].set()
            await _once(lambda: not proxy.replicas["a"].ready)
            # connections go elsewhere: HTTP's by their next answer, gRPC's by its age, which the one on its way may not
            before, opened = list(told), proxy.carried["grpc"]
            await _once(lambda: min(np.subtract(told, before)) >= 2 and proxy.carried["grpc"] >= opened + 2)
            heard.set()
            assert await asyncio.to_thread(first[2].wait, 60)
            assert time.monotonic() - began >= DRAIN_S
            stop.set()
            await asyncio.gather(*callers)
            http.close()
    return sum(told), failures


async def _once(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


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
