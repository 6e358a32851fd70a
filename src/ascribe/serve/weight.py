"""How much the rows of pictures and sentences that are under way weigh: a server holds so many bytes and no more.

A queue counts rows, and a row of a table is small; one of a picture is half a megabyte, and again in its answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ascribe.core.layout import Layout
from ascribe.serve.faults import ShedError

__all__ = ["Weight", "weight"]

COPIES = 4  # of a row's numbers while it is answered, about: checked, asked, answered, written
MOST_BYTES = 1 << 30


def weight(rows: int, layout: Layout) -> int:
    """Bytes, about; nothing of a table."""
    return 0 if layout.kind == "table" else COPIES * 8 * rows * layout.n


class Weight:
    """Asked on the event loop alone."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self.held = most, 0

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """So many bytes for as long as a request is answered. What comes alone is let in. Raises ShedError."""
        if size and self.held and self.held + size > self._most:
            raise ShedError(f"{self.held >> 20} MiB of pictures are being answered: come again later, or send fewer")
        self.held += size
        try:
            yield
        finally:
            self.held -= size
