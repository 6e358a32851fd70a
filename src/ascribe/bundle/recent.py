"""The last rows of all nodes, for a server to follow: small pieces, in the order in which they were written.

    recent/<time>-<writer>    rows of every node that came within a second or so; time: microseconds, 16 digits

One piece holds all nodes, so that a server that follows a hundred of them lists once and reads once a second or two.
A piece is written once and removed when it is older than `KEEP_S`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from ascribe.bundle.state import State
from ascribe.core.errors import NotFound

__all__ = ["KEEP_S", "Follow", "Rows", "Trail"]

RECENT = "recent"
KEEP_S = 1800.0
LATE_S = 30.0  # clocks of several writers may differ by so much
REMOVED = 8  # pieces at a time: a writer that comes back after an hour does not remove all at once
DIGITS = 16


class Rows(msgspec.Struct, frozen=True):
    """Rows of the same features: `node`, `t_us` (microseconds since 1970 UTC), `power_w` (W; null: no meter was read),
    `X (rows, n)` in natural units in the order of `names`; null: absent.
    """

    names: list[str]
    node: list[str]
    t_us: list[int]
    power_w: list[float | None]
    X: list[list[float | None]]


class Trail:
    """The writing side, of one writer. `now_us`: the clock."""

    def __init__(self, state: State, writer: str, now_us: Callable[[], int]) -> None:
        self._state, self._writer, self._now_us = state, writer, now_us
        self._old: deque[str] | None = None

    def put(self, rows: Sequence[Rows]) -> None:
        """One piece more, and a few old ones less. Raises RegistryError."""
        now_us = self._now_us()
        if self._old is None:  # others' too, and those of the run before
            self._old = deque(self._state.names(RECENT))
        name = f"{now_us:0{DIGITS}d}-{self._writer}"
        self._state.put(list(rows), RECENT, name)
        self._old.append(name)
        for _ in range(REMOVED):
            if not _older(self._old[0], now_us - round(KEEP_S * 1e6)):
                break
            self._state.remove(RECENT, self._old.popleft())


class Follow:
    """The reading side: what was written since the last look, at most `KEEP_S` back at the first. `left`: pieces that
    were there at the last look and are not read yet.
    """

    def __init__(self, state: State, now_us: Callable[[], int]) -> None:
        self._state = state
        self._from_us = now_us() - round(KEEP_S * 1e6)
        self._seen: set[str] = set()
        self.left = 0

    def new(self, most: int = 1 << 30) -> list[Rows]:
        """Rows of new pieces, in order, of so many pieces. Raises RegistryError."""
        names = self._names()
        fresh = [name for name in names if name not in self._seen]
        read = fresh[:most]
        found = self._read(read)
        self.left = len(fresh) - len(read)
        self._seen.update(read)
        if read:
            self._from_us = max(self._from_us, _time(read[-1]) - round(LATE_S * 1e6))
            self._seen = {name for name in self._seen if not _older(name, self._from_us)}
        return found

    def newest(self, count: int) -> list[Rows]:
        """Rows of the last pieces; they are still new. Raises RegistryError."""
        return self._read(self._names()[-count:])

    def _names(self) -> list[str]:
        return self._state.names(RECENT, after=f"{self._from_us:0{DIGITS}d}")

    def _read(self, names: Sequence[str]) -> list[Rows]:
        found: list[Rows] = []
        for name in names:
            with suppress(NotFound):  # removed meanwhile
                found += self._state.get(RECENT, name, kind=list[Rows])
        return found


def _time(name: str) -> int:
    digits = name.partition("-")[0]
    return int(digits) if digits.isdigit() else 0


def _older(name: str, than_us: int) -> bool:
    return _time(name) < than_us
