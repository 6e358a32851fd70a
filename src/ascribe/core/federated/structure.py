"""The shape of trees that several parties hold together: who owns which split. Every party has the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from ascribe.core.arrays import np
from ascribe.core.errors import InputError

__all__ = ["Structure"]


@dataclass(frozen=True, eq=False)
class Structure:
    """`t` trees of `nodes` nodes in all; node `start[i] + j` is node j of tree i, and `start[i]` its root.

    `parties`: owners as "role:party", such as guest:9999 and host:10000; `owner (nodes,)`: which of them knows the
    split, -1 at a leaf. `left`, `right (nodes,)`: children, -1 at a leaf. Raises InputError for arrays that are no
    trees.

    >>> whole = [np.array(part) for part in ([0, 3], [1, -1, -1], [1, -1, -1], [2, -1, -1])]
    >>> one = Structure(("guest:1", "host:2"), *whole)
    >>> one.splits_of("host:2").tolist(), one.digest[:8]
    ([0], 'a891603b')
    """

    parties: tuple[str, ...]
    start: np.ndarray
    owner: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "parties", tuple(str(p) for p in self.parties))
        for name in ("start", "owner", "left", "right"):
            held = np.ascontiguousarray(getattr(self, name), dtype=np.int64)
            held.setflags(write=False)
            object.__setattr__(self, name, held)
        nodes, start = len(self.owner), self.start
        _need(len(set(self.parties)) == len(self.parties), "a party is named twice")
        _need(start.ndim == 1 and len(start) > 1 and start[0] == 0 and start[-1] == nodes
              and bool((np.diff(start) > 0).all()), "every tree has a root")  # fmt: skip
        _need(
            all(getattr(self, name).shape == (nodes,) for name in ("owner", "left", "right")), "arrays differ in length"
        )
        inner = ~self.leaf
        _need(bool(((self.right >= 0) == inner).all()), "a node has two children, or none")
        _need(bool(((self.owner >= 0) == inner).all()), "splits have owners, leaves have none")
        _need(bool((self.owner < len(self.parties)).all()), "an owner is none of the parties")
        first, end = start[:-1][self.tree][inner], start[1:][self.tree][inner]
        for child in (self.left[inner], self.right[inner]):
            _need(bool(((child > first) & (child < end)).all()), "a child lies outside its tree, or is its root")
        seen = sum(
            len(level) for level in self.levels
        )  # two children a node, all within: as many only if each is met once
        arrivals = np.bincount(np.concatenate([self.left[inner], self.right[inner]]), minlength=nodes)
        arrivals[start[:-1]] += 1
        _need(bool((arrivals == 1).all()) and seen == nodes, "nodes form a graph, not trees")

    def __len__(self) -> int:
        return len(self.start) - 1

    @cached_property
    def leaf(self) -> np.ndarray:
        """Which nodes are leaves (nodes,)."""
        return np.asarray(self.left < 0)

    @cached_property
    def tree(self) -> np.ndarray:
        """The tree of each node (nodes,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    @cached_property
    def levels(self) -> tuple[np.ndarray, ...]:
        """Nodes by depth, roots first; as many as are reached within as many steps as there are nodes in a tree."""
        level, found, left = self.start[:-1], [], len(self.owner)
        while len(level) and left >= 0:
            found.append(level)
            left -= len(level)
            inner = level[~self.leaf[level]]
            level = np.concatenate([self.left[inner], self.right[inner]])
        return tuple(found)

    def splits_of(self, party: str) -> np.ndarray:
        """The nodes that a party owns, trees ascending, nodes ascending: the order of its routes."""
        if party not in self.parties:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.owner == self.parties.index(party))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of who owns which node and where its children are. No secret: all parties' halves have the same."""
        hashed = sha256()
        for i in range(len(self)):
            a, b = self.start[i], self.start[i + 1]
            for j in range(a, b):
                site = self.parties[self.owner[j]] if self.left[j] >= 0 else ""
                left, right = (int(c - a) if c >= 0 else -1 for c in (self.left[j], self.right[j]))
                hashed.update(f"{i} {j - a} {site} {left} {right}\n".encode())
        return hashed.hexdigest()


def _need(holds: bool | np.bool_, text: str) -> None:
    if not holds:
        raise InputError(f"these are no trees of several parties: {text}")
