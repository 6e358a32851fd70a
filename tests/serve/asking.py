"""One question by both doors, with whatever credentials, and what they say to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec

from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub

from . import tiny

ROW = {"values": tiny.ROW}
VECTOR = pb.FeatureVector(names=list(tiny.ROW), values=list(tiny.ROW.values()))
CODES = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
}


@dataclass
class Doors:
    http: httpx.Client
    channel: grpc.Channel
    log: list[bytes]
    at: Any

    def predict(self, **headers: str) -> int:
        return self._both("/v1/predictions", "GetPrediction", pb.PredictionRequest, headers)

    def explain(self, **headers: str) -> int:
        return self._both("/v1/attributions", "GetAttribution", pb.AttributionRequest, headers)

    def posted(self, path: str = "/v1/predictions", **headers: str) -> httpx.Response:
        return self.http.post(path, json={"feature_vector": [ROW]}, headers=_names(headers))

    def called(self, verb: str, request: Any, **headers: str) -> grpc.StatusCode:
        try:
            getattr(AttributionServiceStub(self.channel), verb)(request, metadata=list(_names(headers).items()))
        except grpc.RpcError as exc:
            return exc.code()
        return grpc.StatusCode.OK

    def audits(self, action: str = "login") -> list[dict[str, Any]]:
        held = [msgspec.json.decode(line) for line in self.log]
        return [event for event in held if event["event"] == "audit" and event["action"] == action]

    def _both(self, path: str, verb: str, message: Any, headers: dict[str, str]) -> int:
        """The HTTP status, once both doors have said the same."""
        status = self.posted(path, **headers).status_code
        assert CODES[self.called(verb, message(feature_vector=[VECTOR]), **headers)] == status
        return status


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def bearer(token: str) -> str:
    return f"Bearer {token}"


@contextmanager
def doors(folder: Path, **settings: Any) -> Iterator[Doors]:
    """A server of `tiny` with such settings, in the clear."""
    registry, _ = tiny.publish(folder)
    log: list[bytes] = []
    with (
        running(registry, tiny.NAME, Settings(**settings), write=log.append) as at,
        httpx.Client(base_url=at.http) as http,
        grpc.insecure_channel(at.grpc) as channel,
    ):
        yield Doors(http, channel, log, at)
