"""Path-dependent Shapley values of deep trees, level by level: nothing is tabled, so no number of features is too many.

As in `laws`, a leaf's share of feature i is an integral over t of a product over the features of its way,

    phi_i = c int_0^1 (o_i - z_i) prod_{j != i} g_j(t) dt,      g_j = z_j + t (o_j - z_j)

o_j: does the row follow the way at every split on j; z_j: the share of cover that does. Going down, the product at
Gauss-Legendre points is kept for every node; going up, the sums of leaves' products below. The edge into a node with
feature i, o, z and, on the way above it, o', z' before, gives i its part of all leaves below at once

    phi_i += sum_q w_q [ (o - z) / g(t_q) - (o' - z') / g'(t_q) ] G(t_q)

so that work is rows x nodes x points (Linear TreeSHAP, Yu et al. 2022, with quadrature in place of its polynomials).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from scipy.sparse import csr_array

from ascribe.core.arrays import Float, np
from ascribe.core.trees.codes import Codes, codes_of
from ascribe.core.trees.laws import points
from ascribe.core.trees.record import Trees

__all__ = ["DeepTree", "deep_shares", "deep_tree", "reach_of"]

CELLS = 1 << 20  # nodes x points x rows at a time
LEAST = 1e-30  # of a share of cover: a branch that no training row took still has a finite quotient


def reach_of(trees: Trees) -> Float[np.ndarray, " nodes"]:
    """The share of cover that comes to each node of its tree."""
    reach = np.ones(len(trees.feature))
    for level in trees.levels:
        inner = level[~trees.leaf[level]]
        for child in (trees.left[inner], trees.right[inner]):
            reach[child] = reach[inner] * trees.ratio[child]
    return reach


@dataclass(frozen=True, eq=False)
class DeepTree:
    """One tree, its nodes level by level. By node: `parent`, `feature` of the edge into it, `test` (number of the
    parent's split), `left`, `ratio` of cover over the parent's, `before`: the node that the last edge of the same
    feature above leads to, or -1. `value`: of leaves, 0 elsewhere. `ends`: where levels end.
    """

    codes: Codes
    parent: np.ndarray
    feature: np.ndarray
    test: np.ndarray
    left: np.ndarray
    ratio: np.ndarray
    before: np.ndarray
    value: np.ndarray
    ends: np.ndarray
    features: int

    @cached_property
    def used(self) -> np.ndarray:
        """The features that it splits, ascending."""
        return np.unique(self.feature[self.feature >= 0])


def deep_tree(trees: Trees, i: int) -> DeepTree:
    """Tree i of an ensemble of one output."""
    one = trees.some(np.array([i]))
    levels, n, codes = one.levels, len(one.features), codes_of(one)
    order = np.concatenate(levels)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    parent, left = np.full(len(order), -1), np.zeros(len(order), bool)
    inner = np.flatnonzero(~one.leaf)
    parent[number[one.left[inner]]] = parent[number[one.right[inner]]] = number[inner]
    left[number[one.left[inner]]] = True
    feature = np.where(parent >= 0, one.feature[order[parent]], -1)
    test = np.where(parent >= 0, np.searchsorted(codes.split, order[parent]), 0)
    before = np.full(len(order), -1)
    last = np.full((1, n), -1)  # of the level above: the last node by feature on the way
    ends = np.cumsum([len(level) for level in levels])
    for first, end, start in zip(ends[:-1], ends[1:], np.concatenate([[0], ends]), strict=False):
        at = np.arange(first, end)
        last = last[parent[at] - start]
        before[at] = last[np.arange(len(at)), feature[at]]
        last[np.arange(len(at)), feature[at]] = at
    return DeepTree(codes, parent, feature, test, left, one.ratio[order], before, one.value[order, 0], ends, n)


def deep_shares(tree: DeepTree, X: Float[np.ndarray, "b n"], fixed: int | None = None) -> Float[np.ndarray, "b n"]:
    """Shapley values of rows for one tree; with `fixed`, of the game's derivative in that feature: its interactions."""
    t, w = points(max(min(len(tree.used), len(tree.ends) - 1) - 1, 0))
    step = max(1, CELLS // (len(tree.parent) * len(t)))
    parts = [_rows(tree, X[k : k + step], t, w, fixed) for k in range(0, len(X), step)]
    return np.concatenate(parts) if parts else np.zeros((0, tree.features))


def _rows(tree: DeepTree, X: np.ndarray, t: np.ndarray, w: np.ndarray, fixed: int | None) -> np.ndarray:
    nodes, b = len(tree.parent), len(X)
    goes = tree.codes.lefts(tree.codes.of(X), X, 0, len(tree.codes.split))
    o, z = np.ones((nodes + 1, b), bool), np.ones(nodes + 1)  # the last stands for -1: no edge before
    product = np.ones((nodes, len(t), b))
    apart = np.zeros((nodes + 1, b)) if fixed is not None else None  # o - z of the fixed feature so far
    levels = [np.arange(a, e) for a, e in zip(tree.ends[:-1], tree.ends[1:], strict=True)]
    for at in levels:
        above, before = tree.parent[at], tree.before[at]
        o[at] = o[before] & (goes[tree.test[at]] == tree.left[at][:, None])
        z[at] = np.maximum(z[before] * tree.ratio[at], LEAST)
        quotient = _factor(o[at], z[at], t) / _factor(o[before], z[before], t)
        if apart is not None:
            own = tree.feature[at] == fixed
            quotient[own] = 1.0
            apart[at] = np.where(own[:, None], o[at] - z[at][:, None], apart[above])
        product[at] = product[above] * quotient
    product *= tree.value[:, None, None]
    if apart is not None:
        product *= apart[:nodes, None]
    phi = np.zeros((tree.features, b))
    for at in reversed(levels):
        before = tree.before[at]
        gain = _part(o[at], z[at], t) - _part(o[before], z[before], t)
        gain *= product[at]
        gain = sum(gain[:, q] * w[q] for q in range(len(w)))  # in this order whatever the number of rows
        if fixed is not None:
            gain[tree.feature[at] == fixed] = 0.0
        phi += _sums(tree.feature[at], tree.features) @ gain
        first = tree.parent[at[0]]
        up = _sums(tree.parent[at] - first, int(tree.parent[at].max() - first) + 1)
        product[first : first + up.shape[0]] += (up @ product[at].reshape(len(at), -1)).reshape(-1, len(t), b)
    return phi.T


def _factor(o: np.ndarray, z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """g (nodes, points, rows)."""
    met, failed = z[:, None] + t * (1 - z[:, None]), z[:, None] * (1 - t)
    return np.where(o[:, None, :], met[:, :, None], failed[:, :, None])


def _part(o: np.ndarray, z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(o - z) / g (nodes, points, rows)."""
    met = (1 - z[:, None]) / (z[:, None] + t * (1 - z[:, None]))
    return np.where(o[:, None, :], met[:, :, None], (1 / (t - 1))[None, :, None])


def _sums(place: np.ndarray, places: int) -> csr_array:
    """A matrix (places, len(place)) that adds rows up by place."""
    order = np.argsort(place, kind="stable")
    return csr_array(
        (np.ones(len(place)), order, np.searchsorted(place[order], np.arange(places + 1))), shape=(places, len(place))
    )
