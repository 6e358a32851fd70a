"""The shape of trees that several parties hold together: who owns which split. Every party has the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from ascribe.core.arrays import np
from ascribe.core.trees.shape import check_shape, fixed, levels_of, needing, tree_of

__all__ = ["Structure"]

_need = needing("these are no trees of several parties")


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
        fixed(self, dict.fromkeys(("start", "owner", "left", "right"), np.int64))
        nodes = len(self.owner)
        _need(len(set(self.parties)) == len(self.parties), "a party is named twice")
        _need(len(self.start) > 1, "every tree has a root")
        _need(
            all(getattr(self, name).shape == (nodes,) for name in ("owner", "left", "right")), "arrays differ in length"
        )
        check_shape(_need, self.start, self.left, self.right, ordered=False)
        _need(bool(((self.owner >= 0) == ~self.leaf).all()), "splits have owners, leaves have none")
        _need(bool((self.owner < len(self.parties)).all()), "an owner is none of the parties")

    def __len__(self) -> int:
        return len(self.start) - 1

    @cached_property
    def leaf(self) -> np.ndarray:
        """Which nodes are leaves (nodes,)."""
        return np.asarray(self.left < 0)

    @cached_property
    def tree(self) -> np.ndarray:
        """The tree of each node (nodes,)."""
        return tree_of(self.start)

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """Nodes by depth, the roots first."""
        return levels_of(self.start, self.left, self.right)

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
