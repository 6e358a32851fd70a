"""The gRPC door of jobs, streams and attributions by id; it translates and decides nothing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing

from google.rpc import code_pb2
from grpc.aio import ServicerContext as Context

from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.aside import ROW_BYTES, aside
from ascribe.serve.faults import problem_of
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.observe.log import Entry
from ascribe.serve.rpc import messages as convert
from ascribe.serve.rpc.verbs import Verbs
from ascribe.serve.stream import answered as in_parallel
from ascribe.serve.wire import attribution_pb2 as pb

__all__ = ["LongVerbs"]

PAGE_ROWS = 256  # of one message of a job's result


class LongVerbs(Verbs):
    """The verbs that outlive a request."""

    async def GetAttributionById(self, request: pb.AttributionByIdRequest, context: Context) -> pb.LaterAttribution:  # noqa: N802
        async def call(entry: Entry, request: pb.AttributionByIdRequest) -> pb.LaterAttribution:
            held = await self._held().later.get(request.attribution_id, request.wait_s, current())
            response = convert.attributions(held.response) if held.response else None
            return pb.LaterAttribution(attribution_id=held.attribution_id, ready=held.ready, response=response)

        return await self._answered("attribution later", request, context, call)

    async def StartAttributionJob(self, request: pb.AttributionRequest, context: Context) -> pb.AttributionJob:  # noqa: N802
        async def call(entry: Entry, request: pb.AttributionRequest) -> pb.AttributionJob:
            size = len(request.feature_vector) * ROW_BYTES
            rows = await aside(size, lambda: convert.rows(request.feature_vector))
            asked = convert.asked(request, entry.request_id)
            return convert.job(await self._held().jobs.submit(asked, rows, current()))

        return await self._answered("job", request, context, call, self._settings.max_job_rows)

    async def GetAttributionJob(self, request: pb.AttributionJobRequest, context: Context) -> pb.AttributionJob:  # noqa: N802
        async def call(entry: Entry, request: pb.AttributionJobRequest) -> pb.AttributionJob:
            return convert.job(await self._held().jobs.card(request.id, current()))

        return await self._answered("job card", request, context, call)

    async def CancelAttributionJob(self, request: pb.AttributionJobRequest, context: Context) -> pb.AttributionJob:  # noqa: N802
        async def call(entry: Entry, request: pb.AttributionJobRequest) -> pb.AttributionJob:
            return convert.job(await self._held().jobs.cancel(request.id, current()))

        return await self._answered("job cancel", request, context, call)

    async def GetAttributionJobResult(  # noqa: N802
        self, request: pb.AttributionJobResultRequest, context: Context
    ) -> AsyncIterator[pb.AttributionResponse]:
        at, left = request.offset, request.limit

        async def call(entry: Entry, request: pb.AttributionJobResultRequest) -> tuple[pb.AttributionResponse, int]:
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
                request, request_id = chunk.request, codec.own_id(chunk.request.request_id, own)
                codec.check_rows_limit(len(request.feature_vector), self._settings.max_rows)
                size = len(request.feature_vector) * ROW_BYTES
                rows = await aside(size, lambda: convert.rows(request.feature_vector))
                found = await self._room.attribute(convert.asked(request, request_id), rows)
                told = await aside(size, lambda: convert.attributions(found))
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
    status = code_pb2.Code.Value(problem.fault.grpc)
    return pb.ChunkError(code=problem.code, message=problem.text, status=status, retry_s=problem.retry_s)
