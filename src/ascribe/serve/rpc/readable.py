"""A gRPC message that is no message is the caller's fault: INVALID_ARGUMENT, where the library would say UNKNOWN.

The other way round, an answer that a door has written as bytes goes out as it is.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServicerContext as Context

from ascribe.core.errors import InputError
from ascribe.serve.faults import problem_of
from ascribe.serve.observe.log import Log
from ascribe.serve.rpc.refused import refuse

__all__ = ["Readable", "each"]


class _Broken:
    """Stands for a request that could not be read."""

    def __init__(self, why: str) -> None:
        self.why = why


class Readable(grpc.aio.ServerInterceptor):
    """A stream ends at its first broken message, once everything before it is answered."""

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
        read = handler.request_deserializer
        if read is None or handler.stream_unary is not None:
            return handler
        write = handler.response_serializer

        def reading(raw: bytes) -> Any:
            try:
                return read(raw)
            except DecodeError as exc:
                return _Broken(str(exc))

        def writing(found: Any) -> Any:
            return found if isinstance(found, bytes) or write is None else write(found)

        async def answered(request: Any, context: Context) -> Any:
            if isinstance(request, _Broken):
                await self._refuse(request, verb, context)
            return await handler.unary_unary(request, context)

        async def told(request: Any, context: Context) -> AsyncIterator[Any]:
            if isinstance(request, _Broken):
                await self._refuse(request, verb, context)
            async for answer in each(handler.unary_stream(request, context)):
                yield answer

        async def exchanged(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            broken: list[_Broken] = []

            async def whole() -> AsyncIterator[Any]:
                async for request in requests:
                    if isinstance(request, _Broken):
                        broken.append(request)
                        return
                    yield request

            async for answer in each(handler.stream_stream(whole(), context)):
                yield answer
            if broken:
                await self._refuse(broken[0], verb, context)

        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(answered, reading, writing)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(told, reading, writing)
        return grpc.stream_stream_rpc_method_handler(exchanged, reading, writing)

    async def _refuse(self, request: _Broken, verb: str, context: Context) -> None:
        """Raises what ends the call."""
        with self._log.request("grpc", verb, uuid.uuid4().hex) as entry:
            exc = InputError(f"the message cannot be read ({request.why[:200]}): is it of this proto?")
            problem = problem_of(exc)
            entry.failed(problem, exc)
        await refuse(problem, entry, context)


async def each(answers: Any) -> AsyncIterator[Any]:
    """What a handler yields; one that writes through its context yields nothing."""
    if inspect.isawaitable(answers):
        await answers
        return
    async for answer in answers:
        yield answer
