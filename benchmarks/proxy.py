"""A small balancer of connections that honours readiness, for tests of restarts.

It looks at nothing that passes (layer 4), so HTTP/1.1 and gRPC are the same to it. Every `LOOK_S` it asks each replica
`GET /v2/health/ready`; a new connection goes to one that is ready, in turn. "Not ready" counts at once, silence the
fifth time. A connection lives until one of its ends closes it: nobody is cut off because a replica stopped being ready.
Nothing is tried twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

__all__ = ["DOORS", "Proxy", "Replica"]

LOOK_S, PATIENCE_S, SILENCES, PIECE = 0.1, 10.0, 5, 1 << 16
DOORS = ("http", "grpc")
Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
QUESTION = b"GET /v2/health/ready HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n"


@dataclass
class Replica:
    """HOST:PORT of each door, what it last said of itself, and how often it then said nothing."""

    at: dict[str, str]
    ready: bool = False
    silent: int = 0


class Proxy:
    """One listening port of each door, for all replicas. `carried`: connections by door; `troubles`: those that found
    no replica, or one that did not take them.

    async with Proxy() as proxy:
        proxy.add("a", http="127.0.0.1:8080", grpc="127.0.0.1:50051")
        ...                                    clients connect to proxy.at["http"], proxy.at["grpc"]
    """

    def __init__(self) -> None:
        self.replicas: dict[str, Replica] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        self.at: dict[str, str] = {}
        self.carried: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self._turn = 0
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        for door in DOORS:
            server = await asyncio.start_server(self._accepting(door), "127.0.0.1", 0)
            self._servers.append(server)
            self.at[door] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._looking.values(), *self._open]
        for server in self._servers:
            server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, name: str, http: str, grpc: str) -> Replica:
        """It gets connections once it says that it is ready."""
        replica = self.replicas[name] = Replica({"http": http, "grpc": grpc})
        self._looking[name] = asyncio.create_task(_look(replica))
        return replica

    def remove(self, name: str) -> None:
        del self.replicas[name]
        self._looking.pop(name).cancel()

    def _accepting(self, door: str) -> Accept:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._open.add(task)
            try:
                await self._carry(door, reader, writer)
            finally:
                self._open.discard(task)
                writer.transport.abort()

        return accept

    async def _carry(self, door: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [replica for _, replica in sorted(self.replicas.items()) if replica.ready]
        if not ready:
            self.troubles[f"{door}: no replica is ready"] += 1
            return
        self._turn += 1
        try:
            from_replica, to_replica = await _connected(ready[self._turn % len(ready)].at[door])
        except OSError as exc:
            self.troubles[f"{door}: {type(exc).__name__}"] += 1
            return
        self.carried[door] += 1
        try:
            await asyncio.gather(_pumped(reader, to_replica), _pumped(from_replica, writer))
        except OSError:  # one end is gone: so is the other
            pass
        finally:
            to_replica.transport.abort()


async def _look(replica: Replica) -> None:
    while True:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await _connected(replica.at["http"])
                writer.write(QUESTION)
                said = await reader.readline()
                writer.close()
            replica.ready, replica.silent = b" 200 " in said, 0
        except ConnectionRefusedError:
            replica.ready = False
        except (OSError, TimeoutError):
            replica.silent += 1
            replica.ready = replica.ready and replica.silent < SILENCES
        await asyncio.sleep(LOOK_S)


async def _connected(at: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = at.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All bytes of one direction, and then its end."""
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
