"""What both clients do alike, on either way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ascribe.client import calls
from ascribe.client.calls import Call
from ascribe.client.options import Options
from ascribe.core.errors import InputError, NotFound
from ascribe.serve.faults import DeadlineError
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.messages import AttributionResponse, widest

__all__ = ["CHUNKS", "ENDED", "TIMEOUT_S", "TRIES", "append", "awaiting", "check_time", "made", "only", "waiting"]

TIMEOUT_S, TRIES = 60.0, 4
ENDED = ("done", "failed", "cancelled")
CHUNKS = 8  # of a stream, under way at a time


def waiting(options: Options) -> Any:
    """The way of a client that waits: REST or gRPC by the address. Raises MissingExtra, InputError."""
    if options.scheme.startswith("http"):
        from ascribe.client.rest import Rest

        return Rest(options)
    from ascribe.client.rpc import Rpc

    return Rpc(options)


def awaiting(options: Options) -> Any:
    """As `waiting`, of a client that is awaited."""
    if options.scheme.startswith("http"):
        from ascribe.client.rest import AsyncRest

        return AsyncRest(options)
    from ascribe.client.rpc import AsyncRpc

    return AsyncRpc(options)


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
