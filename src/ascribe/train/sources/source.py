"""What every source is: batches of vectors, in order, from the positions that the lake already holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ascribe.train.vectors import Batch

__all__ = ["Held", "Source"]

Held = Callable[[str], int | None]
"""A stream's next position in the lake; None where the lake has nothing of it."""


class Source(Protocol):
    """The loop is: for each batch, append it to the lake, then `kept(ends)`. A crash in between reads the batch again;
    the lake knows the positions and leaves out what it has.
    """

    def batches(self, held: Held) -> Iterator[Batch]:
        """Batches without end, or to the end of the data; an empty batch says "still here, nothing new".

        `held` is asked whenever a stream is (again) taken up.
        """
        ...

    def kept(self, ends: Mapping[str, int]) -> None:
        """The lake holds everything before these positions."""
        ...

    def idle(self) -> bool:
        """Whether all that is there has been read, as far as known."""
        ...

    def lag(self) -> Mapping[str, int]:
        """Messages of each stream that are not read yet, as far as known."""
        ...

    def close(self) -> None:
        """Leave: nothing is read any more. What was not `kept` will be read again by whoever comes next."""
        ...
