"""scikit-learn -> `Trees`, from the arrays of fitted trees, forests and boosted trees.

Trees and forests go left where x <= threshold, x in single precision and thresholds in double; histogram boosting
compares in double precision. Forests average; a classifying forest holds probabilities, so its values are shares of a
probability. `cover` is the weight of rows (their number in histogram boosting), as shap weighs branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # the extra trees are kinds of these

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees
from ascribe.train.adapters.sklearn_histogram import histogram_parts
from ascribe.train.adapters.tree_parts import Part, joined

__all__ = ["sklearn_trees"]

TREES = (DecisionTreeClassifier, DecisionTreeRegressor)
FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
BOOSTED = (GradientBoostingClassifier, GradientBoostingRegressor)
HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
LOG_LINK = ("poisson", "gamma")


def sklearn_trees(model: Any) -> Trees:
    """A fitted tree, forest, gradient boosting or histogram gradient boosting. Raises InputError for other models, for
    several targets, and for boosting that starts from another model or has the exponential loss.
    """
    if isinstance(model, (*TREES, *FORESTS)):
        return _forest(model, [model] if isinstance(model, TREES) else model.estimators_)
    if isinstance(model, BOOSTED):
        return _boosted(model)
    if isinstance(model, HISTOGRAMS):
        return _histogram(model)
    kinds = ", ".join(kind.__name__ for kind in (*TREES, *FORESTS, *BOOSTED, *HISTOGRAMS))
    raise InputError(f"{type(model).__name__} is no model of trees known here: use one of {kinds}")


def _forest(model: Any, estimators: Sequence[Any]) -> Trees:
    if model.n_outputs_ > 1:
        raise InputError(f"the model has {model.n_outputs_} targets: fit one model for each")
    parts = []
    for estimator in estimators:
        value = estimator.tree_.value[:, 0, :]
        if is_classifier(model):
            value = value / value.sum(axis=1, keepdims=True)
        parts.append(_part(estimator.tree_, value / len(estimators)))
    outputs = _classes(model) if is_classifier(model) else ("prediction",)
    return joined(
        parts, features=_names(model), base=np.zeros(len(outputs)), outputs=outputs, comparison="<=", single=True,
        space="probability" if is_classifier(model) else "margin",
    )  # fmt: skip


def _boosted(model: Any) -> Trees:
    if model.loss == "exponential":
        raise InputError("the exponential loss stretches its margin: train with loss='log_loss'")
    if model.init not in (None, "zero"):
        raise InputError("boosting starts from another model: train with init=None or 'zero'")
    parts = [
        _part(tree.tree_, model.learning_rate * tree.tree_.value[:, 0, :], output)
        for stage in model.estimators_
        for output, tree in enumerate(stage)
    ]
    base = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]
    return joined(
        parts, features=_names(model), base=base, outputs=_margins(model, len(base)), comparison="<=", single=True,
        link=_link(model, len(base)),
    )  # fmt: skip


def _histogram(model: Any) -> Trees:
    base = np.ravel(model._baseline_prediction)
    return joined(
        histogram_parts(model), features=_names(model), base=base, outputs=_margins(model, len(base)), comparison="<=",
        single=False, link=_link(model, len(base)),
    )  # fmt: skip


def _part(tree: Any, value: np.ndarray, output: int = 0) -> Part:
    leaf = tree.children_left < 0
    return Part(
        tree.feature, np.where(leaf, 0.0, tree.threshold), np.where(leaf, -1, tree.children_left),
        np.where(leaf, -1, tree.children_right), np.asarray(tree.missing_go_to_left, dtype=bool), value,
        tree.weighted_n_node_samples, output,
    )  # fmt: skip


def _link(model: Any, k: int) -> str:
    if is_classifier(model):
        return "logistic" if k == 1 else "softmax"
    return "exp" if model.loss in LOG_LINK else "identity"


def _margins(model: Any, k: int) -> tuple[str, ...]:
    """One margin of two classes is that of the second."""
    return ("prediction",) if k == 1 else _classes(model)


def _classes(model: Any) -> tuple[str, ...]:
    return tuple(str(label) for label in model.classes_)


def _names(model: Any) -> tuple[str, ...]:
    held = getattr(model, "feature_names_in_", None)
    return tuple(f"x{i}" for i in range(model.n_features_in_)) if held is None else tuple(str(name) for name in held)
