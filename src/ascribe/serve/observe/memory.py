"""Memory that a closed model leaves behind: glibc keeps what was freed until it is told to give it back. And what a
server holds for good, which the collector need not look at again.
"""

from __future__ import annotations

import ctypes
import gc
from functools import lru_cache
from typing import Any

__all__ = ["set_apart", "settle", "trim"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGE_BYTES = 4 << 20  # weights and archives are; what a request computes with is seldom
SPARE_BYTES = 64 << 20  # freed memory that is kept for the next request


def settle() -> bool:
    """Memory of `LARGE_BYTES` or more goes back when it is freed; whether there was a way to say so. For a process of
    its own, before it loads anything: left to itself, glibc raises that limit with the first large thing that is freed,
    and large things then leave gaps that nothing fills.
    """
    library = _glibc()
    if library is None:
        return False
    limits = ((M_MMAP_THRESHOLD, LARGE_BYTES), (M_TRIM_THRESHOLD, SPARE_BYTES))
    return all(library.mallopt(what, limit) == 1 for what, limit in limits)


def trim() -> bool:
    """Give freed memory back to the system; whether there was a way to. Some milliseconds, any thread."""
    library = _glibc()
    if library is None:
        return False
    library.malloc_trim(0)
    return True


def set_apart() -> None:
    """What lives now is taken to live on: imported modules, for the most part, half a million objects. The collector
    would go through all of them every few thousand requests, and hold everybody up for 50 to 100 ms each time. A model
    that is closed later is freed all the same, since nothing of it is in a cycle.
    """
    gc.collect()
    gc.freeze()


@lru_cache(maxsize=1)
def _glibc() -> Any | None:
    """The C library, where it is glibc: others have no `malloc_trim`."""
    try:
        library = ctypes.CDLL(None)
        library.malloc_trim.argtypes, library.malloc_trim.restype = [ctypes.c_size_t], ctypes.c_int
        library.mallopt.argtypes, library.mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    except (OSError, AttributeError, TypeError):
        return None
    return library
