"""Real servers of both parties on threads of this process, a proxy that keeps every byte, and hosts that misbehave."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from ascribe.bundle.archive import Bundle, open_directory
from ascribe.bundle.federated.half import write_party
from ascribe.core.federated.party import Party
from ascribe.core.federated.table import Table
from ascribe.serve.access.callers import Caller
from ascribe.serve.access.rates import Rates
from ascribe.serve.app import Addresses
from ascribe.serve.faults import ShedError
from ascribe.serve.federated.guest import GuestHouse
from ascribe.serve.federated.guest import serve as serve_guest
from ascribe.serve.federated.host import serve as serve_host
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.settings import Settings

Call = Callable[..., Any]


class Loop:
    """An event loop on a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Any, timeout_s: float = 90) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@contextmanager
def looped() -> Iterator[Loop]:
    held = Loop()
    try:
        yield held
    finally:
        held.stop()


@contextmanager
def _running(start: Callable[[asyncio.Event, Call], Any]) -> Iterator[Any]:
    """`start(stop, ready)` on a loop of its own; yields what `ready` got."""
    with looped() as loop:
        stop, up, places = asyncio.Event(), threading.Event(), []

        def ready(at: Any) -> None:
            places.append(at)
            up.set()

        done = asyncio.run_coroutine_threadsafe(start(stop, ready), loop.loop)
        done.add_done_callback(lambda _: up.set())
        assert up.wait(120)
        if not places:
            done.result(1)
        try:
            yield places[0]
        finally:
            loop.loop.call_soon_threadsafe(stop.set)
            done.result(60)


class Rows:
    """Features in memory. `waits`: called before it answers; `fails`: as a place that is in trouble."""

    def __init__(
        self, rows: dict[str, dict[str, Any]], waits: Call | None = None, fails: Exception | None = None
    ) -> None:  # fmt: skip
        self.rows, self.waits, self.fails, self.asked = rows, waits, fails, []

    def find(self, ids: Sequence[str]) -> tuple[Table, np.ndarray]:
        self.asked.append(list(ids))
        if self.waits:
            self.waits()
        if self.fails:
            raise self.fails
        return Table.of_rows([self.rows.get(i, {}) for i in ids]), np.array([i in self.rows for i in ids], bool)

    def close(self) -> None:
        pass


class Turns(Rates):
    """A bucket whose clock stands until it refuses somebody. `told`: of each question, whether it was let in."""

    def __init__(self, rate_per_s: float | None, burst_s: float) -> None:
        super().__init__(rate_per_s, burst_s, clock=lambda: time.monotonic() - self.since_s if self.since_s else 0.0)
        self.since_s, self.told = 0.0, []

    def take(self, caller: Caller, rows: int) -> None:
        try:
            super().take(caller, rows)
        except ShedError:
            self.since_s = self.since_s or time.monotonic()
            self.told.append(False)
            raise
        self.told.append(True)


@contextmanager
def hosting(
    host: Party, features: Any, parties: PartySettings | None = None, log: list[bytes] | None = None,
    listen: str = "127.0.0.1:0", **settings: Any,
) -> Iterator[str]:  # fmt: skip
    """A host; yields its HOST:PORT."""
    held = [] if log is None else log
    with _running(
        lambda stop, ready: serve_host(
            host, features, listen, Settings(**settings), parties or PartySettings(), stop, ready, held.append, "m"
        )
    ) as at:
        yield at


@contextmanager
def guesting(
    bundle: Bundle, hosts: dict[str, str], log: list[bytes] | None = None, parties: PartySettings | None = None,
    policy: str = "fail", skip_local: bool = False, background: Path | None = None, service_id: str = "",
    by_column: Sequence[str] = (), **settings: Any,
) -> Iterator[Addresses]:  # fmt: skip
    held = [] if log is None else log

    async def start(stop: asyncio.Event, ready: Call) -> None:
        house = GuestHouse(
            bundle, "loans", hosts, ["127.0.0.1"], Settings(**settings), parties or PartySettings(), policy, skip_local,
            background, service_id, held.append, by_column=by_column,
        )  # fmt: skip
        await serve_guest(house, "127.0.0.1:0", "127.0.0.1:0", stop, ready)

    with _running(start) as at:
        yield at


def bundled(party: Party, folder: Path) -> Bundle:
    write_party(folder, party, "2026-01-01T00:00:00Z", "0")
    return open_directory(folder)


@dataclass
class Proxy:
    """Between guest and host; `there`, `back`: bytes of each connection, one way and the other."""

    at: str = ""
    loop: Any = None
    there: list[bytearray] = field(default_factory=list)
    back: list[bytearray] = field(default_factory=list)
    ends: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """All connections break at once; from any thread."""
        for writer in self.ends:
            self.loop.call_soon_threadsafe(writer.transport.abort)

    def payloads(self, way: str) -> list[bytes]:
        """What DATA frames carry, by stream, over all connections: whole gRPC messages with their five bytes."""
        out = []
        for raw in getattr(self, way):
            streams: dict[int, bytes] = {}
            for kind, stream, body in frames(bytes(raw), way == "there"):
                if kind == 0:
                    streams[stream] = streams.get(stream, b"") + body
            out += streams.values()
        return out

    def calls(self) -> int:
        """Streams that the guest opened: calls of whatever kind."""
        return sum(len({stream for kind, stream, _ in frames(bytes(raw), True) if kind == 1}) for raw in self.there)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frames(raw: bytes, client: bool) -> Iterator[tuple[int, int, bytes]]:
    """Frames of HTTP/2: (type, stream, body)."""
    if client:
        assert raw.startswith(PREFACE)
        raw = raw[len(PREFACE) :]
    while raw:
        size, kind, stream = int.from_bytes(raw[:3], "big"), raw[3], int.from_bytes(raw[5:9], "big") & 0x7FFFFFFF
        yield kind, stream, raw[9 : 9 + size]
        raw = raw[9 + size :]


@contextmanager
def proxied(target: str, delay_s: float = 0.0) -> Iterator[Proxy]:
    """A proxy that keeps what passes, and holds each piece of the way back for `delay_s`."""
    host, _, port = target.rpartition(":")
    proxy = Proxy()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: bytearray, wait_s: float) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            while piece := await reader.read(1 << 16):
                held += piece
                if wait_s:
                    await asyncio.sleep(wait_s)
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = bytearray(), bytearray()
        proxy.there.append(there)
        proxy.back.append(back)
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        proxy.ends += (writer, far_writer)
        await asyncio.gather(carry(reader, far_writer, there, 0.0), carry(far_reader, writer, back, delay_s))

    with looped() as loop:
        proxy.loop = loop.loop
        server = loop.run(asyncio.start_server(accept, "127.0.0.1", 0))
        proxy.at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            loop.loop.call_soon_threadsafe(server.close)


@contextmanager
def crooked(describe: Callable[[bytes], Any], answer: Callable[[bytes], Any]) -> Iterator[str]:
    """A host that answers with whatever bytes the two functions give (or awaitables of them)."""

    def handler(call: Callable[[bytes], Any]) -> Any:
        async def handle(raw: bytes, context: Any) -> bytes:
            found = call(raw)
            return await found if asyncio.iscoroutine(found) else found

        return grpc.unary_unary_rpc_method_handler(handle)

    with looped() as loop:

        async def start() -> tuple[Any, int]:
            server = grpc.aio.server()
            methods = {"Describe": handler(describe), "Answer": handler(answer)}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("party.v1.PartyService", methods),))
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            return server, port

        server, port = loop.run(start())
        try:
            yield f"127.0.0.1:{port}"
        finally:
            loop.run(server.stop(0))
