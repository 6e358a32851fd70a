"""One real server for the whole folder: real sockets, ports chosen by the system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest

from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub

from . import tiny


@dataclass
class Served:
    """A running server: an HTTP client, a gRPC channel and stub, and what it logged."""

    http: httpx.Client
    channel: grpc.Channel
    stub: AttributionServiceStub
    log: list[bytes]
    registry: str
    version: str


def open_server(directory: Path, **settings: object) -> Iterator[Served]:
    """A server of `tiny` until the caller is done."""
    conditional = bool(settings.pop("conditional", True))
    registry, version = tiny.publish(directory, conditional=conditional)
    log: list[bytes] = []
    with running(registry, tiny.NAME, Settings(**settings), write=log.append) as at:
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        with httpx.Client(base_url=at.http) as http, grpc.insecure_channel(at.grpc, options) as channel:
            yield Served(http, channel, AttributionServiceStub(channel), log, registry, version)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from open_server(tmp_path_factory.mktemp("served"), max_rows=8, max_budget=256, max_body_bytes=65536)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model without an energy model, no reflection."""
    yield from open_server(tmp_path_factory.mktemp("plain"), conditional=False, reflection=False)
