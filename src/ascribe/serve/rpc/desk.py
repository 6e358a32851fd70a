"""The desk of the gRPC doors: a call comes in, its answer or a rich status goes out, with its line in the log."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

from grpc.aio import ServicerContext as Context

from ascribe.serve import codec
from ascribe.serve.faults import DeadlineError, problem_of
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.rpc.refused import refuse

__all__ = ["Desk"]

R = TypeVar("R")


class Desk:
    """All verbs hand their calls in here."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def answered(
        self, verb: str, context: Context, call: Callable[[Entry], Awaitable[R]], given: str = ""
    ) -> R:  # fmt: skip
        """One call; cancellation and the deadline stop its work. `given`: the caller's own id, if it may be echoed."""
        with self._log.request("grpc", verb, given if codec.usable_id(given) else uuid.uuid4().hex) as entry:
            try:
                entry.left_s = left = context.time_remaining()
                if left is not None and left <= 0:
                    raise DeadlineError("the deadline had passed before any work was done")
                return await call(entry)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
        return await refuse(problem, entry, context)
