"""What both clients do alike, on either way."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ascribe.client import calls
from ascribe.client.calls import Call, StreamAnswer
from ascribe.core.errors import InputError, NotFound
from ascribe.serve.faults import DeadlineError
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.messages import AttributionResponse, widest

__all__ = [
    "CHUNKS", "ENDED", "TIMEOUT_S", "TRIES", "AwaitedWay", "Chunk", "Way", "append", "check_time", "made", "only",
]  # fmt: skip

TIMEOUT_S, TRIES = 60.0, 4
ENDED = ("done", "failed", "cancelled")
CHUNKS = 8  # of a stream, under way at a time

T = TypeVar("T")
Chunk = tuple[int, Callable[[], Call[AttributionResponse]]]


class Way(Protocol):
    """Carries calls, and waits for their answers."""

    def ask(self, call: Call[T]) -> T: ...
    def stream(self, calls: Iterable[Chunk], most: int) -> Iterator[StreamAnswer]: ...
    def close(self) -> None: ...


class AwaitedWay(Protocol):
    """The same, awaited."""

    async def ask(self, call: Call[T]) -> T: ...
    def stream(self, calls: AsyncIterator[Chunk], most: int) -> AsyncIterator[StreamAnswer]: ...
    async def close(self) -> None: ...


def made(X: Any, wishes: Mapping[str, Any]) -> Callable[[], Call[AttributionResponse]]:
    """A chunk's call, made where its faults become the chunk's."""
    return lambda: calls.explain(X, **wishes)


def only(names: Sequence[str]) -> str:
    """The one model there is. Raises NotFound, InputError."""
    if not names:
        raise NotFound("this server serves no model")
    if len(names) > 1:
        raise InputError(f"which model? this server serves {', '.join(names)}")
    return names[0]


def check_time(card: JobCard, until: float | None) -> None:
    """Raises DeadlineError once a wait has been too long."""
    if until is not None and time.monotonic() >= until:
        raise DeadlineError(f"job {card.id} is {card.state}, {card.done} of {card.total} rows: wait again")


def append(found: AttributionResponse, more: AttributionResponse) -> None:
    """More rows of the same result."""
    found.attributions += more.attributions
    found.efficiency_gap = widest([found, more])
