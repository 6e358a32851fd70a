"""Estimators: functions `(p players, budget, seed) -> Plan`, and the table `ESTIMATORS`.

`budget` counts coalitions, the empty and the grand one included. A plan never depends on data, so it is computed once
and cached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from ascribe.core.adjusted import ADJUSTED
from ascribe.core.errors import BudgetError, InputError
from ascribe.core.estimators.enumeration import MAX_EXACT_PLAYERS, exact
from ascribe.core.estimators.orders import permutation
from ascribe.core.estimators.paired import kernel, leverage
from ascribe.core.plan import Plan

__all__ = [
    "AUTO_EXACT_PLAYERS", "ESTIMATORS", "FITTED_BUDGET", "FITTED_PER_PLAYER", "MAX_EXACT_PLAYERS", "make_plan",
]  # fmt: skip

AUTO_EXACT_PLAYERS = 10
FITTED_BUDGET, FITTED_PER_PLAYER = 512, 16  # half of what a fixed matrix gets by default, for less error

ESTIMATORS: dict[str, Callable[[int, int | None, int], Plan]] = {
    "exact": exact,
    "permutation": permutation,
    "kernel": kernel,
    "leverage": leverage,
}


@lru_cache(maxsize=8)  # a plan at the largest budget holds tens of megabytes
def make_plan(estimator: str, p: int, budget: int | None = None, seed: int = 0) -> Plan:
    """The plan of an estimator by name.

    The names of `ADJUSTED` (`auto`, `odd`, `trees`) stand for the coalitions of `kernel`, to be read by
    `ascribe.core.adjusted.read`; where the budget covers all 2^p of them (without a budget: to 10 players), the plan is
    exact.

    Raises InputError for an unknown name or no players, BudgetError where the budget does not fit.

    >>> make_plan("exact", 3).W.sum(axis=0).round(12).tolist()[-1]
    1.0
    """
    if p < 1:
        raise InputError("there are no features to attribute to")
    if budget is not None and budget < 2:
        raise BudgetError(f"a budget counts the empty and the grand coalition, so it is at least 2; got {budget}")
    if estimator not in ESTIMATORS and estimator not in ADJUSTED:
        raise InputError(f"unknown estimator '{estimator}': use one of {', '.join([*ADJUSTED, *ESTIMATORS])}")
    if p == 1:
        return exact(p, None, seed)
    if estimator in ESTIMATORS:
        return ESTIMATORS[estimator](p, budget, seed)
    enough = 2**AUTO_EXACT_PLAYERS if budget is None else budget
    if p <= MAX_EXACT_PLAYERS and 2**p <= enough:
        return exact(p, None, seed)
    budget = max(FITTED_BUDGET, FITTED_PER_PLAYER * p) if budget is None else budget
    return replace(kernel(p, budget, seed), estimator=estimator)
