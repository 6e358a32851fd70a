"""One JSON line for each request and each event; never a feature's value, a key or a token. And the one hook for
whoever counts: a request's beginning, parts, answers and end, and every event.
"""

from __future__ import annotations

import functools
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ParamSpec, Protocol, TypeVar

import msgspec

from ascribe.core.errors import RegistryError
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.faults import Problem, ShedError
from ascribe.serve.observe import tracing
from ascribe.serve.overdue import ran_out

__all__ = ["Entry", "Log", "Watch", "current", "noted", "reached", "stage", "staged"]

SHORT = 64  # characters kept of what a caller wrote
FRAMES = 8
UNSAID = ("left_s", "stage")

P = ParamSpec("P")
T = TypeVar("T")
Call = TypeVar("Call", bound=Callable[..., Awaitable[Any]])


@dataclass
class Entry:
    """What is logged of one request. `code`: `ok` or a fault's word; `rows`: rows asked; `caller`: a name, where there
    are names; `tier`: asked for, then the one that answered; `left_s`: seconds that the caller gave when it asked, None
    without a deadline; `stage`: how far it came, `door`, `queue` or `run`, or what refused it, `queue` or `rate`. The
    last two are not logged.
    """

    transport: str
    verb: str
    request_id: str
    model: str = ""
    version: str = ""
    method: str = ""
    tier: str = ""
    caller: str = ""
    trace_id: str = ""
    span_id: str = ""
    rows: int = 0
    code: str = "ok"
    cause: str = ""
    left_s: float | None = None
    stage: str = "door"

    def asked(self, rows: int, model: str | None, version: str | None, method: str | None = None) -> None:
        """What the caller wrote, cut short."""
        self.rows = rows
        self.model, self.version, self.method = ((text or "")[:SHORT] for text in (model, version, method))

    def failed(self, problem: Problem, exc: BaseException) -> None:
        """The fault's word; for our own faults also the kind of error and where (its text may quote values); for a
        store's what it said, which the caller does not hear.
        """
        self.code = problem.code
        if isinstance(exc, ShedError):
            self.stage = exc.reason
        if problem.code == "unavailable" and isinstance(exc, RegistryError):
            self.cause = str(exc)
        if problem.code == "internal":
            frames = traceback.extract_tb(exc.__traceback__)[-FRAMES:]
            where = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames))
            self.cause = f"{type(exc).__name__} at {where}"


class Watch(Protocol):
    """Told of requests and events as they happen; times in seconds. It must return at once and raise nothing."""

    def began(self, entry: Entry) -> None: ...

    def staged(self, stage: str, seconds: float) -> None: ...

    def answered(self, entry: Entry, answer: Any) -> None: ...

    def ended(self, entry: Entry, seconds: float) -> None: ...

    def told(self, event: str, words: Mapping[str, Any]) -> None: ...


_CURRENT: ContextVar[tuple[Entry, Watch | None] | None] = ContextVar("ascribe_request", default=None)


def current() -> Entry | None:
    """The entry of the request at hand, wherever its context went: tasks, and threads of `asyncio.to_thread`."""
    held = _CURRENT.get()
    return held[0] if held else None


def reached(stage: str) -> None:
    """The request at hand waits in the `queue`, or is worked on (`run`)."""
    if (entry := current()) is not None:
        entry.stage = stage


class Log:
    """JSON lines through `write`, which takes one line of bytes. `share` of the requests that went well are written,
    and all that did not; `watch` is told of each.
    """

    def __init__(self, write: Callable[[bytes], object], watch: Watch | None = None, share: float = 1.0) -> None:
        self._write, self._watch, self._share = write, watch, share

    def event(self, name: str, **words: object) -> None:
        """One line: time (ISO 8601 UTC), event, words."""
        if self._watch and name != "request":
            self._watch.told(name, words)
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(msgspec.json.encode({"ts": stamp, "event": name, **words}) + b"\n")

    @contextmanager
    def request(self, transport: str, verb: str, request_id: str) -> Iterator[Entry]:
        """An entry to fill in; written when the request ends, however it ends. `duration_ms` in milliseconds."""
        entry, start = Entry(transport, verb, request_id), time.perf_counter()
        entry.trace_id, entry.span_id = tracing.ids()
        before = _CURRENT.get()
        _CURRENT.set((entry, self._watch))
        if self._watch:
            self._watch.began(entry)
        try:
            yield entry
        except BaseException:
            if entry.code == "ok":
                entry.code = "deadline" if ran_out(entry.left_s, time.perf_counter() - start) else "cancelled"
            raise
        finally:
            _CURRENT.set(before)
            took_s = time.perf_counter() - start
            if self._watch:
                self._watch.ended(entry, took_s)
            tracing.tell(entry.request_id, entry.model, entry.version, entry.tier, entry.code, entry.rows)
            if entry.code != "ok" or self._share >= 1 or random.random() < self._share:
                words = {name: word for name, word in vars(entry).items() if word != "" and name not in UNSAID}
                self.event("request", **words, duration_ms=round(took_s * 1000, 3))


def stage(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """For a function that is a part of requests: its time and its span go to the request at hand."""

    def around(call: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(call)
        def timed(*args: P.args, **named: P.kwargs) -> T:
            held, start = _CURRENT.get(), time.perf_counter()
            try:
                if tracing.here() is None:
                    return call(*args, **named)
                with tracing.span(name):
                    return call(*args, **named)
            finally:
                if held and held[1]:
                    held[1].staged(name, time.perf_counter() - start)

        return timed

    return around


def staged(name: str, seconds: float) -> None:
    """A part of the request at hand that was measured elsewhere, such as the wait for another server."""
    held = _CURRENT.get()
    if held and held[1]:
        held[1].staged(name, seconds)


def noted(call: Call) -> Call:
    """For the service's verbs `(self, asked, rows, [caller])`: what was asked and answered goes into the entry of the
    request at hand, and on to whoever watches; the answer's timings become spans.
    """

    @functools.wraps(call)
    async def told(self: Any, asked: Any, rows: Any, *more: Any, **named: Any) -> Any:
        held = _CURRENT.get()
        if held is None:
            return await call(self, asked, rows, *more, **named)
        entry, watch = held
        entry.tier = (getattr(asked, "tier", None) or "")[:SHORT]
        for given in (*more, *named.values()):
            if isinstance(given, Caller) and given is not ANYBODY:
                entry.caller = given.name[:SHORT]
        answer = await call(self, asked, rows, *more, **named)
        entry.asked(len(rows), answer.model, answer.version, getattr(answer, "method", "") or entry.method)
        entry.tier = getattr(answer, "tier", "")
        tracing.parts(answer.timings_ms)
        if watch:
            watch.answered(entry, answer)
        return answer

    return told  # type: ignore[return-value]
