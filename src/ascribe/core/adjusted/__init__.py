"""Adjusted readings: one row's Shapley values from its coalition values, by a fit to those values.

A plan says which coalitions are asked for; a reading turns their values into phi. Linear plans carry their matrix; the
readings in the table `ADJUSTED` make one for each row, from a model of the game whose Shapley values are exact. All
need coalitions that come with their complements.

`Pairs` a plan's coalitions two by two; `Cube`, `Unanimity` kernels on coalitions; `Regression` a Gaussian-process fit;
`Forest` boosted trees.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.adjusted.auto import auto
from ascribe.core.adjusted.odd import by_the_plan, odd, unanimity
from ascribe.core.adjusted.trees import trees
from ascribe.core.arrays import Float, np
from ascribe.core.plan import Plan, Solved

__all__ = ["ADJUSTED", "MOST", "read"]

MOST = 8192

ADJUSTED: dict[str, Callable[[Plan, np.ndarray], Solved]] = {
    "auto": auto,
    "odd": odd,
    "unanimity": unanimity,
    "trees": trees,
}


def read(plan: Plan, v: Float[np.ndarray, " m"]) -> Solved:
    """One row's values through its plan: phi = W v + offset, and what the choice of coalitions leaves uncertain.

    `Solved.estimator` says what was used in the end (`auto` names its winner; few pairs fall back to the plan's own
    matrix). Deterministic. Above `MOST` coalitions a fit would take minutes and gigabytes: the plan's matrix reads
    them.
    """
    if plan.exact or plan.estimator not in ADJUSTED:
        return plan.solved(v)
    return by_the_plan(plan, v) if len(plan.S) > MOST else ADJUSTED[plan.estimator](plan, v)
