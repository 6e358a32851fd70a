"""What a caller of the usual doors states beside its message: `X-Host-Policy: fail` or `bounds`, a header of HTTP or a
key of gRPC's metadata."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import grpc
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["HEADER", "Reading", "read_policy", "stated"]

HEADER = "x-host-policy"
_POLICY: ContextVar[str] = ContextVar("ascribe_host_policy", default="")


def stated(default: str) -> str:
    """The policy of the request at hand, as its caller wrote it."""
    return _POLICY.get() or default


def read_policy(app: ASGIApp) -> ASGIApp:
    """An application that reads the header for another."""

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            held = dict(scope["headers"])
            _POLICY.set(held.get(HEADER.encode(), b"").decode("latin-1").strip().lower())
        await app(scope, receive, send)

    return read


class Reading(grpc.aio.ServerInterceptor):
    """The same of metadata: a handler runs in the task of its interceptors."""

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        held = dict(details.invocation_metadata or ())
        _POLICY.set(str(held.get(HEADER, "")).strip().lower())
        return await continuation(details)
