"""Calls over HTTP, waiting and awaiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ascribe.client.calls import Call, StreamAnswer
from ascribe.client.options import Options
from ascribe.client.refusals import refusal, word_of_http
from ascribe.client.tries import Tries
from ascribe.client.ways import Chunk
from ascribe.core.errors import AscribeError, CapabilityError, MissingExtra, ServiceError
from ascribe.serve.faults import DeadlineError, UnavailableError
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.stream import answered

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncRest", "Rest"]

T = TypeVar("T")
AGAIN = (429, 503)
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # `bundle.unreadable`, which no client needs
SLACK_S = 0.05  # httpx, whose own limits say what they waited for, comes first


class Rest:
    """Waits for answers; connections are kept and shared by threads."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._http = _library().Client(**_settings(options))

    def ask(self, call: Call[T]) -> T:
        """Raises what the answer says, UnavailableError where nobody answers, DeadlineError."""
        tries = Tries(self._options.tries, call.timeout or self._options.timeout_s)
        while True:
            left = tries.left()
            try:
                said = self._said(call, left)
            except Exception as exc:
                pause = tries.pause(*_failed(exc, self._options))
            else:
                if (held := _refused(said)) is None:
                    answer: T = _read(call, said)
                    return answer
                pause = tries.pause(*held)
            time.sleep(pause)

    def stream(self, calls: Iterable[Chunk], most: int) -> Iterator[StreamAnswer]:
        """A call for each chunk, `most` at a time."""
        with ThreadPoolExecutor(most, "ascribe-client") as pool:
            doing: set[Future[StreamAnswer]] = set()
            for index, made in calls:
                doing.add(pool.submit(self._one, index, made))
                while len(doing) >= most:
                    done, doing = wait(doing, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while doing:
                done, doing = wait(doing, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)

    def close(self) -> None:
        self._http.close()

    def _said(self, call: Call[Any], left: float) -> httpx.Response:
        """The whole answer. Raises TimeoutError for one that comes by and by: httpx's limit is of each read."""
        until, parts = time.monotonic() + left, []
        with self._http.stream(call.method, call.path, timeout=left, **_sent(call)) as said:
            for part in said.iter_raw():
                parts.append(part)
                if time.monotonic() > until:
                    raise TimeoutError
        whole: httpx.Response = _library().Response(
            said.status_code, headers=said.headers, content=b"".join(parts), request=said.request
        )
        return whole

    def _one(self, index: int, made: Callable[[], Call[Any]]) -> StreamAnswer:
        try:
            return StreamAnswer(index, self.ask(made()))
        except AscribeError as exc:
            return StreamAnswer(index, None, exc)


class AsyncRest:
    """As `Rest`, awaited."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._http = _library().AsyncClient(**_settings(options))

    async def ask(self, call: Call[T]) -> T:
        tries = Tries(self._options.tries, call.timeout or self._options.timeout_s)
        while True:
            left = tries.left()
            try:
                async with asyncio.timeout(left + SLACK_S):
                    said = await self._http.request(call.method, call.path, timeout=left, **_sent(call))
            except Exception as exc:
                pause = tries.pause(*_failed(exc, self._options))
            else:
                if (held := _refused(said)) is None:
                    answer: T = _read(call, said)
                    return answer
                pause = tries.pause(*held)
            await asyncio.sleep(pause)

    def stream(self, calls: AsyncIterator[Chunk], most: int) -> AsyncIterator[StreamAnswer]:
        async def one(chunk: Chunk) -> StreamAnswer:
            try:
                answer = await self.ask(chunk[1]())
                return StreamAnswer(chunk[0], answer)
            except AscribeError as exc:
                return StreamAnswer(chunk[0], None, exc)

        return answered(calls, one, most)

    async def close(self) -> None:
        await self._http.aclose()


def _library() -> Any:
    try:
        import httpx
    except ImportError as exc:
        raise MissingExtra("pip install 'ascribe[client]' to ask by http(s), or use a grpc(s):// address") from exc
    return httpx


def _settings(options: Options) -> dict[str, Any]:
    verify = options.tls.context() if options.secure else True
    return {"base_url": options.url, "headers": dict(options.headers), "verify": verify, "timeout": options.timeout_s}


def _sent(call: Call[Any]) -> dict[str, Any]:
    sent: dict[str, Any] = {"params": dict(call.params)}
    if call.method == "POST":
        sent |= {"content": msgspec.json.encode(call.body), "headers": {"content-type": "application/json"}}
    return sent


def _failed(exc: Exception, options: Options) -> tuple[AscribeError]:
    """A failure after which the call may be tried again. Raises one after which it may have been done."""
    httpx = _library()
    if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
        return (UnavailableError(f"{options.url} cannot be reached ({exc}): is a server there?"),)
    if isinstance(exc, httpx.TimeoutException | TimeoutError):
        raise DeadlineError("not answered in time: ask for less, or allow a longer timeout") from exc
    if isinstance(exc, httpx.HTTPError):
        raise ServiceError(f"{options.url} broke off ({exc or type(exc).__name__}): ask again") from exc
    raise exc


def _refused(said: httpx.Response) -> tuple[AscribeError, float] | None:
    """A refusal that says when to come again; None for an answer. Raises any other refusal."""
    if said.status_code < 400:
        return None
    try:
        body = msgspec.json.decode(said.content, type=dict[str, Any])
    except UNREADABLE:
        body = {}
    word = str(body.get("code") or word_of_http(said.status_code))
    text = str(body.get("detail") or f"{said.request.url} answers {said.status_code}: is this address a server's?")
    header = said.headers.get("retry-after", "")
    retry_s = float(header) if header.replace(".", "", 1).isdigit() else None
    fault = refusal(word, text, retry_s)
    if said.status_code in AGAIN and retry_s is not None:
        return fault, retry_s
    raise fault


def _read(call: Call[T], said: httpx.Response) -> T:
    kind = JobCard if said.status_code == 202 and call.rpc == "GetAttributionJobResult" else call.kind
    try:
        answer: Any = msgspec.json.decode(said.content, type=kind)
    except UNREADABLE as exc:
        raise ServiceError(
            f"the answer of {said.request.url} cannot be read ({exc}): is it another version's?"
        ) from exc
    if isinstance(answer, JobCard) and kind is not call.kind:
        raise CapabilityError(f"job {answer.id} is {answer.state}, {answer.done} of {answer.total} rows: ask again")
    found: T = answer[call.pick] if call.pick else answer
    return found
