"""Predictions at a constant rate while explanations saturate a server, and while they do not: blocks in turn.

A machine's noise comes in stretches, so calm and saturated blocks alternate in one run, and what is reported is the
median over blocks of each block's percentile. Explanations come from a process of their own (`Flood`), which asks
without a pause whenever it may. `sent_late_p99_ms`: how late the generator itself was; a latency contains it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Any, Self

import grpc
import numpy as np

from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.bundle import made

__all__ = ["Flood", "block", "compared"]

CALLERS = 8  # that ask for explanations without a pause
ROWS = 16  # of each of their requests
SETTLED_S, PATIENCE_S, OFF_S = 0.5, 30.0, 0.02
PERCENTILES = (50, 99)


class Flood:
    """Explanations without a pause, between `start` and `pause`. `rows`: explained so far. One server, HOST:PORT.

    with Flood("127.0.0.1:50051") as flood:
        flood.start()
    """

    def __init__(self, at: str) -> None:
        spawn = get_context("spawn")
        self._go, self._end, self._rows = spawn.Event(), spawn.Event(), spawn.Value("l", 0)
        self._process = spawn.Process(target=_flood, args=(at, self._go, self._end, self._rows), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._process.join(PATIENCE_S)

    @property
    def rows(self) -> int:
        return int(self._rows.value)

    def start(self) -> None:
        self._go.set()

    def pause(self) -> None:
        self._go.clear()


def _flood(at: str, go: Event, end: Event, rows: Any) -> None:
    many = [pb.FeatureVector(values=x) for x in made.rows(ROWS, 4)]
    request = pb.AttributionRequest(feature_vector=many, estimator="exact", samples=256)

    async def caller(stub: AttributionServiceStub) -> None:
        while not end.is_set():
            if go.is_set():
                rows.value += len((await stub.GetAttribution(request, timeout=PATIENCE_S)).attributions)
            else:
                await asyncio.sleep(OFF_S)

    async def all_of_them() -> None:
        async with grpc.aio.insecure_channel(at) as channel:
            await asyncio.gather(*(caller(AttributionServiceStub(channel)) for _ in range(CALLERS)))

    asyncio.run(all_of_them())


async def block(stub: AttributionServiceStub, rate: float, seconds: float) -> dict[str, float]:
    """Predictions of one row, open loop: milliseconds from when each was due."""
    request = pb.PredictionRequest(feature_vector=[pb.FeatureVector(values=made.rows(1, 3)[0])])
    took: list[float] = []
    late: list[float] = []

    async def one(due: float) -> None:
        late.append((time.perf_counter() - due) * 1000)
        await stub.GetPrediction(request, timeout=PATIENCE_S)
        took.append((time.perf_counter() - due) * 1000)

    start, tasks = time.perf_counter() + 0.05, []
    for i in range(round(rate * seconds)):
        due = start + i / rate
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    return {
        **{f"p{q}_ms": float(np.percentile(took, q)) for q in PERCENTILES},
        "sent_late_p99_ms": float(np.percentile(late, 99)),
    }


async def compared(at: dict[str, str], rounds: int, seconds: float, rate: float = 100.0) -> dict[str, Any]:
    """Of each server by name (gRPC HOST:PORT), side by side: medians over `rounds` of blocks of `seconds`, and the
    ratio of the medians of p99.
    """
    blocks: dict[str, dict[str, list[dict[str, float]]]] = {name: {"calm": [], "saturated": []} for name in at}
    explained = dict.fromkeys(at, 0.0)
    channels = {name: grpc.aio.insecure_channel(where) for name, where in at.items()}
    floods = {name: Flood(where) for name, where in at.items()}
    for flood in floods.values():
        flood.__enter__()
    try:
        stubs = {name: AttributionServiceStub(channel) for name, channel in channels.items()}
        for stub in stubs.values():
            await block(stub, rate, 1.0)  # warm
        for _ in range(rounds):
            for name, stub in stubs.items():
                blocks[name]["calm"].append(await block(stub, rate, seconds))
                floods[name].start()
                await asyncio.sleep(SETTLED_S)
                before = floods[name].rows
                blocks[name]["saturated"].append(await block(stub, rate, seconds))
                explained[name] += (floods[name].rows - before) / seconds / rounds
                floods[name].pause()
                await asyncio.sleep(SETTLED_S)
    finally:
        for flood in floods.values():
            await asyncio.to_thread(flood.__exit__)
        for channel in channels.values():
            await channel.close()
    return {name: _told(held, explained[name]) for name, held in blocks.items()}


def _told(held: dict[str, list[dict[str, float]]], rows_per_s: float) -> dict[str, Any]:
    found: dict[str, Any] = {
        what: {word: statistics.median(each[word] for each in some) for word in some[0]} for what, some in held.items()
    }
    return found | {
        "p99_over_calm": found["saturated"]["p99_ms"] / found["calm"]["p99_ms"],
        "p50_over_calm": found["saturated"]["p50_ms"] / found["calm"]["p50_ms"],
        "explained_rows_per_s": rows_per_s,
        "blocks": held,
    }
