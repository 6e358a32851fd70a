"""Shapley values of the marginal (interventional) game over a background, as KernelSHAP plays it, or of one baseline.

Hidden features come from background rows whatever is observed: right when features are independent, wrong by more
than 100 completions' noise when they are correlated. The answer says `game="marginal"`, or `game="baseline"` where a
baseline was named or the model has no background. Players: features of a table or groups of them, segments of an image,
words of a text (`core.players`).
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.segmented import shapley_by_reference

__all__ = ["kernel_shap"]


def kernel_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By the mean of f over what stands for the absent. Raises InputError, BudgetError."""
    return shapley_by_reference(model, X, "kernel_shap", options, step)
