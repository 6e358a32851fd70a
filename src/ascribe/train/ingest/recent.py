"""Ids seen lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Recent"]


class Recent:
    """The last `size` to twice as many ids, in two generations: when the young one is full it becomes the old one."""

    def __init__(self, size: int = 200_000) -> None:
        self.size = size
        self._young: set[str] = set()
        self._old: set[str] = set()

    def learn(self, ids: Iterable[str]) -> None:
        """Ids that somebody else has seen."""
        self._young.update(ids)

    def repeated(self, ids: Sequence[str]) -> list[int]:
        """Indices of ids that were seen before or stand earlier in the same list; all are seen from now on.

        >>> Recent().repeated(["a", "b", "a"])
        [2]
        """
        fresh = set(ids)
        found: list[int] = []
        if len(fresh) < len(ids) or not self._young.isdisjoint(fresh) or not self._old.isdisjoint(fresh):
            seen: set[str] = set()
            for i, name in enumerate(ids):
                if name in seen or name in self._young or name in self._old:
                    found.append(i)
                seen.add(name)
        if len(self._young) + len(fresh) > self.size:
            self._old, self._young = self._young, set()
        self._young |= fresh
        return found
