"""Before the HTTP door: who comes, with how many headers, over which connection. All routes but the two of health,
the page's files, and the metrics where the settings open them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ascribe.serve.access.audit import turned_away
from ascribe.serve.access.auth import Auth, require_watcher
from ascribe.serve.access.callers import entered
from ascribe.serve.access.limits import check_headers
from ascribe.serve.access.tls import named
from ascribe.serve.faults import UnknownCallerError, problem_of
from ascribe.serve.observe.log import Log
from ascribe.serve.page.front import belongs
from ascribe.serve.rest.refused import problem_answer, request_id_of
from ascribe.serve.settings import Settings

__all__ = ["OPEN", "Porch", "connection"]

OPEN = ("/v2/health/live", "/v2/health/ready")
METRICS = "/metrics"
WATCHED = (METRICS, "/debug")  # what is told of everybody's requests
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Porch:
    """An application in front of another: nothing of a body is read before its sender is known. While the server is
    `leaving`, each answer is the last one of its connection.
    """

    def __init__(self, app: ASGIApp, auth: Auth, settings: Settings, log: Log, leaving: Callable[[], bool]) -> None:
        self._app, self._auth, self._settings, self._log, self._leaving = app, auth, settings, log, leaving
        self._open = (*OPEN, METRICS) if settings.metrics_open else OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = self._last(send)
            headers, limits = scope["headers"], self._settings
            try:
                check_headers(headers, limits.max_headers, limits.max_header_bytes)
                if scope["path"] not in self._open and not belongs(scope["path"]):
                    peer = scope.get("state", {}).get("peer", "")
                    entered(caller := await self._auth.identify(_by_name(headers), peer))
                    if scope["path"] in WATCHED:
                        require_watcher(caller)
            except Exception as exc:
                await self._refuse(exc, Request(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _last(self, send: Send) -> Send:
        """Asked when an answer begins, not when its request came."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and self._leaving():
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        return sent

    def _refuse(self, exc: Exception, request: Request) -> ASGIApp:
        problem = problem_of(exc)
        with self._log.request("http", "refused", request_id_of(request)) as entry:
            entry.failed(problem, exc)
            if isinstance(exc, UnknownCallerError):
                peer = request.client.host if request.client else ""
                turned_away(self._log, entry, exc.why, peer, f"{request.method} {request.url.path}")
        return problem_answer(problem, entry.request_id, request.url.path)


def _by_name(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """A header that comes twice is both its values, which is no key and no token."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def connection(settings: Settings) -> type[H11Protocol]:
    """Connections within the limits: their number, and how long a request's headers may take, or the rest of a body
    that was answered already. Requests find the name of a client certificate as `peer` in their state.
    """

    class Connection(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                transport.write(FULL)
                transport.close()
                return
            tls: Any = transport.get_extra_info("ssl_object")
            certificate = tls.getpeercert(binary_form=True) if tls else None
            self.app_state = {**self.app_state, "peer": named(certificate) if certificate else ""}
            self._wait()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE and not (self.cycle and self.cycle.response_complete):
                self._come()
            elif self._late is None:
                self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.their_state is h11.SEND_BODY and self._late is None:
                self._wait()  # what is still sent of an answered request is thrown away, but not for ever

        def connection_lost(self, exc: Exception | None) -> None:
            self._come()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._late = self.loop.call_later(settings.header_s, self.transport.abort)

        def _come(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Connection
