"""Lines of the log to standard output, those of a twentieth of a second in one write.

A write lets go of the interpreter's lock, and whoever answers requests then queues up behind the threads that compute
to have it back: one a request would cost more than the rest of the log.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import suppress

__all__ = ["Lines", "to_stdout"]

GATHER_S = 0.05


class Lines:
    """Made on the event loop, called from any thread. `close` at the end, or the last lines are lost."""

    def __init__(self) -> None:
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._lock = threading.Lock()
        self._held: list[bytes] = []

    def __call__(self, line: bytes) -> None:
        with self._lock:
            self._held.append(line)
            first = len(self._held) == 1
        if not first:
            return
        with suppress(RuntimeError):  # the loop has ended: `close` is next
            if threading.get_ident() == self._thread:
                self._later()
            else:
                self._loop.call_soon_threadsafe(self._later)

    def close(self) -> None:
        """Write what is there."""
        with self._lock:
            held, self._held = self._held, []
            if held:
                to_stdout(b"".join(held))

    def _later(self) -> None:
        self._loop.call_later(GATHER_S, self.close)


def to_stdout(line: bytes) -> None:
    """Whoever reads the log may go away; the answers go on."""
    with suppress(OSError, ValueError):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
