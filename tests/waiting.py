"""What must come is waited for, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(
    look: Callable[[], Found], what: str = "it did not come about", seconds: float = 180.0, every: float = 0.02
) -> Found:
    """What `look()` finds, once that is anything; fails, saying `what`, if it never is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, what
        time.sleep(every)
    return found
