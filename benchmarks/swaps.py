"""Many promotions under constant load: requests that fail, answers that mix versions, memory that does not come back.

python -m benchmarks.swaps [--swaps 500] [--quick]         three bundles of some MB in turn, so that each swap loads

A server process answers over HTTP and gRPC without a pause while its channel moves N times, each time as soon as the
last version answers. After each swap: resident memory (VmRSS). Slope: least squares over the last 60 % of the swaps
(300 of 500), bytes a swap. Offset: median over those less what it was before the first swap, when there was one version
and not yet the one before beside it; `offset_after_ten`: less the median of the first ten, when there was. A model's
size is what one more, loaded and warm, adds to a process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import numpy as np
from onnx import TensorProto, helper

from ascribe.bundle.archive import entry, open_directory, write
from ascribe.bundle.manifest import digest
from ascribe.bundle.records import Event
from ascribe.bundle.registry import Registry
from ascribe.bundle.runtime import load
from ascribe.serve.observe.memory import settle, trim
from ascribe.serve.versions.leases import fetch
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from ascribe.serve.work import warm
from ascribe.train.compile import Wanted, compile_bundle
from benchmarks.record import keep
from tests.bundle import made

__all__ = ["soak"]

NAME, AT, TOKEN = "m", "2026-11-01T00:00:00Z", "soak"
WIDTH = 1024  # of the two hidden layers: 4 MB
VERSIONS = 3  # the one that answers, the one before, and one that must be loaded
ROWS = made.rows(8, 11).astype(np.float32).astype(float)
TIERS = ("fast", "balanced")
SETTLED_S, BEFORE_S, TAIL = 0.06, 3.0, 0.6


def padded(world: made.World, seed: int) -> bytes:
    """The linear model plus a millionth of a network that gives it a real one's size."""
    rng = np.random.default_rng(seed)
    sizes = (3, WIDTH, WIDTH, 1)
    constants = {
        f"v{k}": (rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32)
        for k, (a, b) in enumerate(pairwise(sizes))
    }
    constants |= {"w": np.array(world.weights, np.float32), "b": np.array([world.bias], np.float32)}
    constants |= {"tiny": np.array([1e-6], np.float32), "axis": np.array([1])}
    node, nodes, last = helper.make_node, [], "x"
    for k in range(3):
        nodes += [node("MatMul", [last, f"v{k}"], [f"m{k}"]), node("Tanh", [f"m{k}"], [f"h{k}"])]
        last = f"h{k}"
    nodes += [
        node("Squeeze", [last, "axis"], ["flat"]), node("Mul", ["flat", "tiny"], ["little"]),
        node("MatMul", ["x", "w"], ["dot"]), node("Add", ["dot", "b"], ["line"]),
        node("Add", ["line", "little"], ["prediction"]),
    ]  # fmt: skip
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])]
    outputs = [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["rows"])]
    return made.model(nodes, inputs, outputs, constants)


def publish(registry: Registry, place: Path, k: int) -> tuple[str, np.ndarray]:
    """Version number k, compiled tiers in it, and what it predicts for `ROWS`."""
    world = made.World(
        weights=tuple(made.WEIGHTS * k), bias=made.BIAS + 100 * k, created=f"2026-11-{k:02d}T00:00:00Z",
        surrogate=True, amortized=True, value="surrogate",
    )  # fmt: skip
    manifest, files = made.parts(world)
    files["predict.onnx"] = padded(world, k)
    write(place, msgspec.structs.replace(manifest, files={name: entry(raw) for name, raw in files.items()}), files)
    compile_bundle(place, [Wanted("fast"), Wanted("balanced")])
    bundle = open_directory(place)
    predict = load(bundle).predict
    assert predict is not None
    return registry.publish(NAME, bundle), predict(ROWS)


def resident_bytes(pid: int | str) -> int:
    """VmRSS of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def model_bytes(registry: str, versions: list[str]) -> float:
    """What one more version, loaded and warm, adds to a new process (an old one has freed memory to give away)."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_added_bytes, registry, versions).result()


def _added_bytes(uri: str, versions: list[str]) -> float:
    """Mean over all versions but the first."""
    settle()  # as the server does
    registry, held, sizes = Registry(uri), [], []
    for version in versions:
        event = Event("promote", version, digest(registry.store.read(f"{NAME}/versions/{version}.zip")), AT)
        held.append(warm(fetch(registry, NAME, "production", event)))
        trim()
        sizes.append(resident_bytes("self"))
    return (sizes[-1] - sizes[0]) / (len(held) - 1)


class Load(threading.Thread):
    """One door asked without a pause. Counts answers, failures and answers that are not one version's."""

    def __init__(self, at: dict[str, str], door: str, known: dict[str, np.ndarray]) -> None:
        super().__init__(daemon=True)
        self.at, self.door, self.known = at, door, known
        self.stopped = threading.Event()
        self.asked = self.mixed = 0
        self.failures: list[str] = []
        self.ms: list[float] = []

    def run(self) -> None:
        rows = [{"values": x} for x in ROWS.tolist()]
        vectors = [pb.FeatureVector(values=x) for x in ROWS.tolist()]
        with (
            httpx.Client(base_url=self.at["http"], timeout=30) as http,
            grpc.insecure_channel(self.at["grpc"]) as channel,
        ):
            stub = AttributionServiceStub(channel)
            while not self.stopped.is_set():
                tier, start = TIERS[self.asked % 2], time.perf_counter()
                self.asked += 1
                try:
                    if self.door == "http":
                        body = {"feature_vector": rows, "tier": tier}
                        a = http.post("/v1/attributions", json=body).raise_for_status().json()
                        found = a["version"], [r["prediction"] for r in a["attributions"]]
                    else:
                        b = stub.GetAttribution(pb.AttributionRequest(feature_vector=vectors, tier=tier), timeout=30)
                        found = b.version, [r.prediction for r in b.attributions]
                except Exception as exc:
                    self.failures.append(f"{type(exc).__name__}: {str(exc)[:200]}")
                    continue
                self.ms.append((time.perf_counter() - start) * 1000)
                if not np.allclose(self.known[found[0]], found[1], rtol=1e-5):
                    self.mixed += 1


class Server:
    """`ascribe serve` as a process of its own."""

    def __init__(self, registry: str) -> None:
        command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry, "--model", NAME]
        environment = {**os.environ, "ASCRIBE_ADMIN_TOKEN": TOKEN}
        self.process = subprocess.Popen(
            [*command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"], stdout=subprocess.PIPE, env=environment
        )
        assert self.process.stdout is not None
        self.at: dict[str, str] = json.loads(self.process.stdout.readline())
        self.swaps_ms: list[float] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b'"event":"rollout"' in line:
                said = json.loads(line)
                if said.get("how") == "loaded":
                    self.swaps_ms.append(said["took_ms"])

    def rss_bytes(self) -> int:
        return resident_bytes(self.process.pid)

    def refresh(self) -> str:
        """Push; the version that answers then."""
        header = {"authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(f"{self.at['http']}/v1/admin/models/{NAME}/refresh", headers=header, timeout=60)
        return str(answer.raise_for_status().json()["version"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def soak(swaps: int) -> dict[str, Any]:
    """So many swaps; the numbers that `keep` writes."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        registry = Registry(str(place / "registry"))
        known = dict(publish(registry, place / str(k), k) for k in range(1, VERSIONS + 1))
        order = list(known)
        registry.promote(NAME, order[0], AT)
        size = model_bytes(registry.uri, order)
        archive = max(file.stat().st_size for file in (place / "registry").rglob("*.zip"))
        server = Server(str(place / "registry"))
        loads = [Load(server.at, door, known) for door in ("http", "grpc")]
        try:
            for load_ in loads:
                load_.start()
            time.sleep(BEFORE_S)
            before, rss, wrong = server.rss_bytes(), [], 0
            for k in range(1, swaps + 1):
                registry.promote(NAME, order[k % VERSIONS], AT, expected=order[(k - 1) % VERSIONS])
                wrong += server.refresh() != order[k % VERSIONS]
                time.sleep(SETTLED_S)
                rss.append(server.rss_bytes())
        finally:
            for load_ in loads:
                load_.stopped.set()
            for load_ in loads:
                load_.join(30)
            server.stop()
    tail = np.array(rss[-round(TAIL * swaps) :], float)
    slope, error = _slope(tail)
    return {
        "swaps": swaps,
        "swaps_that_did_not_come": wrong,
        "archive_bytes": archive,
        "model_bytes": size,
        "requests": {load_.door: load_.asked for load_ in loads},
        "failed_requests": sum(len(load_.failures) for load_ in loads),
        "first_failures": [text for load_ in loads for text in load_.failures[:3]],
        "mixed_answers": sum(load_.mixed for load_ in loads),
        "answer_ms": {load_.door: _spread(load_.ms) for load_ in loads},
        "swap_ms": _spread(server.swaps_ms),
        "rss_before_bytes": before,
        "rss_bytes": rss,
        "slope_swaps": len(tail),
        "slope_bytes_per_swap": slope,
        "slope_stderr_bytes_per_swap": error,
        "offset_bytes": float(np.median(tail)) - before,
        "offset_after_ten_bytes": float(np.median(tail) - np.median(rss[:10])),
        "offset_of_model": (float(np.median(tail)) - before) / size,
    }


def _slope(y: np.ndarray) -> tuple[float, float]:
    """Least squares of y against 0, 1, ...: slope and its standard error, as if swaps were independent."""
    x = np.arange(len(y)) - (len(y) - 1) / 2
    slope = float(x @ y / (x @ x))
    left = y - y.mean() - slope * x
    return slope, float(np.sqrt(left @ left / max(len(y) - 2, 1) / (x @ x)))


def _spread(ms: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(ms), "p99": float(np.quantile(ms, 0.99)), "max": max(ms)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Many promotions under constant load.")
    parser.add_argument("--swaps", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="40 swaps")
    chosen = parser.parse_args()
    swaps = 40 if chosen.quick else chosen.swaps
    numbers = soak(swaps)
    print(
        f"{swaps} swaps, {sum(numbers['requests'].values())} requests: {numbers['failed_requests']} failed, "
        f"{numbers['mixed_answers']} mixed; RSS {numbers['slope_bytes_per_swap']:+.0f} bytes a swap over the last "
        f"{numbers['slope_swaps']}, offset {numbers['offset_of_model']:.2f} models of "
        f"{numbers['model_bytes'] / 1e6:.1f} MB ({numbers['archive_bytes'] / 1e6:.1f} MB as an archive)"
    )
    print(keep("swaps", numbers, chosen.quick))


if __name__ == "__main__":
    main()
