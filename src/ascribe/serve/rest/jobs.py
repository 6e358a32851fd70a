"""The HTTP door of jobs, streams and attributions by id; it translates and decides nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ascribe.core.errors import InputError
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.aside import aside
from ascribe.serve.faults import TooLargeError, UnsupportedError, problem_of
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.jobs.messages import ChunkAnswer, ChunkError, JobCard, LaterAttribution
from ascribe.serve.now.when import whole
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.rest.desk import Desk, media_of
from ascribe.serve.rest.refused import request_id_of
from ascribe.serve.room import Room
from ascribe.serve.settings import Settings
from ascribe.serve.stream import answered as in_parallel

__all__ = ["job_routes"]

LINES = "application/x-ndjson"
ACCEPTED = 202


def job_routes(app: FastAPI, desk: Desk, room: Room, longer: Longer, settings: Settings, log: Log) -> None:
    """Jobs, attributions that come later, and the stream."""

    @app.post("/v1/jobs")
    async def submit(request: Request) -> Response:
        async def call(entry: Entry, body: bytes) -> JobCard:
            most = settings.max_job_rows
            asked, rows = await aside(len(body), lambda: codec.decode_attribution(body, most))
            asked.request_id = entry.request_id = codec.own_id(asked.request_id, entry.request_id)
            entry.asked(len(rows), asked.model, asked.version, asked.method)
            return await longer.jobs.submit(codec.without_rows(asked), rows, current())

        return await desk.posted(
            request, "job", call, told=lambda card: (ACCEPTED, {"Location": f"/v1/jobs/{card.id}"})
        )

    @app.get("/v1/jobs/{job}")
    async def card(request: Request, job: str) -> Response:
        return await desk.answered(request, "job card", lambda _: longer.jobs.card(job, current()))

    @app.get("/v1/jobs/{job}/result")
    async def result(request: Request, job: str) -> Response:
        async def ask(entry: Entry) -> Any:
            offset, limit = (whole(name, request.query_params.get(name), 0) for name in ("offset", "limit"))
            return await longer.jobs.result(job, offset, limit, current())

        return await desk.answered(
            request, "job result", ask, lambda held: (ACCEPTED if isinstance(held, JobCard) else 200, {})
        )

    @app.delete("/v1/jobs/{job}")
    async def cancel(request: Request, job: str) -> Response:
        return await desk.answered(request, "job cancel", lambda _: longer.jobs.cancel(job, current()))

    @app.get("/v1/attributions/{name}")
    async def later(request: Request, name: str) -> Response:
        async def ask(entry: Entry) -> LaterAttribution:
            return await longer.later.get(name, _seconds(request), current())

        return await desk.answered(request, "attribution later", ask, lambda a: (200 if a.ready else ACCEPTED, {}))

    @app.post("/v1/attributions:stream")
    async def stream(request: Request) -> Response:
        request_id = request_id_of(request)
        if media_of(request) != LINES or request.headers.get("content-encoding", "identity").lower() != "identity":
            words = f"this call reads lines as they are: send the header Content-Type: {LINES} and no Content-Encoding"

            async def refused(entry: Entry) -> Any:
                raise UnsupportedError(words)

            return await desk.answered(request, "attribution stream", refused)

        async def answer(chunk: tuple[int, bytes]) -> ChunkAnswer:
            return await _answer(room, settings, *chunk, request_id)

        async def lines() -> AsyncGenerator[bytes, None]:
            with log.request("http", "attribution stream", request_id) as entry:
                chunks = _lines(request, settings.max_body_bytes)
                async with aclosing(in_parallel(chunks, answer, settings.stream_chunks)) as answers:
                    async for held in answers:
                        if held.response:
                            entry.asked(entry.rows + len(held.response.attributions), held.response.model, None)
                        yield codec.encode(held) + b"\n"

        return _Lines(lines(), {"X-Request-Id": request_id})


class _Lines(Response):
    """Lines as they are made. Starlette's own streaming response would swallow parts of the body that is still read."""

    def __init__(self, lines: AsyncGenerator[bytes, None], headers: dict[str, str]) -> None:
        super().__init__(headers=headers, media_type=LINES)
        self._lines = lines
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with suppress(ClientDisconnect):
            async with aclosing(self._lines) as lines:
                async for line in lines:
                    await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer(room: Room, settings: Settings, number: int, line: bytes, request_id: str) -> ChunkAnswer:
    """One line's answer, or why there is none."""
    index = number
    try:
        if len(line) > settings.max_body_bytes:
            raise TooLargeError(f"the line has more than {settings.max_body_bytes} bytes: send its rows in parts")
        asked, rows = await aside(len(line), lambda: codec.decode_chunk(line, settings.max_rows))
        index = number if asked.index is None else asked.index
        asked.request_id = codec.own_id(asked.request_id, request_id)
        return ChunkAnswer(index, await room.attribute(asked, rows))
    except Exception as exc:
        problem = problem_of(exc)
        return ChunkAnswer(index, None, ChunkError(problem.code, problem.text, problem.fault.http, problem.retry_s))


async def _lines(request: Request, limit: int) -> AsyncIterator[tuple[int, bytes]]:
    """Number and bytes of each line that is not empty; of one over the limit, only so much that it is seen to be."""
    number, held = 0, bytearray()
    async for part in request.stream():
        *whole, rest = part.split(b"\n")
        for end in whole:
            held += end
            if line := bytes(held[: limit + 1]).strip():
                yield number, line
                number += 1
            held.clear()
        held += rest[: max(limit + 1 - len(held), 0)]
    if line := bytes(held).strip():
        yield number, line


def _seconds(request: Request) -> float:
    """`wait_s`, 0 where it is not given. Raises InputError."""
    text = request.query_params.get("wait_s", "0")
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = -1.0
    if not wait_s >= 0:
        raise InputError(f"wait_s is {quoted(text, 40)}: use seconds, 0 or more")
    return wait_s
