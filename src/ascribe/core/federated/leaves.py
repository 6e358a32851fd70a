"""What only the guest has of the trees: weights, and how they become a score."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.federated.structure import Structure
from ascribe.core.trees.shape import LINKS, fixed, needing

__all__ = ["Leaves", "reached"]

_need = needing("these weights cannot be used")


@dataclass(frozen=True, eq=False)
class Leaves:
    """`value (nodes, w)`: of leaves, learning rate multiplied in; of splits too if `inner` (margin steps need them).

        margin = base + sum over trees i of value[leaf of tree i], to column output[i];      score = link(margin)

    w is 1, or K where leaves hold all K outputs (then `output (t,)` is 0). `base (K,)` is added after the trees, or
    before them where `base_first`: the sums are then, term by term, what FATE-Serving adds up. `cover (nodes,)`: what
    branches are weighed by, or None; `cover_source` says where it is from. Raises InputError for arrays that do not
    fit.
    """

    value: np.ndarray
    output: np.ndarray
    base: np.ndarray
    link: str = "identity"
    labels: tuple[str, ...] = ()
    base_first: bool = False
    inner: bool = False
    cover: np.ndarray | None = None
    cover_source: str = ""

    def __post_init__(self) -> None:
        fixed(self, {"value": float, "output": np.int64, "base": float, "cover": float})
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
        k = len(self.base)
        _need(self.link in LINKS, f"link is one of {', '.join(LINKS)}")
        _need(self.value.ndim == 2 and self.value.shape[1] in (1, k), f"leaves have neither 1 value nor {k}")
        last = k - self.value.shape[1]
        _need(bool(((self.output >= 0) & (self.output <= last)).all()), "a tree adds to an output that is not there")
        _need(bool(np.isfinite(self.value).all() and np.isfinite(self.base).all()), "a weight is not finite")
        _need(len(self.labels) in (0, k), f"{len(self.labels)} labels for {k} outputs")
        if self.cover is not None:
            _need(bool((np.isfinite(self.cover) & (self.cover >= 0)).all()), "a cover is negative or not finite")

    def fit(self, structure: Structure) -> None:
        """Raises InputError where the weights are of other trees."""
        nodes = len(structure.owner)
        _need(len(self.value) == nodes and len(self.output) == len(structure), "weights are of other trees")
        _need(self.cover is None or self.cover.shape == (nodes,), "cover is of other trees")

    def margin(self, leaf: np.ndarray) -> Float[np.ndarray, "b k"]:
        """Sums over leaves (b, t), trees in order."""
        k, w = len(self.base), self.value.shape[1]
        out = np.zeros((len(leaf), k))
        if self.base_first:
            out += self.base
        for i in range(leaf.shape[1]):
            held = self.value[leaf[:, i]]
            if w == k:
                out += held
            else:
                out[:, self.output[i]] += held[:, 0]
        return out if self.base_first else out + self.base


def reached(structure: Structure, left: Bool[np.ndarray, "b nodes"]) -> np.ndarray:
    """The leaf of each row in each tree (b, t), from every node's direction."""
    b = len(left)
    node = np.tile(structure.start[:-1], (b, 1))
    row = np.arange(b)[:, None]
    for _ in range(len(structure.levels) - 1):
        below = np.where(left[row, node], structure.left[node], structure.right[node])
        node = np.where(below >= 0, below, node)
    return node
