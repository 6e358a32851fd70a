"""Numbers as ranks among an ensemble's thresholds: what trees see of a row, in two bytes a feature.

    code(x) = how many thresholds of the feature x has passed,      goes left  <=>  code(x) < cut(node)

Exact whatever the kind of numbers, and quick to compare. A missing value passes none where it goes left and all where
it goes right: a feature has a line for each, and a node names the line that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.trees.record import Trees
from ascribe.core.trees.walk import ZERO, by_category, prepared

__all__ = ["Codes", "codes_of"]


@dataclass(frozen=True, eq=False)
class Codes:
    """`thresholds`: of each feature, rising. By split: its node `split`, the `line` that it reads and the `cut` that it
    compares with; `by_set`: it goes by category.
    """

    trees: Trees
    split: np.ndarray
    thresholds: tuple[np.ndarray, ...]
    line: np.ndarray
    cut: np.ndarray
    by_set: np.ndarray

    def of(self, X: np.ndarray) -> np.ndarray:
        """Codes of rows `X (b, n)`: (lines, b); line = feature + n (missing goes left) + 2 n (zero is missing)."""
        Z = prepared(self.trees, X)
        n, kind = len(Z), self.cut.dtype
        lines = 4 if self.trees.zero_missing is not None and self.trees.zero_missing.any() else 2
        codes = np.empty((lines * n, Z.shape[1]), kind)
        for j, (z, at) in enumerate(zip(Z, self.thresholds, strict=True)):
            found = np.searchsorted(at, z, "right" if self.trees.comparison == "<" else "left").astype(kind)
            for zero in range(lines // 2):
                gone = np.isnan(z) | (np.abs(z) <= ZERO) if zero else np.isnan(z)
                codes[2 * zero * n + j] = np.where(gone, np.iinfo(kind).max, found)
                codes[(2 * zero + 1) * n + j] = np.where(gone, 0, found)
        return codes

    def lefts(self, codes: np.ndarray, X: np.ndarray, first: int, last: int) -> np.ndarray:
        """Whether rows go left at splits `first .. last - 1` (splits, b); `codes` of the rows `X`."""
        left = codes[self.line[first:last]] < self.cut[first:last, None]
        for i in np.flatnonzero(self.by_set[first:last]).tolist():
            node = self.split[first + i]
            left[i] = by_category(self.trees, node[None], prepared(self.trees, X[:, [self.trees.feature[node]]])[0])
        return np.asarray(left)


def codes_of(trees: Trees) -> Codes:
    """Ranks of all thresholds."""
    split = np.flatnonzero(~trees.leaf)
    feature, threshold, sets = trees.feature[split], trees.threshold[split], trees.categorical[split]
    cut = np.zeros(len(split), np.int64)
    thresholds = []
    for j in range(len(trees.features)):
        own = np.flatnonzero((feature == j) & ~sets)
        held, place = np.unique(threshold[own], return_inverse=True)
        cut[own] = place + 1
        thresholds.append(held)
    assert trees.zero_missing is not None
    most = max((len(held) for held in thresholds), default=0) + 1
    line = feature + len(trees.features) * (trees.missing_left[split] + 2 * trees.zero_missing[split])
    kind = np.uint16 if most < np.iinfo(np.uint16).max else np.uint32
    return Codes(trees, split, tuple(thresholds), line, cut.astype(kind), sets)
