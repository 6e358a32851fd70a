"""XGBoost and LightGBM files: the bundle predicts as the library does, without it."""

from __future__ import annotations

import sys

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost

import ascribe
from ascribe.bundle.runtime import load
from ascribe.core.errors import InputError, SchemaError
from tests.train.adapters.adopting import NUMBERS, PRICE, adopted, adults, background, houses, near

LABELS = ("<=50K", ">50K")


def frames(rows: pl.DataFrame, target: str) -> tuple[pd.DataFrame, np.ndarray]:
    X = pd.DataFrame(rows.drop(target).to_dict(as_series=False))
    for name in X.columns:
        if X[name].dtype.kind not in "fi":
            X[name] = X[name].astype("category")
    return X, rows[target].to_numpy()


@pytest.mark.parametrize("ending", ["json", "ubj"])
def test_a_regression_of_xgboost(ending, tmp_path):
    rows = houses()
    X, y = frames(rows, PRICE)
    model = xgboost.XGBRegressor(n_estimators=12, max_depth=4).fit(X, y)
    model.save_model(tmp_path / f"model.{ending}")
    opened = adopted(tmp_path / f"model.{ending}", background(rows, tmp_path), tmp_path / "b", target=PRICE)
    assert opened.features == NUMBERS
    assert near(opened.predict(rows), model.predict(X))
    assert rows["total_bedrooms"].null_count() > 0  # gaps go where the library sends them
    assert opened.bundle.has("predict")
    assert opened.bundle.has("holdout")
    a = opened.explain(rows.head(4), "tree_shap")
    wanted = model.get_booster().predict(xgboost.DMatrix(X.head(4)), pred_contribs=True)
    assert near(a.values, wanted[:, :-1])


def test_categories_of_xgboost(tmp_path):
    rows = adults()
    X, y = frames(rows, "income")
    model = xgboost.XGBClassifier(n_estimators=10, enable_categorical=True, max_cat_to_onehot=1)
    model.fit(X, y == ">50K").save_model(tmp_path / "model.json")
    opened = adopted(
        tmp_path / "model.json", background(rows, tmp_path), tmp_path / "b", target="income", labels=LABELS
    )
    assert not opened.bundle.has("predict")  # sets of categories: the trees themselves answer
    assert near(opened.output(space="probability").scores(rows), model.predict_proba(X))
    margin = model.predict(X, output_margin=True)
    assert near(opened.output(">50K").predict(rows), margin)
    assert near(opened.output("<=50K").predict(rows), -margin)
    assert opened.bundle.manifest.metrics["holdout"]["accuracy"] > 0.8
    strange = rows.head(1).with_columns(pl.lit("elsewhere").alias("workclass"))
    assert opened.explain(strange, "tree_shap", output=1).status.tolist() == ["invalid"]


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_classes_of_lightgbm(kind, tmp_path):
    rows = adults()
    target = "income" if kind == "binary" else "relationship"
    X, y = frames(rows, target)
    model = lightgbm.LGBMClassifier(n_estimators=8, num_leaves=8, verbose=-1).fit(X, y)
    model.booster_.save_model(tmp_path / "model.txt")
    labels = tuple(str(c) for c in model.classes_)
    opened = adopted(tmp_path / "model.txt", background(rows, tmp_path), tmp_path / "b", target=target, labels=labels)
    assert opened.outputs == labels
    assert near(opened.output(space="probability").scores(rows), model.predict_proba(X))


def test_a_regression_of_lightgbm_is_a_graph_of_double_numbers(tmp_path):
    rows = houses()
    X, y = frames(rows, PRICE)
    booster = lightgbm.LGBMRegressor(n_estimators=12, verbose=-1).fit(X, y).booster_
    booster.save_model(tmp_path / "model.txt")
    opened = adopted(tmp_path / "model.txt", background(rows, tmp_path), tmp_path / "b", target=PRICE)
    assert opened.bundle.has("predict")
    assert near(opened.predict(rows), booster.predict(X))


def test_an_estimator_of_xgboost_answers_to_its_best_iteration(tmp_path):
    """A bare booster answers by all its trees, which is said."""
    rows = houses()
    X, y = frames(rows, PRICE)
    half = len(y) // 2
    model = xgboost.XGBRegressor(n_estimators=60, learning_rate=0.9, early_stopping_rounds=3)
    model.fit(X[:half], y[:half], eval_set=[(X[half:], y[half:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    model.save_model(tmp_path / "model.ubj")
    place = background(rows, tmp_path)
    opened = adopted(tmp_path / "model.ubj", place, tmp_path / "a", target=PRICE)
    assert near(opened.predict(rows), model.predict(X))
    bare = model.get_booster()
    bare.set_attr(scikit_learn=None)
    bare.save_model(tmp_path / "bare.ubj")
    opened = adopted(tmp_path / "bare.ubj", place, tmp_path / "b", target=PRICE)
    assert near(opened.predict(rows), bare.predict(xgboost.DMatrix(X)))
    assert "stopped early" in opened.bundle.manifest.origin["warnings"][0]


def ordered(rows: int = 300) -> tuple[pd.DataFrame, np.ndarray]:
    """Three columns of categories, in an order of their own: one that no tree can use, and one of whole numbers."""
    rng = np.random.default_rng(0)
    size = rng.choice(["low", "mid", "high"], rows)
    X = pd.DataFrame({
        "a": rng.normal(size=rows),
        "rare": pd.Categorical(np.where(np.arange(rows) < 2, "x", "y"), categories=["y", "x"]),
        "size": pd.Categorical(size, categories=["low", "mid", "high"]),
        "k": rng.integers(0, 5, rows),
    })  # fmt: skip
    return X, X["size"].cat.codes.to_numpy() ** 2 + X["a"].to_numpy() + 4 * (X["k"] == 3)


@pytest.mark.parametrize("named", ["auto", ["rare", "size", "k"]])
def test_categories_of_lightgbm_keep_their_order(named, tmp_path):
    X, y = ordered()
    model = lightgbm.LGBMRegressor(n_estimators=6, verbose=-1).fit(X, y, categorical_feature=named)
    model.booster_.save_model(tmp_path / "model.txt")
    rows = pl.DataFrame(X.astype({"rare": str, "size": str}).to_dict("list"))
    opened = adopted(tmp_path / "model.txt", background(rows, tmp_path), tmp_path / "b")
    assert near(opened.predict(rows), model.predict(X))
    codes = pl.DataFrame(X.assign(rare=X["rare"].cat.codes, size=X["size"].cat.codes).to_dict("list"))
    opened = adopted(tmp_path / "model.txt", background(codes, tmp_path), tmp_path / "c")
    assert near(opened.predict(codes), model.predict(X))
    if named != "auto":  # which of the three have the two lists?
        mixed = rows.with_columns(rare=codes["rare"])
        with pytest.raises(InputError, match="does not say of which of rare, size, k"):
            adopted(tmp_path / "model.txt", background(mixed, tmp_path), tmp_path / "d")


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_categories_that_are_numbers_are_not_taken_for_their_places(library, tmp_path):
    X, y = ordered()
    X = X[["a"]].assign(size=X["size"].cat.rename_categories({"low": 3, "mid": 1, "high": 2}))
    if library == "xgboost":
        model = xgboost.XGBRegressor(n_estimators=6, enable_categorical=True).fit(X, y)
        model.save_model(file := tmp_path / "model.ubj")
    else:
        model = lightgbm.LGBMRegressor(n_estimators=6, verbose=-1).fit(X, y)
        model.booster_.save_model(file := tmp_path / "model.txt")
    rows = pl.DataFrame(X.astype({"size": int}).to_dict("list"))
    with pytest.raises(InputError, match="column size holds numbers, and the categories of the file are 3, 1, 2"):
        adopted(file, background(rows, tmp_path), tmp_path / "b")
    texts = rows.with_columns(pl.col("size").cast(pl.String))
    assert near(adopted(file, background(texts, tmp_path), tmp_path / "b").predict(texts), model.predict(X))
    codes = rows.with_columns(size=pl.Series(X["size"].cat.codes.to_numpy()))
    opened = adopted(file, background(codes, tmp_path), tmp_path / "c")
    assert near(opened.predict(codes), model.predict(X))
    assert "taken as their places 0 ... 2" in opened.bundle.manifest.origin["warnings"][0]


def test_a_bundle_needs_no_library(tmp_path, monkeypatch):
    rows = houses()
    X, y = frames(rows, PRICE)
    xgboost.XGBRegressor(n_estimators=2).fit(X, y).save_model(tmp_path / "model.json")
    opened = adopted(tmp_path / "model.json", background(rows, tmp_path), tmp_path / "b")
    for name in ("xgboost", "lightgbm", "onnx", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    assert np.isfinite(load(opened.bundle).predict(opened.rows(rows.head(2)))).all()


def test_a_file_without_names_takes_the_background_columns(tmp_path):
    rows = houses()
    X, y = frames(rows, PRICE)
    xgboost.XGBRegressor(n_estimators=2).fit(X.to_numpy(), y).save_model(tmp_path / "model.json")
    place = background(rows, tmp_path)
    with pytest.raises(InputError, match="takes 8 features and names none, the background has 9 columns"):
        adopted(tmp_path / "model.json", place, tmp_path / "b")
    assert adopted(tmp_path / "model.json", place, tmp_path / "b", target=PRICE).features == NUMBERS


def test_wrong_inputs_are_one_clear_line(tmp_path):
    rows = houses()
    X, y = frames(rows, PRICE)
    xgboost.XGBRegressor(n_estimators=2).fit(X, y).save_model(tmp_path / "model.json")
    lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(X, y).booster_.save_model(tmp_path / "model.txt")
    place = background(rows.drop("median_income"), tmp_path)
    for name in ("model.json", "model.txt"):
        with pytest.raises(SchemaError, match="no column median_income"):
            adopted(tmp_path / name, place, tmp_path / "b")
        half = tmp_path / f"half.{name.split('.')[1]}"
        half.write_bytes((tmp_path / name).read_bytes()[:-400])
        with pytest.raises(InputError, match="not whole"):
            adopted(half, place, tmp_path / "b")
    with pytest.raises(InputError, match="no kind known here"):
        adopted(place, place, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert ascribe.AscribeError in InputError.__mro__
