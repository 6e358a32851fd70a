"""Scales by which a model's own games are read (`core.adjusted.learnt`): fitted on some training rows, judged on
others.

Both kernels are fitted; the one that errs less on rows of its own, against many more coalitions, is kept, and how much
it errs over what it says widens its error bars.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ascribe.core.adjusted.learnt import Reading, fit_scales, learnt
from ascribe.core.arrays import evenly
from ascribe.core.estimators import make_plan
from ascribe.core.games import Game
from ascribe.core.plan import Plan

__all__ = ["fit_reading"]

ROWS, FITTED, REFERENCE = 48, 768, 8192  # half of the rows to fit on, half to judge on; coalitions
FEW_ROWS, FEW_FITTED, FEW_REFERENCE = 24, 384, 2048  # where each value costs completions
MARGIN = 1.15  # rows that come later err more than training rows
PULL = 8  # rows that the mean over players counts as in a player's own mean
KINDS = ("odd", "unanimity")


def fit_reading(game: Game, prediction: np.ndarray, X: np.ndarray, budget: int, seed: int = 0) -> Reading | None:
    """For plans of `budget` coalitions over the features of `X (rows, n)`; `prediction (rows,)` of f. None where such a
    plan has all coalitions.
    """
    n = X.shape[1]
    plan = make_plan("odd", n, budget, seed)
    if plan.exact:
        return None
    quick = game.value == "surrogate"
    rows, fitted, reference = (ROWS, FITTED, REFERENCE) if quick else (FEW_ROWS, FEW_FITTED, FEW_REFERENCE)
    at = evenly(len(X), rows)
    fit, judge = at[::2], at[1::2]
    wide = make_plan("kernel", n, min(fitted, 2**n), seed + 1)
    V = _values(game, wide, X[fit], prediction[fit])
    many = make_plan("kernel", n, min(reference, 2**n), seed + 2)
    truth = _values(game, many, X[judge], prediction[judge]) @ many.W.T
    few = _values(game, plan, X[judge], prediction[judge])
    found = []
    for kind in KINDS:
        reading = fit_scales(kind, wide, V)
        own = learnt(plan, reading)
        missed, told = few @ own.W.T - truth, own.coalition_stderr(few)
        square = (missed**2).mean(axis=0)
        error = float(square.mean())
        widen = np.sqrt(error / max((told**2).mean(), np.finfo(float).tiny))
        floor = np.sqrt((len(judge) * square + PULL * error) / (len(judge) + PULL))
        half = MARGIN * np.sqrt(0.5)
        kept = replace(reading, widen=float(half * widen), floor=tuple((half * floor).tolist()), judged=len(plan.S))
        found.append((error, kept))
    return min(found, key=lambda pair: pair[0])[1]


def _values(game: Game, plan: Plan, X: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    V = np.empty((len(X), len(plan.S)))
    V[:, 0], V[:, -1] = game.base_value, prediction
    for row, x in zip(V, X, strict=True):
        row[1:-1] = game.values(x, plan.S[1:-1]).v
    return V
