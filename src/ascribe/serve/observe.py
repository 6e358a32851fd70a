"""One JSON line for each request and each event; never a feature's value, a key or a token."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from ascribe.serve.faults import Problem

__all__ = ["Entry", "Log"]

SHORT = 64  # characters kept of what a caller wrote
FRAMES = 8


@dataclass
class Entry:
    """What is logged of one request. `code`: `ok` or a fault's word; `rows`: rows asked; `left_s`: seconds that
    the caller gave when it asked, None without a deadline; it is not logged.
    """

    transport: str
    verb: str
    request_id: str
    model: str = ""
    version: str = ""
    method: str = ""
    rows: int = 0
    code: str = "ok"
    cause: str = ""
    left_s: float | None = None

    def asked(self, rows: int, model: str | None, version: str | None, method: str | None = None) -> None:
        """What the caller wrote, cut short."""
        self.rows = rows
        self.model, self.version, self.method = ((text or "")[:SHORT] for text in (model, version, method))

    def failed(self, problem: Problem, exc: BaseException) -> None:
        """The fault's word; for our own faults also the kind of error and where (its text may quote values)."""
        self.code = problem.code
        if problem.code == "internal":
            frames = traceback.extract_tb(exc.__traceback__)[-FRAMES:]
            where = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames))
            self.cause = f"{type(exc).__name__} at {where}"


class Log:
    """JSON lines through `write`, which takes one line of bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def event(self, name: str, **words: object) -> None:
        """One line: time (ISO 8601 UTC), event, words."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(msgspec.json.encode({"ts": stamp, "event": name, **words}) + b"\n")

    @contextmanager
    def request(self, transport: str, verb: str, request_id: str) -> Iterator[Entry]:
        """An entry to fill in; written when the request ends, however it ends. `duration_ms` in milliseconds."""
        entry, start = Entry(transport, verb, request_id), time.perf_counter()
        try:
            yield entry
        except BaseException:
            entry.code = "cancelled" if entry.code == "ok" else entry.code
            raise
        finally:
            words = {name: word for name, word in vars(entry).items() if word != "" and name != "left_s"}
            self.event("request", **words, duration_ms=round((time.perf_counter() - start) * 1000, 3))
