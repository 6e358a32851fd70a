"""Open-loop load on a server of its own process: latency at a constant rate, beside the same call made in process.

    python -m benchmarks.serve [--seconds 20] [--quick]

Calls leave at their time whether or not earlier ones are answered (nothing is left out when the server is slow); a
latency counts from the time at which a call should have left. The model is small (3 features), so that it is the
service that is measured. The last part saturates explanations and asks for predictions all the while. The generator
shares the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np

from ascribe.bundle.archive import open_directory
from ascribe.bundle.registry import Registry
from ascribe.bundle.runtime import load
from ascribe.core.explainers import Options
from ascribe.serve import kinds
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from ascribe.train.compile import Wanted, compile_bundle
from benchmarks.record import keep
from tests.bundle import made

NAME, AT = "m", "2026-11-01T00:00:00Z"
ROW = made.rows(1, 3)[0]
FLOOD = 8  # callers that ask for accurate rows without a pause
Ask = Callable[[], Awaitable[Any]]


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """A server with tiers fast and balanced; its addresses."""
    made.made(folder / "bundle", amortized=True)
    compile_bundle(folder / "bundle", [Wanted("balanced"), Wanted("fast")], lambda _: None)
    registry = Registry(str(folder / "registry"))
    registry.promote(NAME, registry.publish(NAME, open_directory(folder / "bundle")), AT)
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry.uri, "--model", NAME, "--http",
               "127.0.0.1:0", "--grpc", "127.0.0.1:0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = next(event for event in map(json.loads, process.stdout) if event["event"] == "ready")
        threading.Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills
        try:
            yield {"http": ready["http"], "grpc": ready["grpc"]}
        finally:
            process.terminate()


async def open_loop(ask: Ask, rate: float, seconds: float) -> dict[str, float]:
    """Milliseconds at a constant rate, and how many failed."""
    taken: list[float] = []
    failed = 0

    async def one(due: float) -> None:
        nonlocal failed
        try:
            await ask()
            taken.append((time.perf_counter() - due) * 1000)
        except (grpc.RpcError, httpx.HTTPError):
            failed += 1

    start, tasks = time.perf_counter() + 0.1, []
    for i in range(round(rate * seconds)):
        due = start + i / rate
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    p50, p99 = np.percentile(taken, [50, 99]) if taken else (float("nan"),) * 2
    return {"rate": rate, "p50_ms": float(p50), "p99_ms": float(p99), "failed": failed, "answered": len(taken)}


def floors(folder: Path) -> dict[str, float]:
    """Milliseconds of the same calls of the engine in this process: median of 200."""
    model = load(open_directory(folder / "bundle"))
    ways = {"predict": kinds.predicting(model), "fast": kinds.explaining(model, "", Options(), "fast", 64)}
    found = {}
    for name, way in ways.items():
        times = []
        for _ in range(200):
            start = time.perf_counter()
            way.run(ROW[None], lambda: None)
            times.append((time.perf_counter() - start) * 1000)
        found[name] = statistics.median(times)
    return found


async def measured(at: dict[str, str], seconds: float) -> dict[str, Any]:
    row = pb.FeatureVector(values=ROW)
    async with grpc.aio.insecure_channel(at["grpc"]) as channel, httpx.AsyncClient(base_url=at["http"]) as http:
        stub = AttributionServiceStub(channel)
        predict: Ask = lambda: stub.GetPrediction(pb.PredictionRequest(feature_vector=[row]), timeout=10)  # noqa: E731
        fast: Ask = lambda: stub.GetAttribution(  # noqa: E731
            pb.AttributionRequest(feature_vector=[row], tier="fast"), timeout=10
        )
        body = {"feature_vector": {"values": ROW.tolist()}}
        rest: Ask = lambda: http.post("/v1/predictions", json=body)  # noqa: E731
        await open_loop(predict, 100, 1)  # warm
        found = {
            "grpc predict": await open_loop(predict, 500, seconds),
            "grpc fast": await open_loop(fast, 300, seconds),
            "http predict": await open_loop(rest, 200, seconds),
        }
        stop = asyncio.Event()

        async def flood() -> int:
            done = 0
            many = [pb.FeatureVector(values=x) for x in made.rows(16, 4)]
            while not stop.is_set():
                request = pb.AttributionRequest(feature_vector=many, estimator="exact", samples=256)
                done += len((await stub.GetAttribution(request, timeout=60)).attributions)
            return done

        found["grpc predict, calm"] = await open_loop(predict, 100, seconds)
        flooding = [asyncio.create_task(flood()) for _ in range(FLOOD)]
        found["grpc predict, explanations saturated"] = await open_loop(predict, 100, seconds)
        stop.set()
        rows = sum(await asyncio.gather(*flooding))
        found["explained meanwhile"] = {"rows_per_s": rows / seconds}
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as at:
        found = asyncio.run(measured(at, 3.0 if asked.quick else asked.seconds))
        numbers = {"open loop": found, "in process, ms": floors(Path(folder))}
    for name, held in found.items():
        print(name, {word: round(number, 2) for word, number in held.items()})
    print("in process, ms", numbers["in process, ms"])
    keep("serve_quick" if asked.quick else "serve", numbers)


if __name__ == "__main__":
    main()
