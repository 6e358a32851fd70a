"""The desk of the HTTP door: a request comes in, its answer or its problem+json goes out, with its line in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.access.limits import check_depth, read_body
from ascribe.serve.aside import ROW_BYTES, aside
from ascribe.serve.faults import AbandonedError, UnsupportedError, problem_of
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.rest.refused import problem_answer, request_id_of
from ascribe.serve.settings import Settings

__all__ = ["JSON", "Desk", "media_of"]

JSON = "application/json"
LOOKED_BYTES = 1 << 18  # bodies above are looked through on a thread
TENSORS = "inference-header-content-length"  # JSON with bytes behind it

T = TypeVar("T")
Told = Callable[[Any], tuple[int, dict[str, str]]]  # status and headers of an answer


def _plain(answer: Any) -> tuple[int, dict[str, str]]:
    return 200, {}


class Desk:
    """All routes hand their requests in here. A Response is sent as it is, anything else as JSON."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings, self._log = settings, log

    async def answered(
        self, request: Request, verb: str, ask: Callable[[Entry], Awaitable[Any]], told: Told = _plain
    ) -> Response:
        """One request with its log line. `told`: what an answer's status and further headers are."""
        with self._log.request("http", verb, request_id_of(request)) as entry:
            try:
                answer = await ask(entry)
                if isinstance(answer, Response):
                    answer.headers["X-Request-Id"] = entry.request_id
                    return answer
                raw = await aside(entry.rows * ROW_BYTES, lambda: codec.encode(answer))
                status, more = told(answer)
                return Response(raw, status, {"X-Request-Id": entry.request_id, **more}, JSON)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                return problem_answer(problem, entry.request_id, request.url.path)

    async def posted(
        self, request: Request, verb: str, call: Callable[[Entry, bytes], Awaitable[Any]],
        media: Sequence[str] = (JSON,), told: Told = _plain,
    ) -> Response:  # fmt: skip
        """One POST from bytes of a media type; what it asks for is given up once the caller hangs up."""

        async def ask(entry: Entry) -> Any:
            body = await _body(request, self._settings, media)
            return await _unless_gone(request, call(entry, body))

        return await self.answered(request, verb, ask, told)

    def got(self, request: Request, ask: Callable[[], Any]) -> Response:
        """A GET that answers at once; nothing is logged."""
        try:
            return Response(codec.encode(ask()), media_type=JSON)
        except Exception as exc:
            return problem_answer(problem_of(exc), request_id_of(request), request.url.path)


def media_of(request: Request, usual: str = "") -> str:
    """The media type of a body, without its parameters."""
    return request.headers.get("content-type", usual).partition(";")[0].strip().lower()


async def _body(request: Request, settings: Settings, readable: Sequence[str]) -> bytes:
    """The body, counted before anybody parses it. Raises as `limits.read_body` and `limits.check_depth`;
    AbandonedError where the caller hangs up meanwhile.
    """
    media = media_of(request, JSON)
    if media not in readable:
        reads = " or ".join(readable)
        raise UnsupportedError(f"this server reads {reads}, not {quoted(media)}: send the header Content-Type: {reads}")
    encoding = request.headers.get("content-encoding", "")
    try:
        raw = await read_body(request.stream(), encoding, settings.max_body_bytes, settings.body_s)
    except ClientDisconnect as exc:
        raise AbandonedError("the caller hung up before its body was there") from exc
    if media == JSON and TENSORS not in request.headers:
        if len(raw) > LOOKED_BYTES:
            await asyncio.to_thread(check_depth, raw, settings.max_depth)
        else:
            check_depth(raw, settings.max_depth)
    return raw


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The answer, unless the caller hangs up first: then the work is cancelled. Raises AbandonedError."""

    async def hung_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(hung_up())
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise AbandonedError("the caller hung up")
        return answer.result()
    finally:
        gone.cancel()
        answer.cancel()
