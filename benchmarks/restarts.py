"""Rolling restarts under constant load on both doors: requests that fail.

    python -m benchmarks.restarts [--restarts 20] [--quick]          a restart is of both replicas, one after the other

Two replicas are processes of their own behind `benchmarks/proxy.py`. Calls leave at a constant rate, whether or not
earlier ones are answered; each is made once: neither client tries again what failed. The HTTP client keeps connections,
but no idle one for longer than half a drain (a connection that nobody uses cannot be told that it ends, and a request
may be on its way while it does). The gRPC client is a channel with its default settings: a call that no server has seen
(above the last stream of a GOAWAY) goes to the next connection, which is its library's business and no second try. A
replica is told to end (SIGTERM), says "not ready" for `ASCRIBE_DRAIN_S` while it answers on, ends what is in flight,
exits, and is started again; the other one follows once the proxy sees this one ready.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from ascribe.bundle.archive import open_directory
from ascribe.bundle.registry import Registry
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from ascribe.train.compile import Wanted, compile_bundle
from benchmarks.kept_alive import KeptAlive
from benchmarks.proxy import Proxy
from benchmarks.record import keep
from tests.bundle import made

__all__ = ["soak"]

NAME, AT = "m", "2026-11-01T00:00:00Z"
ROW = made.rows(1, 3)[0]
RATE, DRAIN_S, MOST_OPEN = 100.0, 4.0, 500
SETTLED_S, PATIENCE_S, START_S, END_S = 0.3, 20.0, 120.0, 80.0


@dataclass
class Seen:
    """What became of the calls of one door. `failures`: by kind; `when`: of the first ones, what was going on;
    `not_sent`: since too many were under way, which is no failure, but less load.
    """

    answered: int = 0
    not_sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    when: list[str] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def failed(self, kind: str, now: str) -> None:
        self.failures[kind[:160]] += 1
        if len(self.when) < 20:
            self.when.append(f"{now}: {kind[:160]}")


class Rolling:
    """The replicas of one registry behind a proxy; `now` says what is being done to them."""

    def __init__(self, registry: str, proxy: Proxy, drain_s: float) -> None:
        self._registry, self._proxy, self._drain_s = registry, proxy, drain_s
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._reading: dict[str, asyncio.Task[bytes]] = {}
        self.now, self.since, self.restarts = "starting", time.monotonic(), 0
        self.codes: Counter[int] = Counter()
        self.took_s: list[float] = []

    def said(self) -> str:
        return f"{time.monotonic() - self.since:.3f} s after {self.now}"

    def _say(self, now: str) -> None:
        self.now, self.since = now, time.monotonic()

    async def start(self, name: str) -> None:
        """Until new connections find it."""
        command = [sys.executable, "-m", "ascribe", "serve", "--registry", self._registry, "--model", NAME]
        process = await asyncio.create_subprocess_exec(
            *command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "ASCRIBE_DRAIN_S": str(self._drain_s), "ASCRIBE_LOG_SHARE": "0"},
        )  # fmt: skip
        self._processes[name] = process
        assert process.stdout
        async with asyncio.timeout(START_S):
            ready = json.loads(await process.stdout.readline())
        self._reading[name] = asyncio.create_task(process.stdout.read())  # or the pipe fills
        replica = self._proxy.add(name, ready["http"].removeprefix("http://"), ready["grpc"])
        async with asyncio.timeout(START_S):
            while not replica.ready:
                await asyncio.sleep(0.01)
        self._say(f"{name} ready")

    async def restart(self, name: str) -> None:
        self._say(f"{name} told to end")
        self.restarts += 1
        self.codes[await self.end(name)] += 1
        self.took_s.append(time.monotonic() - self.since)
        self._say(f"{name} ended")
        await self.start(name)
        await asyncio.sleep(SETTLED_S)

    async def end(self, name: str) -> int:
        """Exit code."""
        process = self._processes.pop(name)
        process.terminate()
        async with asyncio.timeout(END_S):
            code = await process.wait()
        self._proxy.remove(name)
        return code

    async def end_all(self) -> None:
        await asyncio.gather(*(self.end(name) for name in list(self._processes)))


Ask = Callable[[int], Awaitable[str]]  # the number of a call -> what is wrong with its answer, or nothing


async def offered(ask: Ask, rate: float, seen: Seen, stop: asyncio.Event, said: Callable[[], str]) -> None:
    """Calls at a constant rate until `stop`; then all of them are waited for."""

    async def one(i: int, due: float) -> None:
        now = said()
        try:
            wrong = await ask(i)
        except grpc.aio.AioRpcError as exc:
            wrong = f"{exc.code().name}: {exc.details()}"
        except (OSError, EOFError) as exc:  # a time-out is an OSError
            wrong = f"{type(exc).__name__}: {exc}"
        if wrong:
            seen.failed(wrong, now)
        else:
            seen.answered += 1
            seen.ms.append((time.perf_counter() - due) * 1000)

    start, i = time.perf_counter(), 0
    tasks: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        due = start + i / rate
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        if len(tasks) >= MOST_OPEN:
            seen.not_sent += 1
            i += 1
            continue
        tasks.add(task := asyncio.create_task(one(i, due)))
        task.add_done_callback(tasks.discard)
        i += 1
    await asyncio.gather(*tasks)


def asks(stub: AttributionServiceStub, http: KeptAlive) -> dict[str, Ask]:
    """Predictions and attributions in turn."""
    row = pb.FeatureVector(values=ROW)
    body = {"feature_vector": {"values": ROW.tolist()}}
    plain, fast = json.dumps(body).encode(), json.dumps(body | {"tier": "fast"}).encode()

    async def by_grpc(i: int) -> str:
        if i % 2:
            answer = await stub.GetPrediction(pb.PredictionRequest(feature_vector=[row]), timeout=PATIENCE_S)
            return "" if answer.predictions[0].status == "ok" else "another answer"
        request = pb.AttributionRequest(feature_vector=[row], tier="fast")
        told = await stub.GetAttribution(request, timeout=PATIENCE_S)
        return "" if told.attributions[0].status == "ok" else "another answer"

    async def by_http(i: int) -> str:
        path, raw = ("predictions", plain) if i % 2 else ("attributions", fast)
        async with asyncio.timeout(PATIENCE_S):
            answer = await http.post(f"/v1/{path}", raw)
        if answer.status != 200:
            return f"{answer.status}: {answer.body.decode()}"
        return "" if json.loads(answer.body)[path][0]["status"] == "ok" else "another answer"

    return {"grpc": by_grpc, "http": by_http}


async def rolled(registry: str, restarts: int, rate: float, drain_s: float) -> dict[str, Any]:
    async with Proxy() as proxy:
        rolling = Rolling(registry, proxy, drain_s)
        names = ("a", "b")
        try:
            for name in names:
                await rolling.start(name)
            async with grpc.aio.insecure_channel(proxy.at["grpc"]) as channel:
                http = KeptAlive(proxy.at["http"], drain_s / 2)
                seen, stop, began = {}, asyncio.Event(), time.monotonic()
                loads = []
                for door, ask in asks(AttributionServiceStub(channel), http).items():
                    seen[door] = Seen()
                    loads.append(asyncio.create_task(offered(ask, rate, seen[door], stop, rolling.said)))
                try:
                    await asyncio.sleep(SETTLED_S)
                    for _ in range(restarts):
                        for name in names:
                            await rolling.restart(name)
                finally:
                    stop.set()
                    await asyncio.gather(*loads)
                    http.close()
                took_s = time.monotonic() - began
        finally:
            await rolling.end_all()
        return {
            "restarts": restarts,
            "replicas_ended": rolling.restarts,
            "exit_codes": {str(code): count for code, count in rolling.codes.items()},
            "end_s": {"median": float(np.median(rolling.took_s)), "max": max(rolling.took_s)},
            "drain_s": drain_s,
            "seconds": took_s,
            "rate_per_s": rate,
            "failed_requests": sum(held.failures.total() for held in seen.values()),
            "connections": dict(proxy.carried),
            "connections_in_trouble": dict(proxy.troubles),
            "doors": {
                door: {
                    "answered": held.answered,
                    "not_sent": held.not_sent,
                    "failures": dict(held.failures),
                    "first_failures": held.when,
                    **{f"p{q}_ms": float(np.percentile(held.ms, q)) for q in (50, 99)},
                    "max_ms": max(held.ms),
                }
                for door, held in seen.items()
            },
        }


def soak(restarts: int, rate: float = RATE, drain_s: float = DRAIN_S) -> dict[str, Any]:
    """So many restarts of both replicas, at `rate` calls a second on each door; the numbers that `keep` writes."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        made.made(place / "bundle", amortized=True)
        compile_bundle(place / "bundle", [Wanted("fast")], lambda _: None)
        registry = Registry(str(place / "registry"))
        registry.promote(NAME, registry.publish(NAME, open_directory(place / "bundle")), AT)
        return asyncio.run(rolled(registry.uri, restarts, rate, drain_s))


def main() -> None:
    parser = argparse.ArgumentParser(description="Rolling restarts under constant load.")
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="3 restarts")
    chosen = parser.parse_args()
    numbers = soak(3 if chosen.quick else chosen.restarts)
    print(json.dumps(numbers, indent=2))
    print(keep("restarts", numbers, chosen.quick))


if __name__ == "__main__":
    main()
