"""One caller's requests in the order of their turns: the urgent first, and none for ever behind others.

    rank(priority) = 0 where it is 1 (urgent), 1 where it is 0 or 2 (as usual), 2 from 3 on (when there is time)

Of a caller's turns every `PATIENCE`th goes to the request that has waited longest for one, whatever its priority; the
others go to the lowest rank, in the order of arrival. So a request with k others of its caller before it has its turn
within PATIENCE (k + 1) turns of that caller. Ranks are a caller's own business: they take no turn from other callers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["PATIENCE", "RANKS", "Turns", "rank"]

PATIENCE = 4
RANKS = 3

T = TypeVar("T")


def rank(priority: int) -> int:
    """Of a request's priority, which is 0 or more."""
    return 1 if priority == 0 else min(priority, RANKS) - 1


class Turns(Generic[T]):
    """Requests that wait, by rank; each is here once. Empty: false."""

    def __init__(self) -> None:
        self._ranks: tuple[OrderedDict[T, int], ...] = tuple(OrderedDict() for _ in range(RANKS))
        self._came, self._had = 0, 0  # requests that took their place, turns that were had

    def __len__(self) -> int:
        return sum(len(held) for held in self._ranks)

    def add(self, one: T, rank: int) -> None:
        """Last of its rank."""
        self._came += 1
        self._ranks[rank][one] = self._came

    def remove(self, one: T) -> bool:
        """Whether it was here."""
        return any(held.pop(one, None) is not None for held in self._ranks)

    def next(self, alive: Callable[[T], bool]) -> T | None:
        """Whose turn it is; who is not alive any more is forgotten on the way."""
        heads = list(self._heads(alive))
        if not heads:
            return None
        return min(heads)[1] if self._had % PATIENCE == PATIENCE - 1 else heads[0][1]

    def had(self, one: T, again: bool) -> None:
        """It had its turn, and stands last of its rank, where it has more to come."""
        self._had += 1
        for held in self._ranks:
            if held.pop(one, None) is not None and again:
                self._came += 1
                held[one] = self._came

    def _heads(self, alive: Callable[[T], bool]) -> Iterator[tuple[int, T]]:
        """The first of each rank, and since when it waits."""
        for held in self._ranks:
            while held and not alive(one := next(iter(held))):
                held.pop(one, None)
            if held:
                one = next(iter(held))
                yield held[one], one
