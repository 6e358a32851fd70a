"""Memory that a closed model leaves behind: glibc keeps what was freed until it is told to give it back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

__all__ = ["trim"]


def trim() -> bool:
    """Give freed memory back to the system; whether there was a way to. Some milliseconds, any thread."""
    call = _malloc_trim()
    if call is None:
        return False
    call(0)
    return True


@lru_cache(maxsize=1)
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`, which other C libraries lack."""
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    found.argtypes, found.restype = [ctypes.c_size_t], ctypes.c_int
    return found
