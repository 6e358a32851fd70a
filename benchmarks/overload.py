"""Twice what a server can do: how much of its peak it still answers, in time; and predictions beside explanations.

    python -m benchmarks.overload [--seconds 120] [--quick]

Peak: callers without a pause, the best of several numbers of them in turn, before and after; explained rows a second
whose answers came within `PROMISE_S`. Then twice as many requests leave at a constant rate, each with that deadline.
The server is to refuse at once what it could only answer too late (RESOURCE_EXHAUSTED, with when to come again), and
answer the rest in time. Taken on and too late (DEADLINE_EXCEEDED) is the waste that overload is feared for: it counts
as accepted, with an endless latency. No caller tries again. The second part is `benchmarks/isolated.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.rpc import error_details_pb2, status_pb2

from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from benchmarks.isolated import compared
from benchmarks.record import keep
from benchmarks.small_server import served
from tests.bundle import made

__all__ = ["overloaded", "part"]

TIER, ROWS, PROMISE_S = "accurate", 16, 1.0
CALLERS = (4, 16)
TURNS = 2  # of each: a peak is not what a machine happened to do in one of them
FACTOR, PAUSE_S = 2.0, 0.05
DETAILS = "grpc-status-details-bin"


@dataclass
class Tally:
    """What became of requests: milliseconds of those answered, and how many were refused (`unhinted`: without being
    told when to come again), late, or failed otherwise.
    """

    ms: list[float] = field(default_factory=list)
    refused: int = 0
    unhinted: int = 0
    late: int = 0
    retry_s: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def told(self, seconds: float) -> dict[str, Any]:
        accepted = np.array(self.ms + [np.inf] * self.late)
        p50, p99 = np.percentile(accepted, [50, 99], method="higher") if len(accepted) else (np.nan, np.nan)
        return {
            "goodput_rows_per_s": len(self.ms) * ROWS / seconds,
            "answered": len(self.ms),
            "refused": self.refused,
            "refused_without_a_hint": self.unhinted,
            "late": self.late,
            "failures": dict(self.failures),
            "accepted_p50_ms": _number(p50),
            "accepted_p99_ms": _number(p99),
            "retry_s": _number(np.median(self.retry_s)) if self.retry_s else None,
        }


def _number(x: Any) -> float | None:
    """None for what JSON has no word for."""
    return float(x) if np.isfinite(x) else None


class Asking:
    """Requests of `ROWS` rows and one tier, each with the deadline `PROMISE_S`."""

    def __init__(self, stub: AttributionServiceStub) -> None:
        rows = [pb.FeatureVector(values=x) for x in made.rows(ROWS, 4)]
        self._stub, self._request = stub, pb.AttributionRequest(feature_vector=rows, tier=TIER)

    async def one(self, tally: Tally) -> None:
        start = time.perf_counter()
        try:
            await self._stub.GetAttribution(self._request, timeout=PROMISE_S)
            tally.ms.append((time.perf_counter() - start) * 1000)
        except grpc.aio.AioRpcError as exc:
            if exc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                tally.refused += 1
                hint = _hint_s(exc)
                tally.unhinted += hint is None
                tally.retry_s += [hint] if hint is not None else []
            elif exc.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                tally.late += 1
            else:
                tally.failures[f"{exc.code().name}: {exc.details()}"[:160]] += 1

    async def closed(self, callers: int, seconds: float) -> dict[str, Any]:
        """Callers without a pause, but for one after a refusal."""
        tally, end = Tally(), time.monotonic() + seconds

        async def caller() -> None:
            while time.monotonic() < end:
                refused = tally.refused
                await self.one(tally)
                if tally.refused > refused:
                    await asyncio.sleep(PAUSE_S)

        began = time.monotonic()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return tally.told(time.monotonic() - began)

    async def peak(self, seconds: float) -> dict[str, Any]:
        found = [{"callers": callers, **await self.closed(callers, seconds)} for callers in CALLERS * TURNS]
        return max(found, key=lambda told: told["goodput_rows_per_s"])

    async def open(self, rate: float, seconds: float) -> dict[str, Any]:
        """At a constant rate, whether or not earlier ones are answered."""
        tally, began, tasks = Tally(), time.monotonic(), set()
        for i in range(round(rate * seconds)):
            if (left := began + i / rate - time.monotonic()) > 0:
                await asyncio.sleep(left)
            tasks.add(task := asyncio.create_task(self.one(tally)))
            task.add_done_callback(tasks.discard)
        sent_s = time.monotonic() - began
        await asyncio.gather(*tasks)
        return tally.told(max(sent_s, seconds))


def _hint_s(exc: grpc.aio.AioRpcError) -> float | None:
    """RetryInfo of a refusal."""
    status = status_pb2.Status.FromString(dict(exc.trailing_metadata() or ()).get(DETAILS, b""))
    for detail in status.details:
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return retry.retry_delay.ToNanoseconds() / 1e9
    return None


async def overloaded(at: str, seconds: float, peak_s: float) -> dict[str, Any]:
    """Peak, twice the peak, and peak again."""
    async with grpc.aio.insecure_channel(at) as channel:
        asking = Asking(AttributionServiceStub(channel))
        await asking.closed(2, 1.0)  # warm
        before = await asking.peak(peak_s)
        rate = FACTOR * before["goodput_rows_per_s"] / ROWS
        held = await asking.open(rate, seconds)
        after = await asking.peak(peak_s)
    best = max(before["goodput_rows_per_s"], after["goodput_rows_per_s"])
    return {
        "tier": TIER, "rows": ROWS, "promise_s": PROMISE_S, "seconds": seconds, "rate_per_s": rate,
        "peak before": before, "overload": held, "peak after": after,
        "goodput_over_peak": held["goodput_rows_per_s"] / best if best else 0.0,
        "late_of_accepted": held["late"] / max(1, held["late"] + held["answered"]),
    }  # fmt: skip


async def part(at: str, quick: bool, seconds: float) -> dict[str, Any]:
    """Both parts on one server, HOST:PORT."""
    held = await overloaded(at, 10.0 if quick else seconds, 3.0 if quick else 10.0)
    rounds, block_s = (2, 2.0) if quick else (9, 5.0)
    return {"overload": held, "isolation": (await compared({"server": at}, rounds, block_s))["server"]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Twice a server's capacity; predictions beside explanations.")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as at:
        numbers = asyncio.run(part(at["grpc"], asked.quick, asked.seconds))
    shown = numbers | {"isolation": {word: held for word, held in numbers["isolation"].items() if word != "blocks"}}
    print(json.dumps(shown, indent=2))
    print(keep("overload", numbers, asked.quick))


if __name__ == "__main__":
    main()
