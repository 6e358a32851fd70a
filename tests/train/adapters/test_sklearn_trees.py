"""scikit-learn's trees: predictions equal its own, TreeSHAP equals shap's where shap reads the model rightly."""

from __future__ import annotations

import numpy as np
import pytest
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
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees, interventional, path_dependent, predict, values
from ascribe.train.adapters.sklearn_trees import sklearn_trees

from .tables import CATEGORICAL, TABLES, adult, housing

FEW = slice(0, 60)
REGRESSORS = {
    "tree": DecisionTreeRegressor(max_depth=8),
    "extra tree": ExtraTreeRegressor(max_depth=8),
    "forest": RandomForestRegressor(n_estimators=8, max_depth=7),
    "extra trees": ExtraTreesRegressor(n_estimators=8, max_depth=9),
    "boosting": GradientBoostingRegressor(n_estimators=15),
    "histogram": HistGradientBoostingRegressor(max_iter=15),
}
CLASSIFIERS = {
    "tree": DecisionTreeClassifier(max_depth=8),
    "forest": RandomForestClassifier(n_estimators=8, max_depth=7),
    "extra trees": ExtraTreesClassifier(n_estimators=8, max_depth=7, class_weight="balanced"),
    "boosting": GradientBoostingClassifier(n_estimators=15),
    "histogram": HistGradientBoostingClassifier(max_iter=15),
}


def fit(model, X: np.ndarray, y: np.ndarray):
    """Numbers in 64ths: shap rounds thresholds to single precision, and beside one it would go another way than the
    model does.
    """
    X = np.round(X * 64) / 64
    X = np.nan_to_num(X) if isinstance(model, GradientBoostingRegressor | GradientBoostingClassifier) else X
    return model.set_params(random_state=0).fit(X, y), X


def check_predictions(model, trees: Trees, X: np.ndarray) -> None:
    theirs = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)[:, None]
    ours = predict(trees, X)
    assert np.abs(ours - theirs[:, -ours.shape[1] :]).max() < 1e-9


def check_values(model, trees: Trees, X: np.ndarray) -> None:
    """Of the last output, by cover and over a background."""
    import shap

    alone, background = trees.of_output(len(trees.outputs) - 1), X[500:540]
    for rows in (None, background):
        kind = "tree_path_dependent" if rows is None else "interventional"
        theirs = shap.TreeExplainer(model, rows, feature_perturbation=kind)
        found = np.asarray(theirs.shap_values(X[FEW], check_additivity=False))
        found = found[..., -1] if found.ndim == 3 else found
        ours = path_dependent(alone) if rows is None else interventional(alone, rows)
        assert np.abs(ours(X[FEW]) - found).max() < 1e-4
        assert ours.base_value == pytest.approx(np.ravel(theirs.expected_value)[-1], abs=1e-4)
        assert np.abs(found).max() > 0.05


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name):
    model, X = fit(REGRESSORS[name], *housing())
    trees = sklearn_trees(model)
    check_predictions(model, trees, X)
    check_values(model, trees, X)
    assert trees.space == "margin"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name):
    model, X = fit(CLASSIFIERS[name], *adult())
    trees = sklearn_trees(model)
    check_predictions(model, trees, X)
    check_values(model, trees, X)
    boosted = name in ("boosting", "histogram")
    assert trees.space == ("margin" if boosted else "probability")
    assert trees.outputs == (("prediction",) if boosted else ("0.0", "1.0"))


@pytest.mark.parametrize("table", TABLES)
def test_forests_as_deep_as_they_grow(monkeypatch, table):
    """Ways of more than six features are not tabled here: levels and patterns that meet answer them."""
    monkeypatch.setattr(values, "MOST_FEATURES", 6)
    X, y = TABLES[table]()
    model = RandomForestRegressor if table == "housing" else RandomForestClassifier
    model, X = fit(model(n_estimators=4, min_samples_leaf=3), X[:1500], y[:1500])
    trees = sklearn_trees(model)
    assert len(path_dependent(trees.of_output(0)).deep) == 4
    check_predictions(model, trees, X)
    check_values(model, trees, X)


def test_three_classes_by_name():
    X, y = housing()
    labels = np.array(["cheap", "fair", "dear"])[np.digitize(y, [1.2, 2.5])]
    for model in (GradientBoostingClassifier(n_estimators=4), HistGradientBoostingClassifier(max_iter=4)):
        model, rows = fit(model, X, labels)
        trees = sklearn_trees(model)
        assert trees.outputs == ("cheap", "dear", "fair")
        assert trees.link == "softmax"
        check_predictions(model, trees, rows)
        raw = model.decision_function(rows)
        for k, name in enumerate(trees.outputs):
            shares = path_dependent(trees.of_output(name))
            assert shares(rows[FEW]).sum(axis=1) + shares.base_value == pytest.approx(raw[FEW, k], abs=1e-9)


def test_histogram_boosting_with_categories():
    """The columns of the model are not the caller's; categories that it did not see go as missing ones do. shap reads
    these models without their categories, so values are held to the predictions.
    """
    X, y = adult()
    X = X.copy()
    X[:, CATEGORICAL] *= 3  # numbers with gaps, which the model renumbers
    model = HistGradientBoostingClassifier(max_iter=15, categorical_features=list(CATEGORICAL), random_state=0).fit(
        X, y
    )
    trees = sklearn_trees(model)
    assert trees.categorical.sum() > 10
    check_predictions(model, trees, X)
    rows = X[:300].copy()
    rows[:, CATEGORICAL] += np.random.default_rng(0).integers(0, 40, (300, len(CATEGORICAL)))
    check_predictions(model, trees, rows)
    shares = path_dependent(trees)
    assert shares(rows).sum(axis=1) + shares.base_value == pytest.approx(model.decision_function(rows), abs=1e-9)


def test_a_log_link_and_a_boosting_that_starts_from_zero():
    X, y = housing()
    for model in (HistGradientBoostingRegressor(loss="poisson", max_iter=8), GradientBoostingRegressor(init="zero")):
        model, rows = fit(model, X, y)
        check_predictions(model, sklearn_trees(model), rows)


def test_what_is_refused():
    X, y = housing()
    X = np.nan_to_num(X)
    with pytest.raises(InputError, match="LinearRegression is no model of trees known here: use one of Decision"):
        sklearn_trees(LinearRegression())
    with pytest.raises(InputError, match="the model has 2 targets: fit one model for each"):
        sklearn_trees(DecisionTreeRegressor(max_depth=2).fit(X, np.stack([y, y], axis=1)))
    with pytest.raises(InputError, match="boosting starts from another model"):
        sklearn_trees(GradientBoostingRegressor(n_estimators=2, init=LinearRegression()).fit(X, y))
    with pytest.raises(InputError, match="the exponential loss stretches its margin"):
        sklearn_trees(GradientBoostingClassifier(n_estimators=2, loss="exponential").fit(X, y > 2))
    words = np.where(y > 2, "a", "b").astype(object)[:, None]
    import pandas as pd

    frame = pd.DataFrame({"x": X[:, 0], "w": pd.Categorical(words[:, 0])})
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features="from_dtype").fit(frame, y)
    with pytest.raises(InputError, match="feature 1 has categories that are no whole numbers from 0"):
        sklearn_trees(model)
