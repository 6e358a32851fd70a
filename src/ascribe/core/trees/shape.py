"""The shape of trees as arrays: whose children nodes are, and nodes by depth. Ensembles and models of several parties
have the same: nodes of tree i are `start[i] .. start[i + 1] - 1`, its root first; children -1 at leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ascribe.core.arrays import np
from ascribe.core.errors import InputError

__all__ = ["LINKS", "UNITS", "Need", "check_shape", "fixed", "levels_of", "needing", "tree_of"]

LINKS = ("identity", "logistic", "softmax", "exp")
UNITS = {"logistic": "log-odds", "softmax": "log-odds", "exp": "log"}  # of margins, by link; else the output's own

Need = Callable[[bool | np.bool_, str], None]


def needing(what: str) -> Need:
    """A check of a record's arrays: raises InputError that begins with `what` where something does not hold."""

    def need(holds: bool | np.bool_, text: str) -> None:
        if not holds:
            raise InputError(f"{what}: {text}")

    return need


def fixed(record: object, kinds: Mapping[str, Any]) -> None:
    """Fields of a frozen record as arrays of these kinds that nobody can write into; None stays None."""
    for name, kind in kinds.items():
        if (held := getattr(record, name)) is not None:
            held = np.ascontiguousarray(held, dtype=kind)
            held.setflags(write=False)
            object.__setattr__(record, name, held)


def tree_of(start: np.ndarray) -> np.ndarray:
    """The tree of each node (nodes,)."""
    return np.repeat(np.arange(len(start) - 1), np.diff(start))


def levels_of(start: np.ndarray, left: np.ndarray, right: np.ndarray) -> list[np.ndarray]:
    """Nodes by depth, the roots first; no more than there are, where children lead in a circle."""
    levels, level, rest = [], start[:-1], len(left)
    while len(level) and rest >= 0:
        levels.append(level)
        rest -= len(level)
        level = level[left[level] >= 0]
        level = np.concatenate([left[level], right[level]])
    return levels


def check_shape(need: Need, start: np.ndarray, left: np.ndarray, right: np.ndarray, ordered: bool) -> None:
    """`ordered`: children come after their parents, not only after the root."""
    nodes, leaf = len(left), left < 0
    need(start.ndim == 1 and len(start) >= 1 and start[0] == 0 and start[-1] == nodes and (np.diff(start) > 0).all(),
         f"start must rise from 0 to the number of nodes, {nodes}")  # fmt: skip
    need(bool(((right < 0) == leaf).all()), "a node has one child: give both, or -1 twice for a leaf")
    inner, tree = np.flatnonzero(~leaf), tree_of(start)
    first, end = inner if ordered else start[:-1][tree[inner]], start[1:][tree[inner]]
    for child in (left[inner], right[inner]):
        need(bool(((child > first) & (child < end)).all()),
             f"a child comes after its {'parent' if ordered else 'root'}, in the same tree")  # fmt: skip
    arrivals = np.bincount(np.concatenate([left[inner], right[inner]]), minlength=nodes)
    arrivals[start[:-1]] += 1
    met = sum(len(level) for level in levels_of(start, left, right))
    need(bool((arrivals == 1).all()) and met == nodes, "every node but a root is the child of exactly one node")
