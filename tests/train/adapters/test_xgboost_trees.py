"""xgboost's trees: predictions, TreeSHAP and interactions equal xgboost's own, and shap's over a background."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees, interactions, interventional, margin, path_dependent, predict
from ascribe.train.adapters.xgboost_trees import LINK, xgboost_trees

from .tables import CATEGORICAL, TABLES, adult, housing

FEW = slice(0, 150)


def fitted(X: np.ndarray, y: np.ndarray, rounds: int = 12, kinds: list[str] | None = None, **param: object):
    data = xgboost.DMatrix(X, y, feature_types=kinds, enable_categorical=kinds is not None)
    param = {"max_depth": 5, "nthread": 1, "seed": 0, "verbosity": 0} | param
    return xgboost.train(param, data, rounds), data


def check(booster: xgboost.Booster, data: xgboost.DMatrix, X: np.ndarray) -> Trees:
    """Margins, predictions and contributions of every output."""
    trees, k = xgboost_trees(booster), len(booster.predict(data, output_margin=True).reshape(len(X), -1)[0])
    assert np.abs(margin(trees, X) - booster.predict(data, output_margin=True).reshape(len(X), k)).max() < 1e-5
    assert predict(trees, X) == pytest.approx(booster.predict(data).reshape(len(X), k), rel=1e-5, abs=1e-5)
    theirs = booster.predict(data.slice(np.arange(150), allow_groups=True), pred_contribs=True).reshape(150, k, -1)
    for j in range(k):
        shares = path_dependent(trees.of_output(j))
        assert np.abs(shares(X[FEW]) - theirs[:, j, :-1]).max() < 1e-4
        assert np.abs(shares.base_value - theirs[:, j, -1]).max() < 1e-4
        assert np.abs(theirs[:, j, :-1]).max() > 0.01
    return trees


@pytest.mark.parametrize("table", TABLES)
def test_tables_with_missing_values(table):
    import shap

    X, y = TABLES[table]()
    booster, data = fitted(X, y, 30, objective="binary:logistic" if table == "adult" else "reg:squarederror")
    trees = check(booster, data, X)
    background = X[1000:1100]
    theirs = shap.TreeExplainer(booster, background, feature_perturbation="interventional")
    ours = interventional(trees, background)
    assert np.abs(ours(X[FEW]) - theirs.shap_values(X[FEW], check_additivity=False)).max() < 1e-4
    assert ours.base_value == pytest.approx(theirs.expected_value, abs=1e-4)
    own = booster.predict(data.slice(np.arange(150), allow_groups=True), pred_interactions=True)[:, :-1, :-1]
    assert np.abs(interactions(trees)(X[FEW]) - own).max() < 1e-4


def test_rows_on_thresholds():
    """Values that are thresholds, and double numbers beside them that round to one."""
    X, y = housing()
    booster, _ = fitted(X, y, 20)
    trees = xgboost_trees(booster)
    rows = X[:300].copy()
    rng = np.random.default_rng(1)
    for j in range(8):
        own = trees.threshold[(trees.feature == j) & ~trees.leaf]
        rows[:, j] = rng.choice(own, 300) if len(own) else rows[:, j]
        rows[100:, j] *= 1 + rng.choice([-1, 0, 1], 200) * 1e-9
    data = xgboost.DMatrix(rows)
    assert np.abs(margin(trees, rows)[:, 0] - booster.predict(data, output_margin=True)).max() < 1e-5
    assert np.abs(path_dependent(trees)(rows) - booster.predict(data, pred_contribs=True)[:, :-1]).max() < 1e-4


@pytest.mark.parametrize("onehot", [1, 100])
def test_categories(onehot):
    """Sets of categories and single ones; unknown categories go where xgboost sends them."""
    X, y = adult()
    kinds = ["c" if j in CATEGORICAL else "q" for j in range(14)]
    booster, data = fitted(X, y, kinds=kinds, objective="binary:logistic", max_cat_to_onehot=onehot)
    trees = check(booster, data, X)
    assert trees.categorical.sum() > 10
    rows = X[:200].copy()
    rows[:, CATEGORICAL] += np.random.default_rng(0).integers(0, 50, (200, len(CATEGORICAL)))
    data = xgboost.DMatrix(rows, feature_types=kinds, enable_categorical=True)
    assert np.abs(margin(trees, rows)[:, 0] - booster.predict(data, output_margin=True)).max() < 1e-5


def of_objective(objective: str) -> tuple[np.ndarray, dict[str, object]]:
    """A target that suits an objective, and what else the objective must be told."""
    y = housing()[1]
    if objective.startswith("multi"):
        return np.digitize(y, [1.2, 2.5]), {"num_class": 3}
    if LINK[objective] == "logistic" or objective in ("binary:logitraw", "rank:map"):
        return (y > 2).astype(float), {}
    return y, {"quantile_alpha": 0.3} if objective == "reg:quantileerror" else {}


@pytest.mark.parametrize("booster", ["gbtree", "dart"])
@pytest.mark.parametrize("objective", [name for name in LINK if not name.startswith(("rank", "survival:aft"))])
def test_objectives(objective, booster):
    X, _ = housing()
    y, more = of_objective(objective)
    more |= {"rate_drop": 0.3} if booster == "dart" else {}
    found, data = fitted(X, y, 6, objective=objective, booster=booster, **more)
    if objective == "multi:softmax":  # it predicts a class
        assert (predict(xgboost_trees(found), X).argmax(axis=1) == found.predict(data)).all()
        return
    check(found, data, X)


@pytest.mark.parametrize("objective", ["rank:pairwise", "rank:ndcg", "rank:map", "survival:aft"])
def test_objectives_with_groups_or_bounds(objective):
    X, _ = housing()
    y, _ = of_objective(objective)
    data = xgboost.DMatrix(X, None if objective == "survival:aft" else np.digitize(y, [0.5, 1, 2]) > 1)
    if objective == "survival:aft":
        data.set_float_info("label_lower_bound", y)
        data.set_float_info("label_upper_bound", y)
    else:
        data.set_group([100] * 40)
    check(xgboost.train({"objective": objective, "nthread": 1, "max_depth": 3}, data, 6), data, X)


def test_forests_and_a_base_score_of_ones_own():
    X, y = housing()
    booster, data = fitted(X, y, 3, num_parallel_tree=4, subsample=0.6, base_score=0.7)
    assert len(check(booster, data, X)) == 12


def test_the_estimators_stop_where_they_predict():
    X, y = housing()
    model = xgboost.XGBRegressor(n_estimators=200, learning_rate=0.9, early_stopping_rounds=3, n_jobs=1, max_depth=6)
    model.fit(X[:2000], y[:2000], eval_set=[(X[2000:], y[2000:])], verbose=False)
    trees = xgboost_trees(model)
    assert len(trees) == model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    assert np.abs(predict(trees, X)[:, 0] - model.predict(X)).max() < 1e-5


def test_names_and_a_file(tmp_path):
    X, y = housing()
    booster, _ = fitted(X, y, 2)
    booster.feature_names = list("abcdefgh")
    for name in ("model.json", "model.ubj"):
        booster.save_model(tmp_path / name)
        again = xgboost_trees(xgboost.Booster(model_file=tmp_path / name))
        assert again.features == tuple("abcdefgh")
        assert np.array_equal(margin(again, X), margin(xgboost_trees(booster), X))


def test_what_is_refused():
    X, y = housing()
    X = np.nan_to_num(X)
    with pytest.raises(InputError, match="booster 'gblinear' has no trees"):
        xgboost_trees(fitted(X, y, 2, booster="gblinear", max_depth=None)[0])
    with pytest.raises(InputError, match="objective 'binary:hinge' has no link known here"):
        xgboost_trees(fitted(X, (y > 2).astype(float), 2, objective="binary:hinge")[0])
    several, _ = fitted(X, np.stack([y, -y], axis=1), 2, multi_strategy="multi_output_tree", tree_method="hist")
    with pytest.raises(InputError, match="leaves hold several outputs: train with multi_strategy="):
        xgboost_trees(several)
