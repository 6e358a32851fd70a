"""Ways to ask: Ascribe by gRPC, JSON or the open inference protocol, and the peers, all with one model behind them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import grpc
import numpy as np

from ascribe.bundle.archive import Bundle, open_directory
from ascribe.bundle.holdout import answerable
from ascribe.bundle.latency import timed
from ascribe.bundle.registry import Registry
from ascribe.serve.wire import attribution_pb2 as pb
from benchmarks.latency.bundles import bundle_of
from benchmarks.load import Ask, Posts
from benchmarks.peers import installed
from benchmarks.power import ROOT

__all__ = ["Asking", "body", "bundle", "ours", "peer", "rows_of"]

NAME, AT = "m", "2026-01-01T00:00:00Z"
SERVICE = "/attribution.v1.AttributionService/"
Asking = Callable[[str, str, int], Ask]  # door, verb ("predict", a tier or a path) and rows to a call


def place() -> Path:
    """The demo's bundle, or boosted trees on the same server's 32 counters, trained at their first use."""
    demo = ROOT / "runs" / "demo" / "bundle"
    return demo if (demo / "manifest.json").exists() else bundle_of("trees32")


@lru_cache(maxsize=1)
def bundle() -> Bundle:
    return open_directory(place())


def rows_of(count: int) -> np.ndarray:
    """Held-out rows (count, n)."""
    X = answerable(bundle())
    return np.resize(X, (count, X.shape[1]))


def body(door: str, verb: str, rows: int) -> bytes:
    """What is posted. `door`: http, v2 (the open inference protocol) or rows, as most peers are asked."""
    X = rows_of(rows)
    if door == "rows":
        return json.dumps({"rows": X.tolist()}).encode()
    if door == "v2":
        tensor = {"name": "x", "shape": list(X.shape), "datatype": "FP64", "data": X.ravel().tolist()}
        return json.dumps({"inputs": [tensor], "outputs": [{"name": "prediction"}]}).encode()
    wanted = {} if verb == "predict" else {"tier": verb}
    return json.dumps({**wanted, "feature_vector": [{"values": x} for x in X.tolist()]}).encode()


@contextmanager
def ours() -> Iterator[tuple[Asking, int]]:
    """A server of its own process, on free ports."""
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(folder)
        registry.promote(NAME, registry.publish(NAME, timed(place())), AT)
        command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry.uri, "--model", NAME, "--http",
                   "127.0.0.1:0", "--grpc", "127.0.0.1:0"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            at = next(event for event in map(json.loads, process.stdout) if event["event"] == "ready")
            threading.Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills
            channel: list[grpc.aio.Channel] = []  # made on the loop that asks

            def asking(door: str, verb: str, rows: int) -> Ask:
                if door != "grpc":
                    path = f"v2/models/{NAME}/infer" if door == "v2" else f"v1/{_verb(verb)}s"
                    return Posts(f"{at['http']}/{path}", body(door, verb, rows))
                if not channel:
                    channel.append(grpc.aio.insecure_channel(at["grpc"], [("grpc.max_receive_message_length", -1)]))
                raw = _request(verb, rows)
                call = channel[0].unary_unary(f"{SERVICE}Get{_verb(verb).title()}")  # bytes to bytes: it is not ours
                return lambda: call(raw, timeout=60)

            try:
                yield asking, process.pid
            finally:
                process.terminate()


@contextmanager
def peer(name: str) -> Iterator[tuple[Asking, int]]:
    """One of `benchmarks.peers`. Raises RuntimeError where it cannot be had."""
    how = installed.PEERS[name]
    with tempfile.TemporaryDirectory() as folder:
        model, rows = Path(folder) / "predict.onnx", Path(folder) / "rows.npy"
        model.write_bytes(bundle().read("predict"))
        np.save(rows, answerable(bundle()))
        with installed.served(name, model, rows, body(how.body, "predict", 1)) as (url, pid):
            yield (
                lambda _, verb, rows: Posts(
                    f"{url}/{how.path if verb == 'predict' else verb}", body(how.body, verb, rows)
                ),
                pid,
            )


def _verb(verb: str) -> str:
    return "prediction" if verb == "predict" else "attribution"


def _request(verb: str, rows: int) -> bytes:
    vectors = [pb.FeatureVector(values=x) for x in rows_of(rows).tolist()]
    if verb == "predict":
        return pb.PredictionRequest(feature_vector=vectors).SerializeToString()
    return pb.AttributionRequest(feature_vector=vectors, tier=verb).SerializeToString()
