"""LightGBM's trees: predictions and TreeSHAP equal LightGBM's own, and shap's over a background."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees, interventional, margin, path_dependent, predict
from ascribe.train.adapters.lightgbm_trees import LINK, lightgbm_trees

from .tables import CATEGORICAL, TABLES, adult, housing

FEW = slice(0, 150)


def fitted(X: np.ndarray, y: np.ndarray, rounds: int = 10, categorical: tuple[int, ...] = (), **param: object):
    param = {"num_leaves": 31, "num_threads": 1, "seed": 0, "verbose": -1} | param
    group = [100] * (len(X) // 100) if "rank" in str(param.get("objective")) else None
    data = lightgbm.Dataset(X, y, categorical_feature=list(categorical), group=group)
    return lightgbm.train(param, data, rounds)


def check(booster: lightgbm.Booster, X: np.ndarray, scale: float = 1.0) -> Trees:
    """Margins, predictions and contributions of every output; `scale`: of its raw scores over its means."""
    trees = lightgbm_trees(booster)
    k = len(trees.outputs)
    assert np.abs(scale * margin(trees, X) - booster.predict(X, raw_score=True).reshape(len(X), k)).max() < 1e-9
    assert predict(trees, X) == pytest.approx(booster.predict(X).reshape(len(X), k), abs=1e-9)
    theirs = booster.predict(X[FEW], pred_contrib=True).reshape(150, k, -1)
    for j in range(k):
        shares = path_dependent(trees.of_output(j))
        assert np.abs(scale * shares(X[FEW]) - theirs[:, j, :-1]).max() < 1e-9
        assert np.abs(scale * shares.base_value - theirs[:, j, -1]).max() < 1e-9
        assert np.abs(theirs[:, j, :-1]).max() > 0.01
    return trees


@pytest.mark.parametrize("table", TABLES)
def test_tables_with_missing_values(table):
    import shap

    X, y = TABLES[table]()
    booster = fitted(X, y, 30, objective="binary" if table == "adult" else "regression")
    trees = check(booster, X)
    background = X[1000:1100]
    theirs = shap.TreeExplainer(booster, background, feature_perturbation="interventional")
    found = np.asarray(theirs.shap_values(X[FEW], check_additivity=False))
    assert np.abs(interventional(trees, background)(X[FEW]) - found).max() < 1e-4


@pytest.mark.parametrize("missing", ["nan", "zero", "none"])
def test_rows_on_thresholds_and_kinds_of_missing_values(missing):
    X, y = housing()
    X = np.where(np.random.default_rng(3).random(X.shape) < 0.1, 0.0, X)
    more = {"nan": {}, "zero": {"zero_as_missing": True}, "none": {"use_missing": False}}[missing]
    booster = fitted(X, y, **more)
    trees = check(booster, X)
    assert trees.zero_missing.any() == (missing == "zero")
    rows = X[:300].copy()
    for j in range(8):
        own = trees.threshold[(trees.feature == j) & ~trees.leaf]
        own = own[np.abs(own) > 1e-30]  # LightGBM takes smaller numbers of a row for 0
        rows[:, j] = np.random.default_rng(j).choice(np.concatenate([own, [0.0, np.nan]]), 300)
    check(booster, rows)


def test_categories():
    """Sets wider than a word, categories not seen in training, negative ones and ones that are not whole. (LightGBM
    predicts a category between -1 and 0 as unknown and explains it as 0.)
    """
    X, y = adult()
    booster = fitted(X, y, categorical=CATEGORICAL, objective="binary", min_data_per_group=5, cat_smooth=1)
    trees = check(booster, X)
    assert trees.categorical.sum() > 10
    rows = X[:200].copy()
    rows[:, CATEGORICAL] += np.random.default_rng(0).integers(-60, 60, (200, len(CATEGORICAL))) * 0.5
    rows[(rows > -1) & (rows < 0)] = -1
    check(booster, rows)


@pytest.mark.parametrize("boosting", ["gbdt", "dart", "rf"])
@pytest.mark.parametrize("objective", [name for name in LINK if name != "custom"])
def test_objectives(objective, boosting):
    X, y = housing()
    more = {"bagging_freq": 1, "bagging_fraction": 0.6} if boosting == "rf" else {}
    if LINK[objective] == "logistic" and objective != "multiclassova":
        y = (y > 2).astype(float)
    elif objective.startswith("multi"):
        y, more = np.digitize(y, [1.2, 2.5]), more | {"num_class": 3}
    elif "rank" in objective:
        y = np.digitize(y, [1.2, 2.5])
    booster = fitted(X, y, 6, objective=objective, boosting=boosting, num_leaves=8, **more)
    check(booster, X, scale=6 if boosting == "rf" else 1)


def test_the_text_alone_is_enough_and_estimators_stop_where_they_predict():
    X, y = housing()
    model = lightgbm.LGBMRegressor(n_estimators=300, learning_rate=0.5, n_jobs=1, verbose=-1)
    model.fit(
        X[:2000], y[:2000], eval_set=[(X[2000:], y[2000:])], callbacks=[lightgbm.early_stopping(3, verbose=False)]
    )
    trees = lightgbm_trees(model)
    assert len(trees) == model.best_iteration_ < 300
    assert np.abs(predict(trees, X)[:, 0] - model.predict(X)).max() < 1e-9
    again = lightgbm_trees(model.booster_.model_to_string())
    assert np.array_equal(margin(again, X), margin(trees, X))
    assert again.features == tuple(f"Column_{j}" for j in range(8))


def test_a_model_that_found_no_split():
    X = housing()[0]
    booster = fitted(X, np.full(len(X), 2.5), 2)
    assert margin(lightgbm_trees(booster), X)[:, 0] == pytest.approx(booster.predict(X))


def test_what_is_refused():
    X, y = housing()
    X = np.nan_to_num(X)
    with pytest.raises(InputError, match="leaves hold linear models: train with linear_tree=False"):
        lightgbm_trees(fitted(X, y, 2, linear_tree=True))
    with pytest.raises(InputError, match="objective 'binary sigmoid:2' stretches its margin"):
        lightgbm_trees(fitted(X, y > 2, 2, objective="binary", sigmoid=2))
    with pytest.raises(InputError, match="objective 'regression sqrt' has no link known here"):
        lightgbm_trees(fitted(X, y, 2, reg_sqrt=True))
    with pytest.raises(InputError, match="this is no LightGBM model"):
        lightgbm_trees("trees, trees")
    text = fitted(X, y, 2).model_to_string()
    with pytest.raises(InputError, match="numbers in 'leaf_count': the model's text is not whole"):
        lightgbm_trees(text.replace("\nleaf_count=", "\nleaf_count=7 "))
