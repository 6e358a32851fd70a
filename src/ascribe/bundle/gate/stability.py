"""Did the explanation move where the prediction did not?

On the same rows and with the same plan, with phi (rows, n) in the output's unit:

    moved     = |phi_candidate - phi_production| / |phi_production|          Frobenius norms over all rows
    own       = |phi_candidate(seed 0) - phi_candidate(seed 1)| / |phi_candidate|
    explained = |d_candidate - d_production| / |d_production|               d = f(x) - base value
    rank      = mean over rows of Spearman's correlation of the two rows of phi

A candidate is refused where its attributions move far and neither its own noise nor its predictions account for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.bundle.gate.compare import Said, spread
from ascribe.core.attribution import Attribution
from ascribe.core.explainers import explain
from ascribe.core.faithfulness.agreement import rank_correlation
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["Stability", "moved", "stability", "told"]

ROWS, SAMPLES, LEAST_BUDGET, BUDGET_OF_EACH = 24, 16, 128, 16
SMALL = 6  # features: all coalitions are asked
FAR, SAME_ORDER = 0.5, 0.5
ACCOUNTED = 2.0  # how many times noise and predictions together it may be
NOISY = 0.5  # attributions that differ by half of themselves from seed to seed say nothing


@dataclass(frozen=True)
class Stability:
    """See above; None where there is no production to compare with."""

    own: float
    moved: float | None = None
    explained: float | None = None
    rank: float | None = None


def stability(candidate: Model, production: Model | None, X: np.ndarray) -> Stability | None:
    """Of rows X (rows, n) in natural units; None where either has no conditional, or no row can be answered."""
    if candidate.conditional is None or (production is not None and production.conditional is None):
        return None
    rows = spread(X, ROWS)
    mine, again = _asked(candidate, rows, 0), _asked(candidate, rows, 1)
    theirs = None if production is None else _asked(production, rows, 0)
    held = [a.values for a in (mine, again, theirs) if a is not None]
    good = np.isfinite(np.stack(held)).all(axis=(0, 2))
    if not good.any():
        return None
    own = _relative(mine.values[good], again.values[good])
    if theirs is None:
        return Stability(own)
    return Stability(own, *moved(mine, theirs, good, good))


def moved(mine: Attribution, theirs: Attribution, at: np.ndarray, its: np.ndarray) -> tuple[float, float, float]:
    """`moved`, `explained` and `rank` of rows `at` of one answer against rows `its` of the other."""
    phi, other = mine.values[at], theirs.values[its]
    d, e = np.asarray(mine.prediction)[at] - mine.base_value, np.asarray(theirs.prediction)[its] - theirs.base_value
    rank = float(np.mean([_spearman(a, b) for a, b in zip(phi, other, strict=True)]))
    return _relative(other, phi), _relative(e, d), rank


def told(found: Stability, said: Said) -> None:
    """Reasons for and against."""
    if found.own:
        said.say(found.own <= NOISY, f"attributions differ by {found.own:.2g} of themselves from seed to seed")
    if found.moved is None or found.explained is None or found.rank is None:
        return
    accounted = ACCOUNTED * (found.own + found.explained)
    astray = found.moved > FAR and found.rank < SAME_ORDER and found.moved > accounted
    text = (
        f"attributions {'moved far' if astray else 'moved'} by {found.moved:.2g} of production's (rank correlation "
        f"{found.rank:.2f}); predictions moved by {found.explained:.2g}, seeds by {found.own:.2g}"
    )
    said.say(not astray, text)


def _asked(model: Model, rows: np.ndarray, seed: int) -> Attribution:
    """By the estimator that compiled tiers have, where there is one: it is quick, and reads 512 coalitions of 32
    features four times as exactly as a plain fit does.
    """
    estimator = "auto" if len(model.names) <= SMALL else "learnt" if model.reading is not None else "kernel"
    budget = max(LEAST_BUDGET, BUDGET_OF_EACH * len(model.names))
    return explain(model, rows, options=Options(estimator, budget, SAMPLES, seed))


def _relative(reference: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(other - reference) / max(np.linalg.norm(reference), np.finfo(float).tiny))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of ranks; 1 where one of them has no order."""
    rho = rank_correlation(a, b)
    return rho if np.isfinite(rho) else 1.0
