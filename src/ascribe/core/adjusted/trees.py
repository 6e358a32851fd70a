"""`trees`: the Shapley values of boosted trees fitted to the coalitions, corrected by what the trees missed.

    phi = phi[g] + W (v - g(S)),     g grown on all coalitions, W the residual's reading

The form is that of regression-adjusted Monte Carlo (Witter, Liu & Musco, arXiv 2506.11849), whose residual is read by
the average of each size and membership ("MSR"): W[i, S] = Shapley weight of S / share of its size that was drawn; the
rest, (T - sum phi) / p, goes to all alike, so efficiency is exact. With every coalition seen, phi is exact.
"""

from __future__ import annotations

from ascribe.core.adjusted.boosting import grow
from ascribe.core.adjusted.pairs import Pairs, pairs_of
from ascribe.core.arrays import Float, np
from ascribe.core.plan import Plan, Solved

__all__ = ["held_out", "trees"]

FOLDS = 4


def weights_of(plan: Plan, pairs: Pairs) -> Float[np.ndarray, " m"]:
    """Kernel weight that each coalition stands for, mean 1; empty and grand as the heaviest other."""
    weight = np.empty(len(plan.S))
    mass = pairs.mass.copy()
    mass[0] = mass.max()
    weight[pairs.up] = weight[pairs.down] = mass
    return weight / weight.mean()


def held_out(plan: Plan, pairs: Pairs, v: Float[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
    """Each pair's w less what trees that never saw it predict, by FOLDS folds; grand and empty are always seen."""
    weight, n = weights_of(plan, pairs), len(pairs.s)
    fold = np.append(-1, np.arange(n - 1) % FOLDS)
    errors = np.zeros(n)
    for k in range(FOLDS):
        out = fold == k
        seen = np.concatenate([pairs.up[~out], pairs.down[~out]])
        forest = grow(plan.S[seen], v[seen], weight[seen])
        errors[out] = (v[pairs.up[out]] - v[pairs.down[out]] - forest(plan.S[pairs.up[out]])) / 2
        errors[out] += forest(plan.S[pairs.down[out]]) / 2
    return errors


def trees(plan: Plan, v: Float[np.ndarray, " m"], held: np.ndarray | None = None) -> Solved:
    """Read one row. The deviations are those of the same reading of residuals that no tree had seen."""
    pairs = pairs_of(plan)
    p = plan.S.shape[1]
    forest = grow(plan.S, v, weights_of(plan, pairs))
    phi, g = forest.shapley(p), forest(plan.S)
    on_pairs = pairs.q.T / pairs.share
    on_pairs += (2 * (np.arange(len(pairs.s)) == 0) - on_pairs.sum(axis=0)) / p
    W = pairs.on_values(on_pairs)
    errors = held_out(plan, pairs, v) if held is None else held
    return Solved(W, deviations(pairs, on_pairs, errors), "trees", phi - W @ g)


def deviations(pairs: Pairs, W: Float[np.ndarray, "p n"], errors: Float[np.ndarray, " n"]) -> Float[np.ndarray, "g p"]:
    """Sampling error of W times the residuals, without replacement within each size: parts sqrt(1 - share) W[:, s] e_s,
    summed within groups of pairs.
    """
    parts = (W * np.sqrt(np.maximum(1 - pairs.share, 0)) * errors).T
    return np.array([parts[group].sum(axis=0) for group in pairs.groups()])
