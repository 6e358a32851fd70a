"""Random orders of the players."""

from __future__ import annotations

from ascribe.core.arrays import np
from ascribe.core.errors import BudgetError
from ascribe.core.estimators.enumeration import exact, usual_budget
from ascribe.core.plan import Plan

__all__ = ["permutation"]

JACKKNIFE_GROUPS = 16
MOST_ORDERS = 4  # times those that would fit if no coalition came twice: with few players, more orders cost nothing


def permutation(p: int, budget: int | None, seed: int) -> Plan:
    """Random orders, each with its reverse (antithetic); Castro et al. 2009, Mitchell et al. 2022.

        phi_i = mean over orders of  v(before i, i) - v(before i)

    The prefixes of a reversed order are the complements of the order's own, so coalitions are paired. A coalition that
    comes again costs nothing, so orders are added while the distinct coalitions fit the budget. That rule treats
    all players alike, so every order stays equally likely and the mean stays unbiased.
    """
    if budget is None:
        budget = usual_budget(p)
    if budget < 2 * p:
        raise BudgetError(f"permutation needs a budget of at least {2 * p} coalitions for {p} players, got {budget}")
    if p <= 2:
        return exact(p, None, seed)  # both orders are all orders
    orders, S, index = _fitting_orders(p, budget, np.random.default_rng(seed))
    pairs = len(orders)
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
    order = np.argsort(S.sum(axis=1), kind="stable")  # the empty coalition first, the grand one last
    return Plan(S[order], total[:, order] / pairs, dropped[:, :, order], "permutation", exact=False)


def _fitting_orders(p: int, budget: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orders with their reverses (pairs, 2, p), as many as fit; their distinct prefixes (m, p); and which prefix each
    step has reached (pairs, 2, p+1).
    """
    least = (budget - 2) // (2 * (p - 1))
    orders = rng.permuted(np.tile(np.arange(p), (MOST_ORDERS * least, 1)), axis=1)
    orders = np.stack([orders, orders[:, ::-1]], axis=1)
    place = np.argsort(orders, axis=2)  # place[u, o, i]: where player i stands
    prefixes = place[:, :, None, :] < np.arange(p + 1)[:, None]  # (pairs, 2, p+1, p)
    packed = np.packbits(prefixes.reshape(-1, p), axis=1)
    _, first = np.unique(packed, axis=0, return_index=True)
    new = np.bincount(first // (2 * (p + 1)), minlength=len(orders))  # distinct coalitions that each pair brings
    pairs = int(np.searchsorted(np.cumsum(new), budget, side="right"))
    kept = prefixes[:pairs].reshape(-1, p)
    S, index = np.unique(kept, axis=0, return_inverse=True)
    return orders[:pairs], S, index.reshape(pairs, 2, p + 1)
