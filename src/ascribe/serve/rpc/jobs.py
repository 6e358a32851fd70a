"""The gRPC door of jobs, streams and attributions by id; it translates and decides nothing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from google.rpc import code_pb2
from grpc.aio import ServicerContext as Context

from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.faults import problem_of
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.rpc import messages as convert
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings
from ascribe.serve.stream import answered as in_parallel
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire import attribution_pb2_grpc

__all__ = ["LongVerbs"]

ROW_BYTES = 500  # about, of one row's answer
PAGE_ROWS = 256  # of one message of a job's result


class LongVerbs(attribution_pb2_grpc.AttributionServiceServicer):
    """The verbs of the service that outlive a request; a door has the others and `_answered`."""

    _service: Service
    _settings: Settings
    _log: Log
    _longer: Longer | None
    _answered: Callable[..., Awaitable[Any]]

    async def GetAttributionById(self, request: pb.AttributionByIdRequest, context: Context) -> pb.LaterAttribution:  # noqa: N802
        async def call(entry: Entry, request: Any) -> pb.LaterAttribution:
            held = await self._held().later.get(request.attribution_id, request.wait_s, current())
            response = convert.attributions(held.response) if held.response else None
            return pb.LaterAttribution(attribution_id=held.attribution_id, ready=held.ready, response=response)

        return await self._answered("attribution later", request, context, call)

    async def StartAttributionJob(self, request: pb.AttributionRequest, context: Context) -> pb.AttributionJob:  # noqa: N802
        async def call(entry: Entry, request: Any) -> pb.AttributionJob:
            size = len(request.feature_vector) * ROW_BYTES
            rows = await self._service.aside(size, lambda: convert.rows(request.feature_vector))
            asked = convert.asked(request, entry.request_id)
            return convert.job(await self._held().jobs.submit(asked, rows, current()))

        return await self._answered("job", request, context, call, self._settings.max_job_rows)

    async def GetAttributionJob(self, request: pb.AttributionJobRequest, context: Context) -> pb.AttributionJob:  # noqa: N802
        async def call(entry: Entry, request: Any) -> pb.AttributionJob:
            return convert.job(await self._held().jobs.card(request.id, current()))

        return await self._answered("job card", request, context, call)

    async def CancelAttributionJob(self, request: pb.AttributionJobRequest, context: Context) -> pb.AttributionJob:  # noqa: N802
        async def call(entry: Entry, request: Any) -> pb.AttributionJob:
            return convert.job(await self._held().jobs.cancel(request.id, current()))

        return await self._answered("job cancel", request, context, call)

    async def GetAttributionJobResult(  # noqa: N802
        self, request: pb.AttributionJobResultRequest, context: Context
    ) -> AsyncIterator[pb.AttributionResponse]:
        at, left = request.offset, request.limit

        async def call(entry: Entry, request: Any) -> tuple[pb.AttributionResponse, int]:
            held = self._held().jobs
            card = await held.card(request.id, current())
            page = min(left, PAGE_ROWS) if request.limit else PAGE_ROWS
            if request.limit < 0:
                raise InputError("limit is the number of rows wanted, or 0 for all")
            answer = await held.result(request.id, at, page, current())
            if isinstance(answer, JobCard):
                raise CapabilityError(f"job {card.id} is {card.state}, {card.done} of {card.total} rows: ask again")
            return convert.attributions(answer), card.total

        while True:
            answer, total = await self._answered("job result", request, context, call)
            yield answer
            at += len(answer.attributions)
            left -= len(answer.attributions)
            if at >= total or (request.limit and left <= 0):
                return

    async def StreamAttributions(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.AttributionChunk], context: Context
    ) -> AsyncIterator[pb.AttributionChunkAnswer]:
        own = uuid.uuid4().hex

        async def answer(chunk: pb.AttributionChunk) -> pb.AttributionChunkAnswer:
            try:
                request = chunk.request
                if request.request_id and not codec.usable_id(request.request_id):
                    raise InputError("request_id: use letters, digits, '.', '_', ':' and '-', at most 128")
                codec.check_rows_limit(len(request.feature_vector), self._settings.max_rows)
                size = len(request.feature_vector) * ROW_BYTES
                rows = await self._service.aside(size, lambda: convert.rows(request.feature_vector))
                found = await self._service.attribute(convert.asked(request, request.request_id or own), rows)
                told = await self._service.aside(size, lambda: convert.attributions(found))
                return pb.AttributionChunkAnswer(index=chunk.index, response=told)
            except Exception as exc:
                return pb.AttributionChunkAnswer(index=chunk.index, error=_error(exc))

        with self._log.request("grpc", "attribution stream", own) as entry:
            chunks = request_iterator.__aiter__()
            async with aclosing(in_parallel(chunks, answer, self._settings.stream_chunks)) as answers:
                async for held in answers:
                    if held.HasField("response"):
                        entry.asked(entry.rows + len(held.response.attributions), held.response.model, None)
                    yield held

    def _held(self) -> Longer:
        if self._longer is None:
            raise NotFound("this server takes no jobs and keeps no attributions: ask another one")
        return self._longer


def _error(exc: Exception) -> pb.ChunkError:
    problem = problem_of(exc)
    retry_s = getattr(exc, "retry_s", problem.fault.retry_s)
    status = code_pb2.Code.Value(problem.fault.grpc)
    return pb.ChunkError(code=problem.code, message=problem.text, status=status, retry_s=retry_s)
