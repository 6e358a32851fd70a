"""Well-formed questions among the malformed ones: their answers must stay what they were, to the last bit."""

from __future__ import annotations

import json
import threading
import time
from http.client import HTTPException
from typing import Any

import grpc

from ascribe.serve.wire import attribution_pb2 as pb
from benchmarks.fuzz.asking import HANG_S, Asker
from benchmarks.fuzz.http_inputs import INFER, JSON, Sent

__all__ = ["Canaries"]

ROWS = [{"values": [0.5, 4.0, 20.0]}, {"id": "b", "values": {"busy": 0.41, "ghz": 3.7, "misses": 21.5}}]
HTTP = {
    "exact": ("/v1/attributions", {"feature_vector": ROWS, "tier": "exact", "seed": 7}),
    "fast": ("/v1/attributions", {"feature_vector": ROWS, "tier": "fast"}),
    "balanced": ("/v1/attributions", {"feature_vector": ROWS, "tier": "balanced"}),
    "prediction": ("/v1/predictions", {"feature_vector": ROWS}),
    "energy": ("/v1/energy", {"feature_vector": ROWS, "observed": [["busy"], []]}),
    "infer": ("/v2/models/m/infer", INFER | {"outputs": [{"name": "prediction"}, {"name": "attribution"}]}),
    "explain": ("/v1/models/m:explain", {"instances": [[0.5, 4.0, 20.0]], "parameters": {"tier": "fast"}}),
}
PASSING = ("request_id", "timings_ms", "id")  # what differs from answer to answer
GRPC = pb.AttributionRequest(
    feature_vector=[pb.FeatureVector(values=[0.5, 4.0, 20.0])], tier="exact", seed=7, request_id="canary"
)
PATIENCE_S, PAUSE_S = 60.0, 0.5


class _Full(Exception):
    """The server is full and says so: no change of an answer, if it gives one later."""


class Canaries:
    """`first`: answers by name; `asked`: how many; `again`: how often a full server sent one away, which then came
    again; `died`: those that changed, and how.
    """

    def __init__(self) -> None:
        self.first: dict[str, Any] = {}
        self.asked = self.again = 0
        self.died: list[str] = []
        self._lock = threading.Lock()

    def sing(self, asker: Asker, number: int) -> None:
        """One canary, in turn."""
        names = [*HTTP, "grpc"]
        name = names[number % len(names)]
        try:
            answer = self._patient(asker, name)
        except (OSError, HTTPException, ValueError, grpc.RpcError, _Full) as exc:
            answer = f"{type(exc).__name__}: {str(exc)[:300]}"
        with self._lock:
            self.asked += 1
            expected = self.first.setdefault(name, answer)
            if answer != expected:
                self.died.append(f"{name} before input {number}: {str(answer)[:300]}, not {str(expected)[:300]}")

    def _patient(self, asker: Asker, name: str) -> Any:
        """The answer of a server that is not full. Raises what asking raises, _Full after a minute of it."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return _grpc(asker) if name == "grpc" else _http(asker, *HTTP[name])
            except _Full:
                if time.monotonic() > until:
                    raise
            with self._lock:
                self.again += 1
            time.sleep(PAUSE_S)


def _http(asker: Asker, path: str, body: dict[str, Any]) -> Any:
    answer, raw = asker.http(Sent("POST", path, {"Content-Type": JSON}, json.dumps(body).encode()))
    found = json.loads(raw)
    if answer.status == 429:
        raise _Full(found["detail"])
    if answer.status != 200:
        raise ValueError(f"{answer.status} {raw[:200]!r}")
    return {name: word for name, word in found.items() if name not in PASSING}


def _grpc(asker: Asker) -> Any:
    call = asker.channel().unary_unary(
        "/attribution.v1.AttributionService/GetAttribution",
        pb.AttributionRequest.SerializeToString, pb.AttributionResponse.FromString,
    )  # fmt: skip
    try:
        answer = call(GRPC, timeout=HANG_S, wait_for_ready=True)
    except grpc.RpcError as exc:
        if exc.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise _Full(exc.details()) from exc
        raise
    answer.ClearField("timings_ms")
    return str(answer)
