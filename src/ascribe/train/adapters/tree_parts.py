"""Trees of other libraries, one at a time, put together as `core.trees.Trees`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ascribe.core.trees import Trees

__all__ = ["Part", "joined"]


@dataclass(frozen=True, eq=False)
class Part:
    """One tree: arrays by node, root 0, children numbered within the tree and -1 at leaves; in any order, maybe with
    nodes that nothing leads to. `sets`: at categorical nodes, whether category c goes left, c = 0, 1, ...
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    cover: np.ndarray
    output: int = 0
    sets: Mapping[int, np.ndarray] = field(default_factory=dict)
    other_left: np.ndarray | None = None
    zero_missing: np.ndarray | None = None


def joined(parts: Sequence[Part], **rest: Any) -> Trees:
    """All trees in one record; `rest`: the fields of `Trees` that concern the ensemble."""
    orders = [_from_root(part) for part in parts]
    start = np.concatenate([[0], np.cumsum([len(order) for order in orders])]).astype(int)
    sets = [
        np.asarray(part.sets.get(i, NONE), dtype=bool)
        for part, order in zip(parts, orders, strict=True)
        for i in order.tolist()
    ]

    def all_of(name: str, kind: Any = float) -> np.ndarray:
        held = []
        for part, order in zip(parts, orders, strict=True):
            own = getattr(part, name)
            held.append(np.zeros(len(order), kind) if own is None else np.asarray(own)[order])
        return np.concatenate(held) if held else np.zeros(0, kind)

    left, right = (_moved(parts, orders, start, name) for name in ("left", "right"))
    value = all_of("value")
    leaf = left < 0
    return Trees(
        start=start, left=left, right=right, feature=np.where(leaf, -1, all_of("feature")),
        threshold=np.where(leaf, 0.0, all_of("threshold")), missing_left=all_of("missing_left", bool),
        value=np.where(leaf[:, None], value.reshape(len(leaf), -1), 0.0), cover=all_of("cover"),
        output=np.array([part.output for part in parts], dtype=int),
        category_start=np.concatenate([[0], np.cumsum([len(s) for s in sets])]).astype(int),
        categories=np.concatenate([*sets, NONE]), other_left=all_of("other_left", bool),
        zero_missing=all_of("zero_missing", bool), **rest,
    )  # fmt: skip


NONE = np.zeros(0, bool)


def _from_root(part: Part) -> np.ndarray:
    """The tree's nodes, level by level: every child after its parent, nodes that nothing leads to left out."""
    level, levels = np.zeros(1, int), []
    left, right = np.asarray(part.left), np.asarray(part.right)
    while len(level):
        levels.append(level)
        inner = level[left[level] >= 0]
        level = np.stack([left[inner], right[inner]], axis=1).ravel()
    return np.concatenate(levels)


def _moved(parts: Sequence[Part], orders: Sequence[np.ndarray], start: np.ndarray, name: str) -> np.ndarray:
    """Children by their numbers in the ensemble."""
    held = []
    for part, order, first in zip(parts, orders, start, strict=False):
        number = np.full(len(part.left) + 1, -1)
        number[order] = first + np.arange(len(order))
        held.append(number[np.asarray(getattr(part, name))[order]])
    return np.concatenate(held) if held else np.zeros(0, int)
