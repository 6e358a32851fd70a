"""What `import ascribe` offers: every way in and out of rows, and the errors of wrong ones."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ascribe
from ascribe.core.errors import BudgetError, CapabilityError, InputError, SchemaError
from tests.journey import FEATURES

SURFACE = ["AscribeError", "Attribution", "OpenModel", "explain", "fit_conditional", "open", "to_frame", "to_shap"]


@pytest.fixture(scope="module")
def model(trained):
    return ascribe.open(trained[0] / "good")


@pytest.fixture(scope="module")
def rows(trained):
    return pl.read_parquet(trained[0] / "rows.parquet").head(4)


def f(X):
    return X[:, 0] + 2 * X[:, 1] * X[:, 2]


def test_the_surface_is_short_and_imported_late():
    assert ascribe.__all__ == SURFACE
    assert all(getattr(ascribe, name) is not None for name in SURFACE)
    with pytest.raises(AttributeError, match="it offers AscribeError"):
        _ = ascribe.magic
    code = "import sys, ascribe; print([m for m in ('numpy', 'torch', 'onnxruntime') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_rows_come_in_as_arrays_frames_or_arrow(model, rows):
    wanted = model.explain(rows, samples=8)
    array = rows.select(FEATURES).to_numpy()
    shuffled = rows.select(reversed(rows.columns))  # named columns are taken by name
    for given in (array, array.tolist(), shuffled, rows.to_pandas(), rows.to_arrow()):
        found = model.explain(given, samples=8)
        assert found.values.tobytes() == wanted.values.tobytes()
        assert model.predict(given).tolist() == model.predict(array).tolist()
    assert model.explain(array[0], samples=8).values.shape == (1, len(FEATURES))


def test_the_answer_is_complete(model, rows):
    a = model.explain(rows, samples=8, seed=3)
    assert a.features == model.features == FEATURES
    assert (a.info.method, a.info.game, a.info.value) == ("conditional_shap", "conditional", "completions")
    assert (a.info.samples, a.info.seed, a.info.unit, a.info.output) == (8, 3, "W", "powerWatts")
    assert a.info.version == model.version
    assert a.info.gaps["efficiency_gap"] < 1e-4
    assert a.info.timings["explain"] > 0
    assert a.prediction - a.base_value == pytest.approx(a.values.sum(axis=1), abs=1e-4)
    assert a.stderr.shape == a.values.shape
    assert ((a.ess > 0) & (a.ess <= 8)).all()
    assert a.fraction.sum(axis=1) + a.base_value / a.prediction == pytest.approx(1)
    assert model.explain(rows, samples=8, seed=3).values.tobytes() == a.values.tobytes()
    assert model.explain(rows, samples=8, seed=4).values.tobytes() != a.values.tobytes()


def test_both_explainers_and_their_games(model, rows):
    assert model.explainers == ("conditional_shap", "kernel_shap")
    assert model.offers == {"predict", "background", "conditional"}
    marginal = model.explain(rows, method="kernel_shap")
    assert marginal.info.game == "marginal"
    assert marginal.values.sum(axis=1) == pytest.approx(marginal.prediction - marginal.base_value, abs=1e-4)


def test_energy_of_vectors_under_coalitions(model, rows):
    S = np.array([[1, 0, 1, 0, 0, 1], [0] * 6, [1] * 6], dtype=bool)
    e = model.energy(rows, S)
    assert e.g.shape == e.log_q.shape == (4, 3)
    assert e.mean.shape == e.variance.shape == e.mean_natural.shape == (4, 3, 6)
    assert (e.variance > 0).all()
    assert np.abs(e.log_q[:, 2]).max() == 0  # nothing is hidden
    spoilt = rows.select(FEATURES).to_numpy().copy()
    spoilt[:, ~S[0]] += 1e3
    again = model.energy(spoilt, S[:1])
    assert again.mean.tobytes() == e.mean[:, :1].tobytes()  # hidden values reach log q, never the proposal
    with pytest.raises(InputError, match=r"coalitions must be \(m, 6\)"):
        model.energy(rows, [[True]])


def test_missing_values_are_a_status_of_their_row(model, rows):
    spoilt = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise(pl.col("mem_free")).alias("mem_free")
    )
    a, whole = model.explain(spoilt, samples=8), model.explain(rows, samples=8)
    assert a.status.tolist()[1] == "invalid"
    assert "mem_free" in a.reasons[1]
    assert np.isnan(a.values[1]).all()
    assert a.values[[0, 2, 3]].tobytes() == whole.values[[0, 2, 3]].tobytes()
    assert np.isnan(model.predict(spoilt)).tolist() == [False, True, False, False]


def test_wrong_rows_say_what_to_do(model, rows):
    with pytest.raises(SchemaError, match="there is no column mem_free; the rows have"):
        model.explain(rows.drop("mem_free"))
    with pytest.raises(SchemaError, match="column mem_free holds no numbers"):
        model.predict(rows.with_columns(mem_free=pl.lit("much")))
    with pytest.raises(InputError, match=r"rows must be \(rows, 6\), got \(2, 3\)"):
        model.predict(np.zeros((2, 3)))
    with pytest.raises(BudgetError, match="at least 14 coalitions"):
        model.explain(rows, budget=5)
    with pytest.raises(InputError, match="unknown method"):
        model.explain(rows, method="magic")


def test_to_frame_and_to_shap(model, rows):
    a = model.explain(rows, samples=8)
    frame = ascribe.to_frame(a)
    assert isinstance(frame, pl.DataFrame)
    assert isinstance(ascribe.to_frame(a, "pandas"), pd.DataFrame)
    assert isinstance(ascribe.to_frame(a, "arrow"), pa.Table)
    assert frame["stderr_mem_free"].to_numpy().tolist() == a.stderr[:, FEATURES.index("mem_free")].tolist()
    explanation = ascribe.to_shap(a)
    assert explanation.values.tolist() == a.values.tolist()
    assert explanation.feature_names == list(FEATURES)
    assert explanation.base_values.tolist() == [a.base_value] * 4
    grouped = ascribe.to_shap(model.explain(rows, samples=8, groups={"cpu": ["cpu_user", "cpu-cycles"]}))
    assert grouped.data is None
    with pytest.raises(InputError, match="use polars, pandas or arrow"):
        ascribe.to_frame(a, "excel")


def test_explain_any_function():
    X = np.random.default_rng(0).standard_normal((400, 3))
    law = ascribe.fit_conditional(X, method="gaussian")
    a = ascribe.explain(f, X[:3], conditional=law, samples=32)
    assert a.info.estimator == "exact"
    assert a.base_value == pytest.approx(f(X).mean())
    assert a.values.sum(axis=1) == pytest.approx(f(X[:3]) - a.base_value)
    marginal = ascribe.explain(f, X[:3], background=X)
    assert marginal.info.game == "marginal"
    named = ascribe.explain(f, pd.DataFrame(X[:3], columns=["a", "b", "c"]), background=X, estimator="permutation")
    assert named.features == ("a", "b", "c")
    assert named.info.estimator == "permutation"


def test_explain_refuses_what_it_cannot_do():
    X = np.zeros((5, 3))
    with pytest.raises(InputError, match="give conditional="):
        ascribe.explain(f, X)
    with pytest.raises(InputError, match="background has 2 columns, X has 3"):
        ascribe.explain(f, X, background=np.zeros((4, 2)))
    with pytest.raises(InputError, match="one number a row"):
        ascribe.explain(lambda Z: Z, X, background=X)
    with pytest.raises(InputError, match="use emshap, gaussian or independent"):
        ascribe.fit_conditional(X, method="magic")
    with pytest.raises(InputError, match="missing values"):
        ascribe.fit_conditional([[np.nan, 1.0]])
    with pytest.raises(InputError, match="at least 50 rows"):
        ascribe.fit_conditional(X)


def test_a_model_without_an_energy_model_says_so(model):
    from dataclasses import replace

    bare = replace(model, model=replace(model.model, conditional=None))
    with pytest.raises(CapabilityError, match="without an energy model"):
        bare.energy([[0.0] * 6], [[True] * 6])
