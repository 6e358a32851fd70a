"""TreeSHAP, path-dependent: exact values of the game that the trees' own cover defines; no background.

v(S) follows both branches, weighted by cover, at every split on a feature outside S: what xgboost's `pred_contribs` and
LightGBM's `pred_contrib` answer. The values are of the margin: log-odds of a classifier.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.trees.answering import attributed, kept
from ascribe.core.trees.values import Shares, path_dependent

__all__ = ["tree_shap"]

_SHARES: WeakKeyDictionary[Model, Shares] = WeakKeyDictionary()


def tree_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """From tables that are made when a model is first asked. Raises InputError for groups, and as `kept` does."""
    return attributed(model, kept(_SHARES, model, path_dependent), X, "tree_shap", "path-dependent", options, step)
