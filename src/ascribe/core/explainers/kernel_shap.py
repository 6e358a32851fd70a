"""Shapley values of the marginal (interventional) game over a background, as KernelSHAP plays it.

Hidden features come from background rows whatever is observed: right when features are independent, wrong by more
than 100 completions' noise when they are correlated. The answer says `game="marginal"`.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.games import MarginalGame
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.shapley import shapley

__all__ = ["kernel_shap", "marginal_game"]


def kernel_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By the mean of f over the background rows."""
    return shapley(model, marginal_game(model, options), X, "kernel_shap", options, step)


def marginal_game(model: Model, options: Options) -> MarginalGame:
    """Every background row is used; none is dropped in silence."""
    assert model.predict is not None and model.background is not None
    return MarginalGame(model.predict, model.background)
