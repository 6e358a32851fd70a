"""Integrated Gradients: the slope gathered on the straight way from a baseline to the row.

    phi_j = (x_j - x0_j) integral_0^1 df/dx_j (x0 + a (x - x0)) da,      sum of phi = f(x) - f(x0)

What the sum over steps leaves of that is the completeness gap. Where no number of steps is named it is doubled, row by
row, until the gap is below `tolerance` of the difference. Words are shares of their vectors, summed. Sundararajan, Taly
and Yan, 2017, arXiv 1703.01365.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.baselines import baseline_rows
from ascribe.core.errors import InputError
from ascribe.core.gradient import Gradient
from ascribe.core.model import Model
from ascribe.core.options import Options, Path
from ascribe.core.quadrature import quadrature
from ascribe.core.slopes import integral, slopes
from ascribe.core.spending import MOST_STEPS

__all__ = ["integrated_gradients"]

FIRST = 16  # steps, where they are doubled
ROUNDING = 1e-4  # of a prediction: a difference below this is told from rounding by no number of steps


def integrated_gradients(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By `options.path` and `options.baseline`. A row whose gap is still too large after 1,024 steps is answered, as
    `above_target`. `budget` of the answer: the most steps that a row took.

    Raises InputError for an unknown rule or baseline, or a tolerance that is not positive.
    """
    assert model.gradient is not None
    gradient, path = model.gradient, options.path
    if path.steps is None and not path.tolerance > 0:
        raise InputError(f"tolerance is a positive share of the difference of two predictions, not {path.tolerance}")

    def ask(rows: Float[np.ndarray, "a n"]) -> Found:
        start = gradient.points(baseline_rows(model, rows, options.baseline))
        return _gathered(gradient, start, gradient.points(rows), rows, path)

    kind = Kind("integrated_gradients", "baseline", "path", path.rule, "completeness_gap")
    return answered(model, X, kind, options, step, ask)


def _gathered(gradient: Gradient, start: np.ndarray, end: np.ndarray, rows: np.ndarray, path: Path) -> Found:
    before, after = slopes(gradient, start, rows)[0], slopes(gradient, end, rows)[0]
    rise, span = after - before, end - start
    steps = FIRST if path.steps is None else path.steps
    left, parts, gap = np.arange(len(rows)), np.zeros(span.shape), np.full(len(rows), np.nan)
    allowed = path.tolerance * np.maximum(np.abs(rise), ROUNDING * np.abs(after))
    while True:
        found = integral(gradient, start[left], end[left], rows[left], *quadrature(path.rule, steps))
        parts[left] = found * span[left]
        gap[left] = np.abs(rise[left] - parts[left].sum(axis=1))
        left = left[gap[left] > allowed[left]]  # a row that is not a number is done too
        if path.steps is not None or not len(left) or 2 * steps > MOST_STEPS:
            break
        steps *= 2
    remarks = {} if path.steps is not None else {
        i: ("above_target", f"completeness gap {gap[i]:.3g} of a difference of {rise[i]:.3g} after {steps} steps")
        for i in left.tolist()
    }  # fmt: skip
    return Found(gradient.shares(parts, rows.shape[1]), after, before, remarks=remarks, budget=steps, samples=1)
