"""All coalitions: nothing left to chance."""

from __future__ import annotations

from ascribe.core.arrays import np
from ascribe.core.coalitions import all_coalitions, shapley_weights
from ascribe.core.errors import BudgetError
from ascribe.core.plan import Plan

__all__ = ["MAX_EXACT_PLAYERS", "exact", "usual_budget"]

AUTO_BUDGET = 1024
MAX_EXACT_PLAYERS = 14  # 16,384 coalitions; beyond, the memory of completions and the wait are no longer a request's


def usual_budget(p: int) -> int:
    """Of a sampled plan of p players, where none is named."""
    return max(AUTO_BUDGET, 4 * p)


def exact(p: int, budget: int | None, seed: int) -> Plan:
    """All 2^p coalitions, each with its Shapley weight."""
    if p > MAX_EXACT_PLAYERS:
        raise BudgetError(
            f"exact needs 2^{p} coalitions; the limit is {MAX_EXACT_PLAYERS} players: "
            "use estimator='kernel' with a budget, or put features into groups"
        )
    if budget is not None and budget < 2**p:
        raise BudgetError(f"exact needs {2**p} coalitions for {p} players, budget is {budget}: use estimator='kernel'")
    S = all_coalitions(p)
    W = shapley_weights(S).T
    return Plan(S, W, np.empty((0, *W.shape)), "exact", exact=True)
