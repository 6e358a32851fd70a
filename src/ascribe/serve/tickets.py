"""What waits in the queue: a request's rows as a ticket, and the pieces of it that batches take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ascribe.serve.observe import tracing

__all__ = ["Answered", "Kind", "Piece", "Step", "Ticket"]

Step = Callable[[], None]


@dataclass(frozen=True)
class Kind:
    """What rows must have in common to be answered by one call. `key`: equal for such rows, and only for them; `run`:
    a call of the engine for rows X (b, n), `step` raises once nobody waits any more; `cut`, `join`: rows out of an
    answer, pieces in order into one. `most`: rows of a call; 0: a request is never cut or joined with others. `row_s`:
    seconds that a row takes, about; `of`: the model, for who counts.
    """

    key: Hashable
    run: Callable[[np.ndarray, Step], Any]
    cut: Callable[[Any, int, int], Any]
    join: Callable[[Sequence[Any]], Any]
    most: int
    row_s: float = 0.0
    of: object = None


@dataclass(frozen=True, eq=False)
class Answered:
    """An answer, how long its first row waited, and how long its rows were computed, in seconds."""

    value: Any
    waited_s: float
    ran_s: float


@dataclass(eq=False)
class Ticket:
    """One request. `taken`: rows handed to a batch; `parts`: answers by first row; `left`: rows not answered yet."""

    kind: Kind
    X: np.ndarray
    caller: str
    deadline: float | None
    done: asyncio.Future[Any]
    came: float
    taken: int = 0
    left: int = 0
    waited_s: float = 0.0
    ran_s: float = 0.0
    parts: dict[int, Any] = field(default_factory=dict)
    here: Any = field(default_factory=tracing.here)

    @property
    def waiting(self) -> int:
        return len(self.X) - self.taken

    @property
    def answered(self) -> bool:
        return self.done.done() and not self.done.cancelled() and self.done.exception() is None


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows first ... end - 1 of a ticket, at `at` in its batch."""

    ticket: Ticket
    first: int
    end: int
    at: int
