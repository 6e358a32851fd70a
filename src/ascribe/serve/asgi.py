"""The HTTP door as an application for whoever holds the port: the rooms open and close with its lifespan.

lifespan.startup    -> the models are loaded; startup.complete once ready, startup.failed where they cannot be had
lifespan.shutdown   -> not ready; jobs are handed over; what runs is done; shutdown.complete
http                -> as the door of `ascribe serve`, with its porch, metrics, traces and log
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from ascribe.core.errors import ServiceError
from ascribe.serve.access.auth import check_reach
from ascribe.serve.faults import UnavailableError, problem_of
from ascribe.serve.house import House
from ascribe.serve.settings import Settings, from_environment

__all__ = ["Application"]

EVERYWHERE = "0.0.0.0"  # who holds the port does not say where it listens
FULL = {"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"1"), (b"content-length", b"0")]}


class Application:
    """As `House`, with `settings` from the environment by default. Since others may reach the port, callers must have
    credentials, or `allow_anonymous` be set; certificates are the business of whoever holds the port.

    Raises ServiceError for settings that want certificates, or let everybody in without saying so.
    """

    def __init__(
        self, registry: str, model: str | Sequence[str], settings: Settings | None = None,
        write: Callable[[bytes], object] | None = None, shadow: str | None = None,
    ) -> None:  # fmt: skip
        self._settings = settings or from_environment()
        if self._settings.tls_cert or self._settings.client_ca:
            raise ServiceError(
                "ASCRIBE_TLS_CERT and ASCRIBE_CLIENT_CA are for `ascribe serve`: here TLS ends before the application, "
                "which sees no certificate; unset them, and take keys or tokens"
            )
        check_reach((EVERYWHERE,), self._settings)
        self._asked = registry, model, write, shadow
        self._house: House | None = None
        self._app: ASGIApp | None = None
        self._closing = False

    def check(self) -> None:
        """Raises UnavailableError where it is not ready, though it is not closing either."""
        if not self._closing and not (self._house and self._house.room.ready()):
            raise UnavailableError("no model is loaded")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            if self._app is not None:
                await self._app(scope, receive, send)
            else:
                await send(FULL)
                await send({"type": "http.response.body"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            asked = (await receive())["type"]
            try:
                await (self.open() if asked == "lifespan.startup" else self.close())
            except Exception as exc:
                await send({"type": f"{asked}.failed", "message": problem_of(exc).text})
                return
            await send({"type": f"{asked}.complete"})
            if asked == "lifespan.shutdown":
                return

    async def open(self) -> None:
        """Load and start. Raises as `House` and `House.load`."""
        start, (registry, model, write, shadow) = time.perf_counter(), self._asked
        house = House(registry, model, (EVERYWHERE,), self._settings, write, shadow)
        house.seen.start()
        try:
            leases = await house.load()
        except BaseException:
            await house.quiet()
            await house.close()
            raise
        house.start()
        self._house, self._app = house, house.app(EVERYWHERE)
        served = [f"{lease.name}@{lease.channel} {lease.version}" for lease in leases]
        house.log.event("ready", models=served, start_ms=round((time.perf_counter() - start) * 1000))

    async def close(self) -> None:
        """Say not ready, give others time to see it, end. Calls in flight are answered as long as they come."""
        house, self._closing = self._house, True
        if house is None:
            return
        house.log.event("draining")
        await house.quiet()
        await asyncio.sleep(self._settings.drain_s)
        self._app = self._house = None
        await house.close()
        house.log.event("stopped")
