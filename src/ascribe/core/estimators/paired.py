"""Coalitions with their complements, drawn by size without replacement, and weighted least squares over them."""

from __future__ import annotations

from collections.abc import Callable

from scipy.special import stdtrit

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.coalitions import all_coalitions, distinct_subsets, pairs_of_sizes, signs
from ascribe.core.errors import BudgetError
from ascribe.core.estimators.enumeration import MAX_EXACT_PLAYERS, usual_budget
from ascribe.core.plan import GROUPS, Plan

__all__ = ["kernel", "leverage"]

CELLS = 1 << 26  # numbers in the matrices that tell a plan's error, half a gigabyte: wide tables have fewer groups
FEW = 4  # groups, at least
SPARE = 2  # pairs beyond the players: with fewer there is no residual to speak of, and no error is stated


def kernel(p: int, budget: int | None, seed: int) -> Plan:
    """KernelSHAP as weighted least squares with the efficiency constraint; Lundberg & Lee 2017, Covert & Lee 2021.

    Over proper coalitions Z (m', p) with weights omega, y = v - v(empty), T = v(grand) - v(empty), G = Z' Omega Z:

        phi = a + g (T - 1'a) / (1'g),      a = G^-1 Z' Omega y,   g = G^-1 1

    which is linear in v. Coalitions come with their complements. Sizes are enumerated from the outside while the
    budget covers them; the rest is drawn without replacement within each size, the sizes sharing the budget by their
    kernel mass 1/(k (p-k)), and a drawn coalition carries its size's whole mass divided by the number drawn.
    """
    return _paired("kernel", p, budget, seed, lambda k: 1.0 / (k * (p - k)))


def leverage(p: int, budget: int | None, seed: int) -> Plan:
    """The same regression over coalitions drawn by leverage; Musco & Witter 2024 (arXiv 2410.01917).

    All sizes share the budget equally, that is, a pair {S, S^c} is kept with probability min(1, kappa / C(p, |S|)):
    a row's leverage in the regression is the same for all sizes in total. A drawn coalition carries its kernel weight
    over its probability. Sizes that the share covers are enumerated.
    """
    return _paired("leverage", p, budget, seed, lambda k: np.ones(len(k)))


def _paired(name: str, p: int, budget: int | None, seed: int, mass_of: Callable[[np.ndarray], np.ndarray]) -> Plan:
    if budget is None:
        budget = usual_budget(p)
    if budget >= 2**p and p <= MAX_EXACT_PLAYERS:
        half = all_coalitions(p)[1 : 2 ** (p - 1)]  # without the last player
        return _plan(name, np.vstack([half, ~half]), np.full(2**p - 2, -1), p)
    least = min(2**p, 2 * p + 2) if p <= MAX_EXACT_PLAYERS else 2 * p + 2
    if budget < least:
        raise BudgetError(f"{name} needs a budget of at least {least} coalitions for {p} players, got {budget}")
    sizes = np.arange(1, p // 2 + 1)
    population = pairs_of_sizes(p)[1:]
    mass = mass_of(sizes) * np.where(2 * sizes == p, 0.5, 1.0)
    rng = np.random.default_rng(seed)
    if name == "leverage":
        plan = _drawn(name, p, sizes, _share((budget - 2) // 2, mass, population), population, rng)
        if plan is not None:
            return plan
    take = np.zeros(len(sizes), dtype=int)
    left, first = (budget - 2) // 2, 0
    while (first < len(sizes) and left * mass[first] / mass[first:].sum() >= population[first]) or first == 0:
        take[first] = int(population[first])  # singletons always: they make G invertible
        left -= take[first]
        first += 1
    if first < len(sizes):
        take[first:] = _share(int(left), mass[first:], population[first:])
    plan = _drawn(name, p, sizes, take, population, rng)
    assert plan is not None
    return plan


def _drawn(
    name: str, p: int, sizes: np.ndarray, take: np.ndarray, population: np.ndarray, rng: np.random.Generator
) -> Plan | None:
    """`take` pairs of each size; None where their differences v(S) - v(S^c) do not determine p values.

    With efficiency fewer would do, and err by twice as much.
    """
    half = np.vstack([distinct_subsets(p, int(k), int(t), rng) for k, t in zip(sizes, take, strict=True) if t])
    drawn = np.repeat(take < population, take)  # False: its size is complete
    groups = min(GROUPS, max(FEW, CELLS // (2 * p * len(half))))
    group = np.where(drawn, (np.cumsum(drawn) - 1) % groups, -1)
    if take[0] != population[0] and np.linalg.matrix_rank(signs(half), tol=0.5) < p:
        return None
    return _plan(name, np.vstack([half, ~half]), np.tile(group, 2), p)


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
    return (p - 1) / (size * (p - size)) / np.bincount(size)[size]


def _plan(name: str, Z: Bool[np.ndarray, "m p"], group: np.ndarray, p: int) -> Plan:
    """The constrained least-squares matrix over `Z`, whose second half are the complements of the first, and its moves
    by groups of pairs (group < 0: a complete size).

    A pair with residual r = (v(S) - v(S^c) - s' phi) / 2 and leverage h moves phi by A r, A its column; a group by

        sum over its pairs of  A r sqrt((1 - share drawn of its size) / (1 - h)^(1 + mean h)),  less their size's mean
    (the only pair of its size is its own mean, and counts whole)

    that is White's estimator for finite populations, its correction for leverage between HC2 and HC3 of MacKinnon &
    White (1985): HC2 is right in large plans, the wider HC3 (the jackknife) in the smallest. The matrices of
    `jackknife` are W with these moves, so scaled that `Plan.solved` gives them back, wider by Student's t over the
    normal quantile: with so few groups 1.96 standard errors would cover less than 95 %.
    """
    S = np.vstack([np.zeros((1, p), bool), Z, np.ones((1, p), bool)])
    W = _matrix(Z, p)
    n = len(Z) // 2
    groups = np.unique(group[group >= 0]) if n >= p + SPARE else np.empty(0, dtype=int)
    size = Z[:n].sum(axis=1)
    count = np.bincount(size)[size]
    share = count / pairs_of_sizes(p)[np.minimum(size, p - size)]
    s, A = signs(Z[:n]), 2 * W[:, 1 : n + 1]
    h = np.minimum(np.einsum("np,pn->n", s, A) / 2, 1 - 1e-3)
    A = A * np.sqrt(np.maximum(1 - share, 0) / (1 - h) ** (1 + min(p / max(n, 1), 1)))
    A = A * np.sqrt(count / np.maximum(count - 1, 1))
    spare = max(len(groups) - 1, 1)
    scale = np.sqrt(len(groups) / spare) * stdtrit(spare, 0.975) / stdtrit(np.inf, 0.975) / 2
    moved = np.empty((len(groups), *W.shape))
    for g, move in zip(groups, moved, strict=True):
        inside = group[:n] == g
        part = scale * A * (inside - np.where(count > 1, np.bincount(size, inside)[size] / count, 0))
        move[:] = W - part @ s @ W
        move[:, 1 : n + 1] += part
        move[:, n + 1 : -1] -= part
    return Plan(S, W, moved, name, exact=len(Z) == 2**p - 2)


def _matrix(Z: Bool[np.ndarray, "m p"], p: int) -> Float[np.ndarray, "p mm"]:
    W = np.zeros((p, len(Z) + 2))
    share = np.full(p, 1 / p)
    if len(Z):
        z, omega = Z.astype(float), _kernel_weights(Z, p)
        inverse = np.linalg.inv(z.T @ (omega[:, None] * z))
        a = inverse @ (z.T * omega)
        share = inverse.sum(axis=1) / inverse.sum()
        inner = a - np.outer(share, a.sum(axis=0))
        W[:, 1:-1] = inner
        W[:, 0] = -inner.sum(axis=1)
    W[:, -1] += share
    W[:, 0] -= share
    return W
