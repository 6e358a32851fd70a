"""A gRPC message that is no message is the caller's fault: INVALID_ARGUMENT, where the library would say UNKNOWN.

The other way round, an answer that a door has written as bytes goes out as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServicerContext as Context

from ascribe.core.errors import InputError
from ascribe.serve.faults import problem_of
from ascribe.serve.observe import Log
from ascribe.serve.rpc import status_of

__all__ = ["Readable"]


class _Broken:
    """Stands for a request that could not be read."""

    def __init__(self, why: str) -> None:
        self.why = why


class Readable(grpc.aio.ServerInterceptor):
    """Of calls with one request; how a stream ends on a broken message is the library's business."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, grpc.RpcMethodHandler] = {}  # methods that are served, so few

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        method = handler_call_details.method
        if method not in self._known:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._known[method] = self._reading(handler, method.rsplit("/", 1)[-1])
        return self._known[method]

    def _reading(self, handler: grpc.RpcMethodHandler, verb: str) -> grpc.RpcMethodHandler:
        if handler.unary_unary is None or handler.request_deserializer is None:
            return handler
        read, answer, write = handler.request_deserializer, handler.unary_unary, handler.response_serializer

        def reading(raw: bytes) -> Any:
            try:
                return read(raw)
            except DecodeError as exc:
                return _Broken(str(exc))

        def writing(found: Any) -> Any:
            return found if isinstance(found, bytes) or write is None else write(found)

        async def answered(request: Any, context: Context) -> Any:
            if not isinstance(request, _Broken):
                return await answer(request, context)
            with self._log.request("grpc", verb, uuid.uuid4().hex) as entry:
                exc = InputError(f"the message cannot be read ({request.why[:200]}): is it of this proto?")
                problem = problem_of(exc)
                entry.failed(problem, exc)
            return await context.abort_with_status(status_of(problem, entry))

        return grpc.unary_unary_rpc_method_handler(answered, reading, writing)
