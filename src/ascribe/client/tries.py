"""When a call may be sent again: where it surely was not done, and where the server says when to come again."""

from __future__ import annotations

import random
import time

from ascribe.core.durations import doubled
from ascribe.serve.faults import DeadlineError

__all__ = ["Tries"]

FIRST_S, MOST_S = 0.05, 2.0


class Tries:
    """Of one call: at most `most`, all within `timeout_s`."""

    def __init__(self, most: int, timeout_s: float) -> None:
        self._most, self._timeout_s = most, timeout_s
        self._until = time.monotonic() + timeout_s
        self._made = 0

    def left(self) -> float:
        """Seconds for the try that begins now. Raises DeadlineError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise DeadlineError(f"not answered within {self._timeout_s:g} s: ask for less, or allow a longer timeout")
        self._made += 1
        return left

    def pause(self, fault: Exception, retry_s: float | None = None) -> float:
        """Seconds until the next try, a little more than the server asked for or doubling from one to the next. Raises
        `fault` where no try is left, or no time.
        """
        own = doubled(FIRST_S, self._made - 1, MOST_S) * random.uniform(0.5, 1.0)
        pause = own if retry_s is None else retry_s + random.uniform(0, 0.1) * max(retry_s, FIRST_S)
        if self._made >= self._most or time.monotonic() + pause >= self._until:
            raise fault
        return pause
