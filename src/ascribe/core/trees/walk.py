"""Which way rows go at nodes, and predictions."""

from __future__ import annotations

from scipy.special import expit, softmax

from ascribe.core.arrays import Float, np
from ascribe.core.trees.record import Trees

__all__ = ["ZERO", "by_category", "in_set", "linked", "margin", "predict", "prepared"]

ZERO = 1e-35
Split = np.ndarray | np.generic  # of each value of z, or one for all
AT_ONCE = 1 << 18  # pointers moved together: they stay in the cache


def prepared(trees: Trees, X: np.ndarray) -> np.ndarray:
    """Rows as the trees compare them, a row for each feature (n, b): float32 numbers, or double ones."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(np.asarray(X).T, dtype=np.float32 if trees.single else np.float64)


def _cut(threshold: np.ndarray, comparison: str, kind: np.dtype) -> np.ndarray:
    """Thresholds in the kind of number that rows are in, with the same outcome: for float32 numbers x, x <= c is
    x <= the largest float32 number that is not above c; x < c is x < the smallest that is not below it.
    """
    if kind == np.float64:
        return threshold
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    if comparison == "<":
        return np.where(near < threshold, np.nextafter(near, np.float32(np.inf)), near)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def by_category(trees: Trees, node: np.ndarray, z: np.ndarray) -> np.ndarray:
    """`node` and `z` of one shape, or that broadcast: whether category z goes left at that categorical node."""
    assert trees.category_start is not None and trees.categories is not None and trees.other_left is not None
    first, end = trees.category_start[node], trees.category_start[node + 1]
    return in_set(z, trees.categories, first, end, trees.other_left[node], trees.missing_left[node])


def in_set(z: np.ndarray, held: np.ndarray, first: Split, end: Split, other: Split, missing: Split) -> np.ndarray:
    """`held[first + c]` of category c, z cut to an integer, where that lies before `end`; else `other`, of NaN
    `missing`.
    """
    c = np.fmax(np.fmin(z, len(held)), 0).astype(np.int64)  # within what there is: an integer holds no 1e300
    known = (z >= 0) & (c < np.subtract(end, first))
    return np.where(np.isnan(z), missing, np.where(known, held[np.add(first, np.where(known, c, 0))], other))


def margin(trees: Trees, X: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b k"]:
    """Sums of leaves and base, all trees of a block of rows at once."""
    Z, b, t = prepared(trees, X).T, len(X), len(trees)
    out = np.repeat(trees.base[None], b, axis=0)
    step = max(1, AT_ONCE // max(t, 1))
    for k in range(0, b, step):
        leaves = _leaves(trees, Z[k : k + step])
        held = trees.value[leaves]  # (rows, t, w)
        if held.shape[2] == out.shape[1]:
            out[k : k + step] += held.sum(axis=1)
        else:
            for j in range(out.shape[1]):
                out[k : k + step, j] += held[:, trees.output == j, 0].sum(axis=1)
    return out


def _leaves(trees: Trees, Z: np.ndarray) -> np.ndarray:
    """The leaf of each row in each tree (rows, t)."""
    assert trees.zero_missing is not None
    b, t = len(Z), len(trees)
    node = np.tile(trees.start[:-1], b)
    cut, odd = _cut(trees.threshold, trees.comparison, Z.dtype), bool(trees.zero_missing.any())
    mixed, gaps = bool(trees.categorical.any()), bool(np.isnan(Z).any())
    leaf = trees.leaf
    at = np.flatnonzero(~leaf[node])
    row = np.repeat(np.arange(b), t)
    while len(at):
        here = node[at]
        z = Z[row[at], trees.feature[here]]
        left = z < cut[here] if trees.comparison == "<" else z <= cut[here]
        if gaps:
            left = np.where(np.isnan(z), trees.missing_left[here], left)
        if odd:
            left = np.where(trees.zero_missing[here] & (np.abs(z) <= ZERO), trees.missing_left[here], left)
        if mixed:
            split = trees.categorical[here]
            left[split] = by_category(trees, here[split], z[split])
        node[at] = below = np.where(left, trees.left[here], trees.right[here])
        at = at[~leaf[below]]
    return node.reshape(b, t)


def linked(link: str, m: Float[np.ndarray, "b k"]) -> Float[np.ndarray, "b k"]:
    """Margins through the link: predictions."""
    if link == "logistic":
        return np.asarray(expit(m))
    if link == "softmax":
        return np.asarray(softmax(m, axis=1))
    return np.exp(m) if link == "exp" else m


def predict(trees: Trees, X: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b k"]:
    """What the library predicts: probabilities of a classifier, the mean of a regression."""
    return linked(trees.link, margin(trees, X))
