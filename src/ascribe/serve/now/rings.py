"""Arrays of a fixed size that hold the last rows put into them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["Columns", "Ring", "joined"]

Columns = dict[str, np.ndarray]
"""Arrays (k, ...) of the same k, by name; `t_us` among them, ascending."""

Spec = Mapping[str, tuple[tuple[int, ...], type]]


class Ring:
    """The last `size` rows of columns. `spec`: shape of a row and type of each column.

    >>> ring = Ring(2, {"t_us": ((), np.int64)})
    >>> for t in (1, 2, 3):
    ...     ring.push({"t_us": np.array([t])})
    >>> ring.window(0, 9)["t_us"].tolist(), len(ring)
    ([2, 3], 2)
    """

    def __init__(self, size: int, spec: Spec) -> None:
        self._size, self._end, self._count = size, 0, 0
        self._held: Columns = {name: np.zeros((size, *shape), kind) for name, (shape, kind) in spec.items()}

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        return self._count == self._size

    @property
    def bytes(self) -> int:
        """Of all arrays, full or not."""
        return sum(held.nbytes for held in self._held.values())

    def push(self, rows: Columns) -> None:
        """Rows that come after those held; the oldest go."""
        k = min(len(rows["t_us"]), self._size)
        if not k:
            return
        at = (self._end + np.arange(k)) % self._size
        for name, held in self._held.items():
            held[at] = rows[name][-k:]
        self._end = (self._end + k) % self._size
        self._count = min(self._size, self._count + k)

    def window(self, from_us: int, to_us: int, names: tuple[str, ...] = ()) -> Columns:
        """Copies of the rows with from_us <= t_us <= to_us, of some columns or all."""
        at = self._order()
        t = self._held["t_us"][at]
        at = at[np.searchsorted(t, from_us, "left") : np.searchsorted(t, to_us, "right")]
        return {name: self._held[name][at] for name in names or self._held}

    def last(self, count: int, name: str) -> np.ndarray:
        """The newest `count` of one column, oldest first."""
        column: np.ndarray = self._held[name][self._order()[-count:]]
        return column

    def ends(self) -> tuple[int, int] | None:
        """Times of the oldest and the newest row."""
        if not self._count:
            return None
        t = self._held["t_us"]
        return int(t[(self._end - self._count) % self._size]), int(t[(self._end - 1) % self._size])

    def nearest(self, at_us: int) -> Columns:
        """The one row nearest to a time. Raises IndexError where there is none."""
        order = self._order()
        best = order[np.argmin(np.abs(self._held["t_us"][order] - at_us))] if len(order) else order[0]
        return {name: held[best : best + 1].copy() for name, held in self._held.items()}

    def _order(self) -> np.ndarray:
        """Places of the rows held, oldest first."""
        return (self._end - self._count + np.arange(self._count)) % self._size


def joined(first: Columns, then: Columns) -> Columns:
    """Rows of both, of the columns that both have."""
    return {name: np.concatenate([first[name], then[name]]) for name in first if name in then}
