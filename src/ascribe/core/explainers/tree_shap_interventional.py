"""TreeSHAP, interventional: exact Shapley values of the marginal game over every background row.

What `kernel_shap` estimates, from the trees themselves: work grows as rows + background rows, and there is no error of
sampling. The values are of the margin: log-odds of a classifier.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.trees.answering import attributed, kept
from ascribe.core.trees.values import Shares, interventional

__all__ = ["tree_shap_interventional"]

_SHARES: WeakKeyDictionary[Model, Shares] = WeakKeyDictionary()


def tree_shap_interventional(
    model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None
) -> Attribution:
    """From tables that are made when a model is first asked. Raises InputError for groups, and as `kept` does."""
    assert model.background is not None
    background = model.background
    shares = kept(_SHARES, model, lambda trees: interventional(trees, background))
    return attributed(model, shares, X, "tree_shap_interventional", "marginal", options, step)
