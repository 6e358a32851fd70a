"""An ensemble of decision trees as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.trees.shape import LINKS, check_shape, fixed, levels_of, needing, tree_of

__all__ = ["Trees"]

COMPARISONS = ("<", "<=")
SPACES = ("margin", "probability")


@dataclass(frozen=True, eq=False)
class Trees:
    """`t` trees of `nodes` nodes in all, over the features named, for `k` outputs.

        margin = base + sum over trees i of value[leaf of tree i], from column output[i];      prediction = link(margin)

    Nodes of tree i are `start[i] .. start[i + 1] - 1`, its root first; a child comes after its parent. A leaf has
    `left = right = feature = -1`. At a node a row goes left where

        NaN                  missing_left
        a number             x < threshold (or <=: `comparison`), x rounded to float32 first if `single`;
                             |x| <= 1e-35 goes as NaN does where `zero_missing`
        a category c         categories[category_start[node] + c], if the node has that many; else `other_left`

    A node with categories (`category_start[node + 1] > category_start[node]`) is categorical; x is cut to an integer.
    `value (nodes, w)`: of leaves, rates and weights of trees multiplied in; w is 1, or k for leaves that hold all
    outputs (then `output` is 0). `cover (nodes,)`: what the library's own TreeSHAP weighs branches by (hessians or
    rows). `space`: margin, or probability where leaves hold probabilities. Raises InputError for arrays that are no
    trees.
    """

    features: tuple[str, ...]
    start: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    cover: np.ndarray
    output: np.ndarray
    base: np.ndarray
    outputs: tuple[str, ...] = ("prediction",)
    comparison: str = "<="
    single: bool = False
    link: str = "identity"
    space: str = "margin"
    zero_missing: np.ndarray | None = None
    category_start: np.ndarray | None = None
    categories: np.ndarray | None = None
    other_left: np.ndarray | None = None

    def __post_init__(self) -> None:
        nodes = len(self.feature)
        for name, length in LEFT_OUT.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(0 if length is None else nodes + length))
        fixed(self, KINDS)
        for name in ("features", "outputs"):
            object.__setattr__(self, name, tuple(str(word) for word in getattr(self, name)))
        _check(self)

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def leaf(self) -> np.ndarray:
        """Which nodes are leaves (nodes,)."""
        return np.asarray(self.left < 0)

    @property
    def categorical(self) -> np.ndarray:
        """Which nodes split by category (nodes,)."""
        assert self.category_start is not None
        return np.asarray(np.diff(self.category_start) > 0)

    @property
    def tree(self) -> np.ndarray:
        """The tree of each node (nodes,)."""
        return tree_of(self.start)

    @cached_property
    def ratio(self) -> np.ndarray:
        """Of each node, its cover over its parent's (nodes,): 1 at a root, 0 below a node that no row covers."""
        out, inner = np.ones(len(self.leaf)), np.flatnonzero(~self.leaf)
        whole = self.cover[inner]
        for child in (self.left[inner], self.right[inner]):
            out[child] = np.divide(self.cover[child], whole, out=np.zeros(len(inner)), where=whole > 0)
        return out

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """Nodes by depth, the roots first."""
        return levels_of(self.start, self.left, self.right)

    def of_output(self, output: str | int = 0) -> Trees:
        """What adds to one output's margin, as trees of that output alone. Raises InputError for an unknown name."""
        if isinstance(output, str):
            if output not in self.outputs:
                raise InputError(f"unknown output '{output}': use one of {', '.join(self.outputs)}")
            output = self.outputs.index(output)
        if len(self.outputs) == 1:
            return self
        base, outputs = self.base[[output]], (self.outputs[output],)
        link = "identity" if self.link == "softmax" else self.link  # alone, one margin of a softmax is no probability
        if self.value.shape[1] > 1:
            value = self.value[:, [output]]
            return replace(self, value=value, base=base, outputs=outputs, link=link)
        return self.some(
            np.flatnonzero(self.output == output), base=base, outputs=outputs, link=link,
            output=np.zeros(int((self.output == output).sum()), int),
        )  # fmt: skip

    def some(self, kept: np.ndarray, **changes: Any) -> Trees:
        """Trees `kept`, by number, alone; `changes` of other fields."""
        assert self.category_start is not None and self.categories is not None
        sizes = np.diff(self.start)
        node = np.flatnonzero(np.isin(self.tree, kept))
        moved = np.full(len(self.feature) + 1, -1)  # the last stands for -1
        moved[node] = np.arange(len(node))
        counts = np.diff(self.category_start)[node]
        held = np.repeat(self.category_start[node] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        new: dict[str, Any] = {name: getattr(self, name)[node] for name in BY_NODE}
        new |= {
            "start": np.concatenate([[0], np.cumsum(sizes[kept])]), "left": moved[self.left[node]],
            "right": moved[self.right[node]], "output": self.output[kept], "categories": self.categories[held],
            "category_start": np.concatenate([[0], np.cumsum(counts)]),
        }  # fmt: skip
        return replace(self, **(new | changes))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays for an npz; words are arrays of text.

        >>> leaf = dict(feature=[-1], left=[-1], right=[-1], threshold=[0], missing_left=[0], cover=[1], value=[[2.5]])
        >>> whole = dict(start=[0, 1], output=[0], base=[0.5])
        >>> one = Trees(("x",), **{name: np.array(held) for name, held in (leaf | whole).items()})
        >>> Trees.of(one.to_arrays()).value.tolist()
        [[2.5]]
        """
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Trees:
        """From `to_arrays`. Raises InputError where one is missing or the arrays are no trees."""
        names = {f.name for f in fields(cls)}
        if lacking := names - set(arrays):
            raise InputError(f"trees lack {', '.join(sorted(lacking))}: read the model again")
        held = {name: arrays[name] for name in names}
        words = {name: tuple(held.pop(name).tolist()) for name in ("features", "outputs")}
        single = {name: held.pop(name).item() for name in ("comparison", "single", "link", "space")}
        return cls(**held, **words, **single)  # type: ignore[arg-type]


KINDS = {
    "start": np.int64, "feature": np.int64, "threshold": np.float64, "left": np.int64, "right": np.int64,
    "missing_left": bool, "value": np.float64, "cover": np.float64, "output": np.int64, "base": np.float64,
    "zero_missing": bool, "category_start": np.int64, "categories": bool, "other_left": bool,
}  # fmt: skip


BY_NODE = ("feature", "threshold", "missing_left", "value", "cover", "zero_missing", "other_left")


LEFT_OUT = {"zero_missing": 0, "category_start": 1, "categories": None, "other_left": 0}  # nodes and so many more

_need = needing("these arrays are no trees")


def _check(t: Trees) -> None:
    nodes, n, k = len(t.feature), len(t.features), len(t.outputs)
    for word, allowed in (("comparison", COMPARISONS), ("link", LINKS), ("space", SPACES)):
        _need(getattr(t, word) in allowed, f"{word} is one of {', '.join(allowed)}, not '{getattr(t, word)}'")
    for name in ("threshold", "left", "right", "missing_left", "cover", "zero_missing", "other_left"):
        _need(getattr(t, name).shape == (nodes,), f"{name} has shape {getattr(t, name).shape}, not ({nodes},)")
    check_shape(_need, t.start, t.left, t.right, ordered=True)
    inner = ~t.leaf
    _need(t.value.ndim == 2 and len(t.value) == nodes and t.value.shape[1] in (1, k),
          f"value has shape {t.value.shape}, not ({nodes}, 1 or {k})")  # fmt: skip
    _need(t.base.shape == (k,), f"base has shape {t.base.shape}, not ({k},)")
    last = k - t.value.shape[1]
    _need(t.output.shape == (len(t),) and ((t.output >= 0) & (t.output <= last)).all(),
          f"output must be a number in 0..{last} for each of {len(t)} trees")  # fmt: skip
    _need(((t.feature[inner] >= 0) & (t.feature[inner] < n)).all(), f"a split names a feature outside 0..{n - 1}")
    assert t.category_start is not None and t.categories is not None
    ends = t.category_start
    _need(ends.shape == (nodes + 1,) and ends[0] == 0 and ends[-1] == len(t.categories) and (np.diff(ends) >= 0).all(),
          "category_start must rise from 0 to the number of categories")  # fmt: skip
    plain = inner & ~t.categorical
    _need(not np.isnan(t.threshold[plain]).any(), "a threshold is not a number")
    _need(np.isfinite(t.value[t.leaf]).all() and np.isfinite(t.base).all(), "a leaf or the base is not finite")
    _need(np.isfinite(t.cover).all() and (t.cover >= 0).all(), "a cover is negative or not finite")
