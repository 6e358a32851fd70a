"""Reading and writing of messages: at once when small, on a thread when large, so that the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["ROW_BYTES", "aside"]

ROW_BYTES = 500  # about, of one row's answer
LARGE_BYTES = 1 << 16  # above, a thread costs less than the wait

T = TypeVar("T")


async def aside(size: int, call: Callable[[], T]) -> T:
    """What `call` gives, for a message of about `size` bytes."""
    return call() if size < LARGE_BYTES else await asyncio.to_thread(call)
