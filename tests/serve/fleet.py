"""A registry with bundles that tell themselves apart, and a server that follows it quickly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import numpy as np

from ascribe.bundle.archive import open_directory, write
from ascribe.bundle.records import Channel, Event
from ascribe.bundle.registry import Registry
from ascribe.core.errors import NotFound
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.bundle import made

AT = "2026-11-01T00:00:00+00:00"
TOKEN = "a-token"
FAST = {"poll_s": 0.05, "admin_token": TOKEN}


@dataclass(frozen=True)
class Known:
    """What a version must answer: prediction = bias + weights x."""

    version: str
    bias: float
    weights: np.ndarray
    base: float

    def predict(self, x: Any) -> float:
        return float(self.bias + self.weights @ np.asarray(x))


@dataclass
class Fleet:
    """A registry, on a directory or `elsewhere`; `known` versions by name of model and version."""

    place: Path
    elsewhere: str = ""
    known: dict[tuple[str, str], Known] = field(default_factory=dict)

    @property
    def registry(self) -> Registry:
        return Registry(self.uri)

    @property
    def uri(self) -> str:
        return self.elsewhere or str(self.place / "registry")

    def publish(self, name: str, k: int, labels: dict[str, str] | None = None, **changes: Any) -> Known:
        """Version number `k` of a model: weights and bias grow with k."""
        weights, bias = made.WEIGHTS * k, made.BIAS + 100 * k
        created = f"2026-11-{1 + k:02d}T00:00:00Z"
        manifest, files = made.parts(weights=tuple(weights), bias=bias, created=created, **changes)
        manifest = msgspec.structs.replace(manifest, labels=labels or {})
        place = self.place / f"{name}-{k}"
        write(place, manifest, files)
        version = self.registry.publish(name, open_directory(place))
        self.known[name, version] = Known(version, bias, weights, manifest.base_value)
        return self.known[name, version]

    def first(self, name: str) -> Known:
        return self.known[name, self.registry.versions(name)[0]]

    def promote(self, name: str, known: Known, channel: str = "production") -> None:
        try:
            held = self.registry.channel(name, channel).current.version
        except NotFound:
            held = None
        self.registry.promote(name, known.version, AT, channel, expected=held)

    def promote_unseen(self, name: str, event: Event) -> None:
        """Move production to where nobody looks whether the version is whole."""

        def moved(raw: bytes | None) -> bytes:
            held = msgspec.json.decode(raw or b"", type=Channel)
            return msgspec.json.encode(Channel([*held.history, event]))

        self.registry.store.swap(f"{name}/channels/production.json", moved)

    def archive(self, name: str, known: Known) -> Path:
        return self.place / "registry" / name / "versions" / f"{known.version}.zip"


@dataclass
class Server:
    http: httpx.Client
    stub: AttributionServiceStub
    log: list[bytes]
    at: Any

    def card(self, model: str = "m") -> dict[str, Any]:
        answer = self.http.get(f"/v1/models/{model}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, rows: Any, **fields: Any) -> httpx.Response:
        return self.http.post("/v1/attributions", json={"feature_vector": rows, **fields})

    def admin(self, verb: str, model: str = "m", token: str | None = TOKEN) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return self.http.post(f"/v1/admin/models/{model}/{verb}", headers=headers)

    def events(self, name: str) -> list[dict[str, Any]]:
        held = [msgspec.json.decode(line) for line in self.log]
        return [event for event in held if event["event"] == name]


@contextmanager
def serving(fleet: Fleet, model: Any = "m", shadow: str | None = None, **settings: Any) -> Iterator[Server]:
    log: list[bytes] = []
    chosen = Settings(**{**FAST, **settings})
    with (
        running(fleet.uri, model, chosen, write=log.append, shadow=shadow) as at,
        httpx.Client(base_url=at.http) as http,
        grpc.insecure_channel(at.grpc) as channel,
    ):
        yield Server(http, AttributionServiceStub(channel), log, at)
