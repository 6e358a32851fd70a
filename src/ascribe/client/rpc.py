"""Calls over gRPC, waiting and awaiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status

from ascribe.client.calls import Call, StreamAnswer
from ascribe.client.fields import filled, struct_of
from ascribe.client.options import Options
from ascribe.client.refusals import refusal, word_of_status
from ascribe.client.tries import Tries
from ascribe.client.ways import Chunk, append
from ascribe.core.errors import AscribeError, CapabilityError
from ascribe.serve.messages import AttributionResponse
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub

__all__ = ["AsyncRpc", "Rpc"]

T = TypeVar("T")
SIZES = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
REQUESTS = {
    "GetAttribution": pb.AttributionRequest,
    "GetPrediction": pb.PredictionRequest,
    "GetEnergy": pb.EnergyRequest,
    "GetForecast": pb.ForecastRequest,
    "GetAttributionById": pb.AttributionByIdRequest,
    "StartAttributionJob": pb.AttributionRequest,
    "GetAttributionJob": pb.AttributionJobRequest,
    "CancelAttributionJob": pb.AttributionJobRequest,
    "GetAttributionJobResult": pb.AttributionJobResultRequest,
}
MANY = frozenset({"GetAttributionJobResult"})  # verbs that answer in parts


class Rpc:
    """Waits for answers; one channel, shared by threads."""

    def __init__(self, options: Options) -> None:
        self._options = options
        if options.secure:
            self._channel = grpc.secure_channel(options.address, _credentials(options), SIZES)
        else:
            self._channel = grpc.insecure_channel(options.address, SIZES)
        self._stub = AttributionServiceStub(self._channel)

    def ask(self, call: Call[T]) -> T:
        """Raises what the answer says, UnavailableError where nobody answers, DeadlineError."""
        request, verb = _request(call), getattr(self._stub, call.rpc)
        tries = Tries(self._options.tries, call.timeout or self._options.timeout_s)
        while True:
            try:
                said = verb(request, timeout=tries.left(), metadata=self._options.headers)
                found: T = _joined(list(said)) if call.rpc in MANY else struct_of(said)
                return found
            except grpc.RpcError as exc:
                pause = tries.pause(*_refused(exc, call))
            time.sleep(pause)

    def stream(self, calls: Iterable[Chunk], most: int) -> Iterator[StreamAnswer]:
        """All chunks in one stream; a chunk that cannot even be written is answered beside it."""
        wrong: list[StreamAnswer] = []

        def sent() -> Iterator[pb.AttributionChunk]:
            for index, made in calls:
                if (chunk := _chunk(index, made, wrong)) is not None:
                    yield chunk

        said = self._stub.StreamAttributions(sent(), metadata=self._options.headers)
        try:
            for answer in said:
                yield from _taken(wrong)
                yield _answer(answer)
            yield from _taken(wrong)
        except grpc.RpcError as exc:
            raise _refused(exc, None)[0] from exc
        finally:
            said.cancel()

    def close(self) -> None:
        self._channel.close()


class AsyncRpc:
    """As `Rpc`, awaited."""

    def __init__(self, options: Options) -> None:
        self._options = options
        if options.secure:
            self._channel = grpc.aio.secure_channel(options.address, _credentials(options), SIZES)
        else:
            self._channel = grpc.aio.insecure_channel(options.address, SIZES)
        self._stub = AttributionServiceStub(self._channel)

    async def ask(self, call: Call[T]) -> T:
        request, verb = _request(call), getattr(self._stub, call.rpc)
        tries = Tries(self._options.tries, call.timeout or self._options.timeout_s)
        while True:
            try:
                said = verb(request, timeout=tries.left(), metadata=self._options.headers)
                found: T = _joined([part async for part in said]) if call.rpc in MANY else struct_of(await said)
                return found
            except grpc.RpcError as exc:
                pause = tries.pause(*_refused(exc, call))
            await asyncio.sleep(pause)

    async def stream(self, calls: AsyncIterator[Chunk], most: int) -> AsyncIterator[StreamAnswer]:
        wrong: list[StreamAnswer] = []

        async def sent() -> AsyncIterator[pb.AttributionChunk]:
            async for index, made in calls:
                if (chunk := _chunk(index, made, wrong)) is not None:
                    yield chunk

        said = self._stub.StreamAttributions(sent(), metadata=self._options.headers)
        try:
            async for answer in said:
                for one in _taken(wrong):
                    yield one
                yield _answer(answer)
            for one in _taken(wrong):
                yield one
        except grpc.RpcError as exc:
            raise _refused(exc, None)[0] from exc
        finally:
            said.cancel()

    async def close(self) -> None:
        await self._channel.close()


def _credentials(options: Options) -> Any:
    return grpc.ssl_channel_credentials(*options.tls.read())


def _request(call: Call[Any]) -> Any:
    if not call.rpc:
        raise CapabilityError(f"{call.method} {call.path} has no gRPC verb: ask by an http(s):// address")
    return filled(REQUESTS[call.rpc], call.body or {})


def _joined(parts: list[Any]) -> Any:
    """A result that came in parts, as one answer."""
    first: AttributionResponse = struct_of(parts[0])
    for part in parts[1:]:
        append(first, struct_of(part))
    return first


def _chunk(index: int, made: Callable[[], Call[Any]], wrong: list[StreamAnswer]) -> pb.AttributionChunk | None:
    try:
        return pb.AttributionChunk(index=index, request=_request(made()))
    except AscribeError as exc:
        wrong.append(StreamAnswer(index, None, exc))
        return None


def _taken(wrong: list[StreamAnswer]) -> list[StreamAnswer]:
    taken, wrong[:] = wrong[:], []
    return taken


def _answer(said: pb.AttributionChunkAnswer) -> StreamAnswer:
    if said.HasField("response"):
        return StreamAnswer(said.index, struct_of(said.response))
    error = said.error
    retry_s = error.retry_s if error.HasField("retry_s") else None
    return StreamAnswer(said.index, None, refusal(error.code, error.message, retry_s))


def _refused(exc: Any, call: Call[Any] | None) -> tuple[AscribeError, float | None]:
    """A refusal after which the call may be sent again. Raises one after which it may not, or would not help."""
    name = exc.code().name
    word, retry_s = word_of_status(name), None
    status = rpc_status.from_call(exc)
    for box in status.details if status is not None else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if box.Unpack(info):
            word = info.reason.lower()
        if box.Unpack(retry):
            retry_s = retry.retry_delay.ToNanoseconds() / 1e9
    if name == code_pb2.Code.Name(code_pb2.RESOURCE_EXHAUSTED) and retry_s is None:
        word = "too_large"  # the library's own limit: sending it again would not help
    text = exc.details() or name
    if name == "UNAVAILABLE" and status is None:  # nobody's answer: the library's own word
        text = f"the server cannot be reached ({text}): is one there?"
    fault = refusal(word, text, retry_s)
    # Without word of its own, UNAVAILABLE may mean that the connection broke after the call had been read.
    lost = name == "UNAVAILABLE" and retry_s is None and call is not None and call.again
    if call is not None and (retry_s is not None or lost):
        return fault, retry_s
    raise fault from exc
