"""`auto`: several readings of the same values; the one that predicts held-out pairs best answers.

Each candidate's errors e on pairs that it has not seen (in closed form where the reading is linear, by folds for trees;
a coalition and its complement stay together) are scored by what such errors on the pairs that were not drawn would do
to phi:

    score = sum over pairs of a e^2,     a = (1/share - 1) sum_i q_i^2

The winner is fitted on all values. Its deviations are its own, a little wider: the best of several noisy scores looks
better than it is (PICKED in `odd`).
"""

from __future__ import annotations

from ascribe.core.adjusted.cube import Cube
from ascribe.core.adjusted.odd import Regression, by_the_plan, fitted, solved
from ascribe.core.adjusted.pairs import Pairs, pairs_of
from ascribe.core.adjusted.trees import held_out, trees
from ascribe.core.adjusted.unanimity import Unanimity
from ascribe.core.arrays import Float, np
from ascribe.core.plan import Plan, Solved

__all__ = ["auto", "linear_left_out"]

WORTH_TREES = 0.25  # of the single terms' score: below, the regressions leave trees nothing to win
LEAST_PAIRS = 8  # per player: trees need rows


def linear_left_out(pairs: Pairs, w: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Left-out errors of the weighted fit of single terms: e / (1 - h)."""
    root = np.sqrt(np.maximum(pairs.mass, pairs.mass[1:].max() * (np.arange(len(w)) == 0)))
    Q = np.linalg.qr(pairs.s * root[:, None])[0]
    return (w - Q @ (Q.T @ (root * w)) / root) / np.maximum(1 - (Q**2).sum(axis=1), 1e-9)


def auto(plan: Plan, v: Float[np.ndarray, " m"]) -> Solved:
    """Read one row by whatever predicts it best."""
    pairs = pairs_of(plan)
    w = pairs.odd(v)
    a = (1 / pairs.share - 1) * (pairs.q**2).sum(axis=1)
    found: dict[str, Regression] = {}
    for name, kind in (("odd", Cube), ("unanimity", Unanimity)):
        one = fitted(kind, pairs, w)
        if one is not None:
            found[name] = one
    scores = {name: float(a @ one.left_out() ** 2) for name, one in found.items()}
    if not scores:
        return by_the_plan(plan, v)
    plain = float(a @ linear_left_out(pairs, w) ** 2)
    best = min(scores, key=scores.__getitem__)
    if scores[best] > WORTH_TREES * plain and len(w) >= LEAST_PAIRS * pairs.s.shape[1]:
        held = held_out(plan, pairs, v)
        if float(a @ held**2) < scores[best]:
            return trees(plan, v, held)
    return solved(pairs, found[best], best, picked=True)
