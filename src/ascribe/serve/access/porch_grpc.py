"""Before the gRPC door: who calls. All services but health."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc.aio import ServicerContext as Context

from ascribe.serve.access.audit import turned_away
from ascribe.serve.access.auth import Auth
from ascribe.serve.access.callers import entered
from ascribe.serve.access.tls import named
from ascribe.serve.faults import UnknownCallerError, problem_of
from ascribe.serve.observe.log import Log
from ascribe.serve.rpc.readable import each
from ascribe.serve.rpc.refused import refuse

__all__ = ["OPEN", "Porch"]

OPEN = "/grpc.health.v1.Health/"
KINDS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class Porch(grpc.aio.ServerInterceptor):
    """Wraps each handler, since only a call itself knows its peer's certificate."""

    def __init__(self, auth: Auth, log: Log) -> None:
        self._auth, self._log = auth, log

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(OPEN):
            return handler
        kind = (bool(handler.request_streaming), bool(handler.response_streaming))
        inner = next(
            call
            for call in (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
            if call
        )

        async def once(request: Any, context: Context) -> Any:
            await self._come_in(details.method, context)
            return await inner(request, context)

        async def streamed(request: Any, context: Context) -> AsyncIterator[Any]:
            await self._come_in(details.method, context)
            async for answer in each(inner(request, context)):
                yield answer

        return KINDS[kind](streamed if kind[1] else once, handler.request_deserializer, handler.response_serializer)

    async def _come_in(self, asked: str, context: Context) -> None:
        """Raises what ends a call, once it was refused."""
        try:
            entered(await self._auth.identify(_by_name(context.invocation_metadata()), _peer(context)))
            return
        except Exception as exc:
            problem = problem_of(exc)
            with self._log.request("grpc", "refused", uuid.uuid4().hex) as entry:
                entry.failed(problem, exc)
                if isinstance(exc, UnknownCallerError):
                    turned_away(self._log, entry, exc.why, context.peer(), asked)
        await refuse(problem, entry, context)


def _by_name(metadata: Any) -> dict[str, str]:
    """Texts alone; one that comes twice is both its values, which is no key and no token."""
    found: dict[str, str] = {}
    for name, value in metadata or ():
        if isinstance(value, str):
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _peer(context: Context) -> str:
    """Of a certificate that was verified; the library verifies none that it did not ask for."""
    held = context.auth_context().get("x509_pem_cert")
    return named(bytes(held[0])) if held else ""
