"""Estimators: functions `(p players, budget, seed) -> Plan`, and the table `ESTIMATORS`.

`budget` counts coalitions, the empty and the grand one included. A plan never depends on data, so it is computed once
and cached.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import comb

from scipy.special import gammaln

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.coalitions import all_coalitions, distinct_subsets
from ascribe.core.errors import BudgetError, InputError
from ascribe.core.plan import Plan

__all__ = ["ESTIMATORS", "MAX_EXACT_PLAYERS", "make_plan"]

MAX_EXACT_PLAYERS = 14  # 16,384 coalitions; beyond, the memory of completions and the wait are no longer a request's
AUTO_EXACT_PLAYERS = 10
AUTO_BUDGET = 1024
JACKKNIFE_GROUPS = 16


def exact(p: int, budget: int | None, seed: int) -> Plan:
    """All 2^p coalitions, Shapley (1953):

    W[i, S] = (|S|-1)! (p-|S|)! / p!  if i in S,   -|S|! (p-|S|-1)! / p!  otherwise
    """
    if p > MAX_EXACT_PLAYERS:
        raise BudgetError(
            f"exact needs 2^{p} coalitions; the limit is {MAX_EXACT_PLAYERS} players: "
            "use estimator='kernel' with a budget, or put features into groups"
        )
    if budget is not None and budget < 2**p:
        raise BudgetError(f"exact needs {2**p} coalitions for {p} players, budget is {budget}: use estimator='kernel'")
    S = all_coalitions(p)
    size = S.sum(axis=1)
    with np.errstate(invalid="ignore"):
        joins = np.exp(gammaln(size) + gammaln(p - size + 1) - gammaln(p + 1))
        stays = -np.exp(gammaln(size + 1) + gammaln(p - size) - gammaln(p + 1))
    W = np.where(S.T, joins, stays)
    return Plan(S, W, np.empty((0, *W.shape)), "exact", exact=True)


def permutation(p: int, budget: int | None, seed: int) -> Plan:
    """Random orders, each with its reverse (antithetic); Castro et al. 2009, Mitchell et al. 2022.

        phi_i = mean over orders of  v(before i, i) - v(before i)

    The prefixes of a reversed order are the complements of the order's own, so coalitions are paired.
    """
    if budget is None:
        budget = max(AUTO_BUDGET, 4 * p)
    if budget < 2 * p:
        raise BudgetError(f"permutation needs a budget of at least {2 * p} coalitions for {p} players, got {budget}")
    if p <= 2:
        return exact(p, None, seed)  # both orders are all orders
    pairs = (budget - 2) // (2 * (p - 1))
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(p), (pairs, 1)), axis=1)
    orders = np.stack([orders, orders[:, ::-1]], axis=1)  # (pairs, 2, p)
    place = np.argsort(orders, axis=2)  # place[u, o, i]: where player i stands
    prefixes = place[:, :, None, :] < np.arange(p + 1)[:, None]  # (pairs, 2, p+1, p)
    S, index = np.unique(prefixes.reshape(-1, p), axis=0, return_inverse=True)
    index = index.reshape(pairs, 2, p + 1)
    groups = min(JACKKNIFE_GROUPS, pairs)
    member = np.arange(pairs) % groups
    by_group = np.zeros((groups, p, len(S)))
    for side in range(2):
        for step in range(p):  # the player who joins at this step gains v(after) - v(before)
            joiner = orders[:, side, step]
            np.add.at(by_group, (member, joiner, index[:, side, step + 1]), 0.5)
            np.add.at(by_group, (member, joiner, index[:, side, step]), -0.5)
    total, left = by_group.sum(axis=0), pairs - np.bincount(member)
    dropped = (total - by_group) / left[:, None, None] if groups > 1 else by_group[:0]
    return Plan(*_ordered(S, total / pairs, dropped), "permutation", exact=False)


def kernel(p: int, budget: int | None, seed: int) -> Plan:
    """KernelSHAP as weighted least squares with the efficiency constraint; Lundberg & Lee 2017, Covert & Lee 2021.

    Over proper coalitions Z (m', p) with weights omega, y = v - v(empty), T = v(grand) - v(empty), G = Z' Omega Z:

        phi = a + g (T - 1'a) / (1'g),      a = G^-1 Z' Omega y,   g = G^-1 1

    which is linear in v. Coalitions come with their complements. Sizes are enumerated from the outside while the
    budget covers them; the rest is drawn without replacement within each size, the sizes sharing the budget by their
    kernel mass, and a drawn coalition carries its size's whole mass divided by the number drawn.
    """
    if budget is None:
        budget = max(AUTO_BUDGET, 4 * p)
    if budget >= 2**p and p <= MAX_EXACT_PLAYERS:
        return _least_squares_plan(all_coalitions(p)[1:-1], np.full(2**p - 2, -1), p, seed)
    least = min(2**p, 2 * p + 2) if p <= MAX_EXACT_PLAYERS else 2 * p + 2
    if budget < least:
        raise BudgetError(f"kernel needs a budget of at least {least} coalitions for {p} players, got {budget}")
    rng = np.random.default_rng(seed)
    sizes = np.arange(1, p // 2 + 1)
    population = np.array([comb(p, k) // (2 if 2 * k == p else 1) for k in sizes], dtype=float)  # pairs of each size
    left = (budget - 2) // 2
    take = np.zeros(len(sizes), dtype=int)
    mass = 1.0 / (sizes * (p - sizes)) * np.where(2 * sizes == p, 0.5, 1.0)
    first = 0
    while (first < len(sizes) and left * mass[first] / mass[first:].sum() >= population[first]) or first == 0:
        take[first] = int(population[first])  # singletons always: they make G invertible
        left -= take[first]
        first += 1
    if first < len(sizes):
        take[first:] = _share(int(left), mass[first:], population[first:])
    chosen = [distinct_subsets(p, int(k), int(t), rng) for k, t in zip(sizes, take, strict=True) if t]
    half = np.vstack(chosen)
    drawn = np.repeat(sizes, take) > first  # False: its size is complete
    group = np.where(drawn, (np.cumsum(drawn) - 1) % JACKKNIFE_GROUPS, -1)
    return _least_squares_plan(np.vstack([half, ~half]), np.tile(group, 2), p, seed)


def _share(total: int, mass: Float[np.ndarray, " k"], most: Float[np.ndarray, " k"]) -> np.ndarray:
    """Whole numbers near total * mass / sum(mass), none above `most`, summing to `total` where that is possible."""
    take = np.zeros(len(mass), dtype=int)
    while (rest := total - take.sum()) > 0 and (open_ := take < most).any():
        want = rest * mass * open_ / (mass * open_).sum()
        step = np.minimum(np.floor(want), most - take).astype(int)
        if not step.any():
            order = np.argsort(-want * open_)[:rest]
            step = np.zeros(len(mass), dtype=int)
            step[order] = np.minimum(1, most - take)[order].astype(int)
        take += step
    return take


def _kernel_weights(Z: Bool[np.ndarray, "m p"], p: int) -> Float[np.ndarray, " m"]:
    """Each size's Shapley-kernel mass, shared equally by the coalitions of that size that are in `Z`."""
    size = Z.sum(axis=1)
    count = np.bincount(size, minlength=p + 1)
    return (p - 1) / (size * (p - size)) / count[size]


def _least_squares_plan(Z: Bool[np.ndarray, "m p"], group: np.ndarray, p: int, seed: int) -> Plan:
    """The constrained least-squares matrix over `Z`, and over `Z` without each group (group < 0: never left out)."""
    S = np.vstack([np.zeros((1, p), bool), Z, np.ones((1, p), bool)])
    W = _least_squares_matrix(Z, np.ones(len(Z), bool), p)
    groups = np.unique(group[group >= 0])
    drawn = (group >= 0).sum()
    sampled = np.unique(Z[group >= 0].sum(axis=1))
    population = sum(comb(p, int(k)) for k in sampled)
    shrink = np.sqrt(1 - drawn / population) if population else 0.0
    dropped = [W + shrink * (_least_squares_matrix(Z, group != g, p) - W) for g in groups]
    return Plan(S, W, np.array(dropped).reshape(-1, *W.shape), "kernel", exact=len(Z) == 2**p - 2)


def _least_squares_matrix(Z: Bool[np.ndarray, "m p"], keep: np.ndarray, p: int) -> Float[np.ndarray, "p mm"]:
    W = np.zeros((p, len(Z) + 2))
    share = np.full(p, 1 / p)
    if keep.any():
        z = Z[keep].astype(float)
        omega = _kernel_weights(Z[keep], p)
        inverse = np.linalg.inv(z.T @ (omega[:, None] * z))
        a = inverse @ (z.T * omega)
        share = inverse.sum(axis=1) / inverse.sum()
        inner = a - np.outer(share, a.sum(axis=0))
        W[:, 1:-1][:, keep] = inner
        W[:, 0] = -inner.sum(axis=1)
    W[:, -1] += share
    W[:, 0] -= share
    return W


def _ordered(S: np.ndarray, W: np.ndarray, jackknife: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same plan with the empty coalition first and the grand one last."""
    order = np.argsort(S.sum(axis=1), kind="stable")
    return S[order], W[:, order], jackknife[:, :, order]


ESTIMATORS: dict[str, Callable[[int, int | None, int], Plan]] = {
    "exact": exact,
    "permutation": permutation,
    "kernel": kernel,
}


@lru_cache(maxsize=8)  # a plan at the largest budget holds tens of megabytes
def make_plan(estimator: str, p: int, budget: int | None = None, seed: int = 0) -> Plan:
    """The plan of an estimator by name; `auto` enumerates to 10 players (or as far as `budget` allows) and samples
    with `kernel` above.

    Raises InputError for an unknown name or no players, BudgetError where the budget does not fit.

    >>> make_plan("exact", 3).W.sum(axis=0).round(12).tolist()[-1]
    1.0
    """
    if p < 1:
        raise InputError("there are no features to attribute to")
    if budget is not None and budget < 2:
        raise BudgetError(f"a budget counts the empty and the grand coalition, so it is at least 2; got {budget}")
    if estimator == "auto":
        whole = 2**p if p <= MAX_EXACT_PLAYERS else None
        fits = whole is not None and (p <= AUTO_EXACT_PLAYERS if budget is None else whole <= budget)
        estimator = "exact" if fits else "kernel"
    if estimator not in ESTIMATORS:
        raise InputError(f"unknown estimator '{estimator}': use one of auto, {', '.join(ESTIMATORS)}")
    return exact(p, None, seed) if p == 1 else ESTIMATORS[estimator](p, budget, seed)
