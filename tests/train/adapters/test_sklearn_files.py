"""scikit-learn: a pipeline over texts, a forest, a network with gaps in its rows; a pickle needs leave."""

from __future__ import annotations

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from ascribe.core.errors import InputError
from tests.train.adapters.adopting import NUMBERS, PRICE, adopted, adults, background, houses, near


class Evil:
    """Opening it leaves a file where it is told."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


def test_a_pickle_is_not_opened_without_leave(tmp_path):
    joblib.dump(Evil(tmp_path / "opened"), tmp_path / "model.pkl")
    place = background(houses(), tmp_path)
    with pytest.raises(InputError, match="--allow-pickle"):
        adopted(tmp_path / "model.pkl", place, tmp_path / "b", target=PRICE)
    assert not (tmp_path / "opened").exists()
    with pytest.raises(InputError, match="no fitted model of scikit-learn"):
        adopted(tmp_path / "model.pkl", place, tmp_path / "b", target=PRICE, allow_pickle=True)


def test_a_pipeline_takes_texts(tmp_path):
    pytest.importorskip("skl2onnx")
    rows = adults()
    X, y = rows.drop("income"), rows["income"].to_numpy()
    texts = [name for name in X.columns if not X[name].dtype.is_numeric()]
    numbers = [name for name in X.columns if name not in texts]
    encode = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), texts))
    model = make_pipeline(encode, LogisticRegression(max_iter=300)).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    opened = adopted(
        tmp_path / "model.joblib", background(rows, tmp_path), tmp_path / "b", target="income", allow_pickle=True
    )
    assert opened.outputs == ("<=50K", ">50K")
    gaps = X.select(pl.any_horizontal(pl.all().is_null())).to_series().to_numpy()
    found = opened.output(space="probability").scores(rows)
    assert near(found[~gaps], model.predict_proba(X)[~gaps])
    assert np.isnan(found[gaps]).all()  # a gap is answered where trees take it, and nowhere else
    assert not [name for name in opened.bundle.manifest.files if name.endswith((".pkl", ".joblib"))]


def test_a_forest_gives_its_trees(tmp_path):
    rows = adults()
    X = rows.select(name for name in rows.columns if rows[name].dtype.is_numeric())
    model = RandomForestClassifier(8, max_depth=5, random_state=0).fit(X, rows["income"].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    opened = adopted(
        tmp_path / "model.joblib", background(rows, tmp_path), tmp_path / "b", target="income", allow_pickle=True
    )
    assert opened.spaces == ("probability",)
    assert near(opened.scores(rows), model.predict_proba(X))
    a = opened.explain(rows.head(3), "tree_shap", output=">50K")
    assert np.allclose(a.values.sum(axis=1) + a.base_value, model.predict_proba(X.head(3))[:, 1], atol=1e-9)


def test_histogram_boosting_takes_gaps(tmp_path):
    rows = houses()
    X = rows.select(NUMBERS)
    model = HistGradientBoostingRegressor(max_iter=10).fit(X.to_numpy(), rows[PRICE].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    opened = adopted(
        tmp_path / "model.joblib", background(rows, tmp_path), tmp_path / "b", target=PRICE, allow_pickle=True
    )
    assert X["total_bedrooms"].null_count() > 0
    assert near(opened.predict(rows), model.predict(X.to_numpy()))


def test_a_network_is_converted(tmp_path):
    pytest.importorskip("skl2onnx")
    rows = houses()
    X = rows.drop_nulls().select(NUMBERS).to_numpy()
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0))
    model.fit(X, rows.drop_nulls()[PRICE].to_numpy() / 1e5)
    joblib.dump(model, tmp_path / "model.joblib")
    opened = adopted(
        tmp_path / "model.joblib", background(rows, tmp_path), tmp_path / "b", target=PRICE, allow_pickle=True
    )
    assert near(opened.predict(rows.drop_nulls()), model.predict(X))


def test_boosting_that_takes_no_gaps_answers_none(tmp_path):
    rows = houses()
    whole = rows.drop_nulls()
    model = GradientBoostingRegressor(n_estimators=4).fit(whole.select(NUMBERS), whole[PRICE].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    opened = adopted(
        tmp_path / "model.joblib", background(rows, tmp_path), tmp_path / "b", target=PRICE, allow_pickle=True
    )
    assert near(opened.predict(whole), model.predict(whole.select(NUMBERS)))
    gap = rows.filter(pl.col("total_bedrooms").is_null()).head(1)
    with pytest.raises(ValueError, match="NaN"):
        model.predict(gap.select(NUMBERS))
    assert np.isnan(opened.predict(gap)).all()


@pytest.mark.parametrize("kind", [SVC, LinearSVC, RidgeClassifier])
def test_decisions_of_two_classes(kind, tmp_path):
    """skl2onnx gives them in one column or two, and of SVC with the sign turned around."""
    pytest.importorskip("skl2onnx")
    rows = houses().drop_nulls().head(200)
    X = (rows.select(NUMBERS).to_numpy() - 100) / 1000
    dear = (rows[PRICE] > 2e5).to_numpy()
    model = kind().fit(X, dear)
    joblib.dump(model, tmp_path / "model.joblib")
    held = pl.DataFrame(X, schema=NUMBERS).with_columns(dear=pl.Series(dear))
    opened = adopted(
        tmp_path / "model.joblib", background(held, tmp_path), tmp_path / "b", target="dear", allow_pickle=True
    )
    assert opened.outputs == ("False", "True")
    assert near(opened.output("True").predict(held), model.decision_function(X))
    assert near(opened.output("False").predict(held), -model.decision_function(X))


def test_classes_that_are_numbers_with_a_fraction_are_held_out(tmp_path):
    rows = houses().drop_nulls().with_columns(dear=(pl.col(PRICE) > 2e5).cast(pl.Float64))
    model = RandomForestClassifier(3, max_depth=3, random_state=0).fit(rows.select(NUMBERS), rows["dear"].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    opened = adopted(
        tmp_path / "model.joblib", background(rows.drop(PRICE), tmp_path), tmp_path / "b", target="dear",
        allow_pickle=True,
    )  # fmt: skip
    assert opened.outputs == ("0.0", "1.0")
    wanted = model.score(rows.select(NUMBERS), rows["dear"].to_numpy())
    assert opened.bundle.manifest.metrics["holdout"]["accuracy"] == pytest.approx(wanted)
