"""Shapley values by random orders: the game of `kernel_shap`, read by what each player adds when it joins.

    phi_i = mean over orders and their reverses of  v(before i, i) - v(before i)

Unbiased for any game, additive exactly, with a standard error from groups of orders; nothing is fitted. With the same
budget it errs more than `kernel_shap` in most games: ask it where a fit is not trusted. Castro et al. 2009,
Mitchell et al. 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.segmented import shapley_by_reference

__all__ = ["permutation_shap"]


def permutation_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """The estimator of `options` has no say. Raises InputError, BudgetError for fewer than 2p coalitions."""
    options = replace(options, estimator="permutation")
    return shapley_by_reference(model, X, "permutation_shap", options, step)
