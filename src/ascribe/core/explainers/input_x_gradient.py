"""Input x Gradient: what each column would add if the model were linear with its slope here.

    value_j = x_j df / dx_j            of a word: the sum over its vector

Of a linear model without a constant it is the whole prediction; of others it sums to nothing in particular. Shrikumar,
Greenside, Shcherbina and Kundaje, 2016, arXiv 1605.01713.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.slopes import slopes

__all__ = ["input_x_gradient"]


def input_x_gradient(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """One pass; nothing of `options` has a say. In the output's unit."""
    assert model.gradient is not None
    gradient = model.gradient

    def ask(rows: Float[np.ndarray, "a n"]) -> Found:
        Z = gradient.points(rows)
        f, g = slopes(gradient, Z, rows)
        return Found(gradient.shares(Z * g, rows.shape[1]), f, budget=1, samples=1)

    return answered(model, X, Kind("input_x_gradient", "slope", "gradient", "product"), options, step, ask)
