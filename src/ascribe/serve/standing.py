"""A gRPC server that stands up again.

grpcio decodes the path of each call in the very loop that takes calls up, so that one path that is no UTF-8 ends the
loop, and with it the listener and the calls in flight (seen in 1.85.1 and 1.85.3). Nothing of ours runs before that.
Whoever connects in the moment before another server listens is refused, and tries again.

A loop that ends frees, for each method registered with the library by name, a place that the library will still write
the next call to: the process then dies of a segmentation fault. `ByHandler` registers none, so calls are found by
their handlers alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc

from ascribe.core.errors import ServiceError
from ascribe.serve.address import Address
from ascribe.serve.observe.log import Log

__all__ = ["ByHandler", "Standing"]

LOOK_S = 0.1  # between looks whether it still listens
Make = Callable[[Address], tuple[grpc.aio.Server, Address]]


class ByHandler:
    """A server, for generated code to add services to; methods are not registered by name."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Left out on purpose."""


class Standing:
    """`make` binds a server, not yet started, to an address; `at` is where it is, also for port 0. Calls of a server
    that fell may go on for `grace_s`. Raises what `make` raises.
    """

    def __init__(self, make: Make, address: Address, grace_s: float, log: Log) -> None:
        self._make, self._grace_s, self._log = make, grace_s, log
        self._server, self.at = make(address)
        self._watch: asyncio.Task[None] | None = None
        self._fallen: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, from now on."""
        await self._server.start()
        self._watch = asyncio.create_task(self._look())

    async def stop(self, grace_s: float) -> None:
        """No new calls; those in flight may go on for so long."""
        if self._watch:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await self._server.stop(grace_s)
        if self._fallen:
            await asyncio.wait(self._fallen, timeout=grace_s)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._server.wait_for_termination(0)  # raises what ended the loop
            except Exception as exc:
                self._log.event("grpc_again", cause=type(exc).__name__)
                await self._again()

    async def _again(self) -> None:
        fallen = asyncio.create_task(_ended(self._server, self._grace_s))
        self._fallen.add(fallen)
        fallen.add_done_callback(self._fallen.discard)
        while True:
            try:
                self._server, _ = self._make(self.at)
                await self._server.start()
                return
            except Exception as exc:  # ServiceError: somebody else took the port meanwhile
                self._log.event("grpc_again", reason=str(exc) if isinstance(exc, ServiceError) else type(exc).__name__)
                await asyncio.sleep(LOOK_S)


async def _ended(server: grpc.aio.Server, grace_s: float) -> None:
    with suppress(Exception):  # it fell already, and says so again
        await server.stop(grace_s)
