"""A span around each door, put on from outside: an ASGI application for HTTP, an interceptor for gRPC.

`traceparent` comes in; `traceresponse` goes out as a header or as trailing metadata, so that a caller finds the trace.
Health, metrics and reflection are not traced.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import grpc
from opentelemetry.trace import Status, StatusCode

from ascribe.serve.observe import tracing

__all__ = ["Asgi", "TracedCalls", "traced"]

Message = MutableMapping[str, Any]
Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

UNTRACED = ("/v2/health/", "/metrics", "/debug", "/healthz", "/readyz", "/livez")
UNTRACED_CALLS = ("/grpc.health.", "/grpc.reflection.")
TRACE = ("traceparent", "tracestate", "baggage")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"))


def _response() -> str:
    """Where the answer's span is; empty where it is not recorded."""
    return tracing.headers().get("traceparent", "") if tracing.here() else ""


def traced(app: Asgi) -> Asgi:
    """The application with a span for each request, named by method and route."""

    async def door(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        carrier = {
            n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"] if n.decode("latin-1") in TRACE
        }
        attributes: dict[str, Any] = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        start, status = time.perf_counter(), 500
        with tracing.server(method, carrier, attributes | {"url.path": scope["path"][:200]}) as span:
            said = _response()

            async def sent(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    if said:
                        message["headers"] = [*message.get("headers", ()), (b"traceresponse", said.encode())]
                await send(message)

            try:
                await app(scope, receive, sent)
            finally:
                route = getattr(scope.get("route"), "path", "")
                attributes["http.response.status_code"] = status
                if route:
                    attributes["http.route"] = route
                    span.update_name(f"{method} {route}")
                if status >= 500:
                    attributes["error.type"] = str(status)
                    span.set_status(Status(StatusCode.ERROR))
                span.set_attributes(attributes)
                tracing.web_recorded(time.perf_counter() - start, attributes)

    return door


class TracedCalls(grpc.aio.ServerInterceptor):
    """A span for each unary call, named by its method. The outermost: how a method is wrapped, also by those further
    in, is found out once.
    """

    def __init__(self) -> None:
        self._known: dict[str, grpc.RpcMethodHandler] = {}  # methods that are served, so few

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        held = self._known.get(details.method)
        if held is None:
            handler = await continuation(details)
            if handler is None:
                return None
            held = self._known[details.method] = _traced_call(details.method, handler)
        return held


def _traced_call(name: str, handler: Any) -> Any:
    if handler.unary_unary is None or name.startswith(UNTRACED_CALLS):
        return handler
    call = handler.unary_unary
    attributes = {"rpc.system.name": "grpc", "rpc.method": name.removeprefix("/")}

    async def door(request: Any, context: Any) -> Any:
        start, code = time.perf_counter(), "CANCELLED"
        carrier = {n: v for n, v in context.invocation_metadata() or () if n in TRACE}
        with tracing.server(name.removeprefix("/"), carrier, attributes) as span:
            if said := _response():
                context.set_trailing_metadata((("traceresponse", said),))
            try:
                answer = await call(request, context)
                code = "OK"
                return answer
            except Exception:
                code = _code(context)
                raise
            finally:
                found = attributes | {"rpc.response.status_code": code}
                span.set_attributes(found)
                if code in (
                    "INTERNAL",
                    "UNKNOWN",
                    "UNAVAILABLE",
                    "DEADLINE_EXCEEDED",
                    "DATA_LOSS",
                    "UNIMPLEMENTED",
                ):
                    span.set_status(Status(StatusCode.ERROR))
                    found["error.type"] = code
                tracing.rpc_recorded(time.perf_counter() - start, found)

    return grpc.unary_unary_rpc_method_handler(door, handler.request_deserializer, handler.response_serializer)


def _code(context: Any) -> str:
    """The name of the status that was given to an aborted call."""
    held = context.code()
    if isinstance(held, grpc.StatusCode):
        return str(held.name)
    return next((code.name for code in grpc.StatusCode if code.value[0] == held), "UNKNOWN")
