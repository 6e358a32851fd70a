"""Interventional Shapley values of deep trees: at each leaf, patterns of rows meet patterns of the background.

Rows and background rows are told apart, at a leaf of D features, only by which of them fail. Of a row that fails B and
a background row that fails A, the leaf is worth c where A is taken from the row and B is not, so that

    phi_i = c (A-1)! B! / (A+B)!  for i in A,      -c A! (B-1)! / (A+B)!  for i in B,      0 if A and B share a feature

Each distinct pair of patterns is met once. Used where a leaf's 2^D patterns are too many to table: patterns seen are
fewer, but work there grows as their product.
"""

from __future__ import annotations

from scipy.special import gammaln

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.trees.codes import Codes, codes_of
from ascribe.core.trees.parts import Paths, paths_of
from ascribe.core.trees.record import Trees

__all__ = ["met_shares"]

CELLS = 1 << 22
MOST = 63  # features that fail are bits of a number


def met_shares(trees: Trees, X: Float[np.ndarray, "b n"], background: Float[np.ndarray, "r n"]) -> np.ndarray:
    """Shapley values of rows (b, n) for trees of one output. Raises InputError where one has more than 63 on a way."""
    phi = np.zeros((len(X), len(trees.features)))
    for i in range(len(trees)):
        one = trees.some(np.array([i]))
        paths, codes = paths_of(one), codes_of(one)
        if (deepest := int(paths.count.max(initial=0))) > MOST:
            raise InputError(
                f"tree {i} asks {deepest} features on one way, and interventional values are told for at most {MOST}: "
                "use tree_shap, or grow shallower trees"
            )
        leaves = np.flatnonzero(one.leaf & (paths.count > 0))
        both = np.concatenate([X, background])
        step = max(1, CELLS // len(both))
        read = codes.lefts(codes.of(both), both, 0, len(codes.split))
        for k in range(0, len(leaves), step):
            own = leaves[k : k + step]
            for leaf, failing in zip(own, _failing(paths, codes, own, read), strict=True):
                share = _meet(failing[: len(X)], failing[len(X) :], int(paths.count[leaf]))
                phi[:, paths.feature[leaf, : paths.count[leaf]]] += one.value[leaf, 0] * share
    return phi


def _failing(paths: Paths, codes: Codes, leaves: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Failing features of all rows at leaves, as bits (leaves, rows)."""
    found = np.zeros((len(leaves), left.shape[1]), np.int64)
    for d in range(int(paths.length[leaves].max(initial=0))):
        at = np.flatnonzero(paths.length[leaves] > d)
        leaf = leaves[at]
        fails = left[np.searchsorted(codes.split, paths.split[leaf, d])] != paths.left[leaf, d][:, None]
        found[at] |= fails * (1 << paths.slot[leaf, d])[:, None]
    return found


def _meet(rows: np.ndarray, background: np.ndarray, d: int) -> np.ndarray:
    """Shares (b, d) of a leaf of value 1, in the mean over background rows."""
    x, which = np.unique(rows, return_inverse=True)
    r, count = np.unique(background, return_counts=True)
    fails_x, fails_r = ((u[:, None] >> np.arange(d) & 1).astype(float) for u in (x, r))
    a, b = fails_r.sum(axis=1)[None], fails_x.sum(axis=1)[:, None]
    weight = np.where((x[:, None] & r) == 0, count / len(background), 0.0)
    whole = gammaln(a + b + 1)
    gains = weight * np.where(a > 0, np.exp(gammaln(np.maximum(a, 1)) + gammaln(b + 1) - whole), 0.0)
    loses = weight * np.where(b > 0, np.exp(gammaln(a + 1) + gammaln(np.maximum(b, 1)) - whole), 0.0)
    return (gains @ fails_r - loses.sum(axis=1)[:, None] * fails_x)[which]
