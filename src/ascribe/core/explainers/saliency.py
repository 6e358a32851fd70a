"""Saliency: how steeply the output changes with each column, without sign.

    value_j = | df / dx_j |            of a word: the sum over its vector

In the output's unit for one unit of the column; a pixel's unit is 1 of 255. It shares nothing out and sums to nothing.
Simonyan, Vedaldi and Zisserman, 2013, arXiv 1312.6034; the same as Captum's with its default `abs=True`.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.slopes import slopes

__all__ = ["saliency"]


def saliency(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """One pass; nothing of `options` has a say."""
    assert model.gradient is not None
    gradient = model.gradient

    def ask(rows: Float[np.ndarray, "a n"]) -> Found:
        f, g = slopes(gradient, gradient.points(rows), rows)
        return Found(gradient.shares(np.abs(g), rows.shape[1]), f, budget=1, samples=1)

    unit = f"{model.unit} per unit of the input" if model.unit else ""
    return answered(model, X, Kind("saliency", "slope", "gradient", "absolute", unit=unit), options, step, ask)
