"""What `import ascribe` offers: every way in and out of rows, and the errors of wrong ones."""

from __future__ import annotations

import doctest
import inspect
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ascribe
from ascribe.core.errors import BudgetError, CapabilityError, InputError, SchemaError
from ascribe.core.scaling import REACH, Scores
from ascribe.core.stack import ValueChoice
from ascribe.core.surrogate import Surrogate
from tests.journey import FEATURES, ROOT

SURFACE = [
    "AscribeError", "AsyncClient", "Attribution", "Client", "OpenModel", "compare", "contrast", "explain",
    "fit_conditional", "importance", "mse_v", "open", "partial_dependence", "probe", "say", "to_frame", "to_shap",
]  # fmt: skip
WIRE = {"ascribe.serve.wire.*", "ascribe.train.wire.*"}


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


def test_the_menu_is_the_surface(capsys):
    """What `print(ascribe.__doc__)` shows has every name, and no other."""
    print(ascribe.__doc__)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    listed = [re.split(r"\s{2,}", line.strip())[0] for line in lines]
    shown = {name for entry in listed for name in re.findall(r"\w+", re.sub(r"\(.*?\)", "", entry))}
    assert shown | {"OpenModel"} == set(ascribe.__all__)
    assert "-> OpenModel" in lines[0]
    assert set(dir(ascribe)) == {*ascribe.__all__, "__version__"}


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_has_an_example_that_runs(name):
    """`make check` runs it; an example of which every line is skipped is none."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(getattr(ascribe, name)) or "")
    assert [one for one in examples if doctest.SKIP not in one.options]


def parts(name):
    """A public name with its public methods and properties."""
    held = getattr(ascribe, name)
    own = {k: v for k, v in vars(held).items() if not k.startswith("_")} if inspect.isclass(held) else {}
    calls = {f"{name}.{k}": getattr(v, "fget", v) for k, v in own.items() if callable(getattr(v, "fget", v))}
    return calls if inspect.isclass(held) else {name: held}


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_is_told_and_typed(name):
    for what, call in parts(name).items():
        assert inspect.getdoc(call), what
        typed = inspect.get_annotations(call)
        wanted = {p for p in inspect.signature(call).parameters if p != "self"} | {"return"}
        assert wanted <= set(typed), what


def test_types_are_for_whoever_imports():
    assert (Path(ascribe.__file__).parent / "py.typed").is_file()
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert told["strict"]
    assert not any(one.get("ignore_errors") for one in told["overrides"] if not set(one["module"]) <= WIRE)


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
    assert (a.info.method, a.info.game, a.info.value) == ("conditional_shap", "conditional", model.model.value)
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


def test_every_explainer_and_its_game(model, rows):
    assert model.explainers == (
        "conditional_shap", "kernel_shap", "amortized_shap", "compiled_shap", "permutation_shap", "lime", "occlusion",
    )  # fmt: skip
    assert model.offers == {"predict", "background", "conditional", "surrogate", "amortized", "compiled"}
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
    with pytest.raises(InputError, match="name a method or a tier, not both"):
        model.explain(rows, method="lime", tier="exact")


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
    numbered = ascribe.explain(f, pd.DataFrame(X[:3]), background=pd.DataFrame(X))  # labels 0, 1, 2
    assert numbered.features == ("0", "1", "2")
    assert numbered.values.tolist() == marginal.values.tolist()
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
    with pytest.raises(InputError, match="use emshap, surrogate, gaussian, copula, empirical, independent"):
        ascribe.fit_conditional(X, method="magic")
    with pytest.raises(InputError, match="missing values"):
        ascribe.fit_conditional([[np.nan, 1.0]])
    with pytest.raises(InputError, match="at least 50 rows"):
        ascribe.fit_conditional(X)


@pytest.mark.parametrize("method", ["gaussian", "independent", "empirical", "copula"])
@pytest.mark.parametrize("samples", [0, 1])
def test_one_completion_has_no_spread(method, samples):
    law = ascribe.fit_conditional(np.random.default_rng(0).standard_normal((60, 3)), method=method)
    with pytest.raises(InputError, match="samples must be at least 2"):
        ascribe.explain(f, np.ones((1, 3)), conditional=law, samples=samples)


def test_options_and_rows_that_mean_nothing_are_refused():
    X = np.random.default_rng(0).standard_normal((60, 3))
    law = ascribe.fit_conditional(X, method="independent")
    with pytest.raises(InputError, match="background holds no rows"):
        ascribe.explain(f, X, background=X[:0])
    with pytest.raises(InputError, match="there are no training rows"):
        ascribe.fit_conditional(X[:0], method="independent")
    with pytest.raises(InputError, match="seed is a number from 0, not -1"):
        ascribe.explain(f, X, background=X, seed=-1)
    with pytest.raises(InputError, match="of a background there is one value: not 'surrogate'"):
        ascribe.explain(f, X, background=X, value="surrogate")
    with pytest.raises(InputError, match="not 'best'"):
        ascribe.explain(f, X, conditional=law, value="best")
    for rows, asked in ((X[:0], 8), (X, 0)):
        with pytest.raises(InputError, match="MSE_v needs rows"):
            ascribe.mse_v(f, law, rows, coalitions=asked)
    with pytest.raises(SchemaError, match="two columns have the same name"):
        ascribe.explain(f, pd.DataFrame(X, columns=["a", 1, "1"]), background=X)


def test_a_column_that_single_precision_cannot_tell_apart_is_refused_where_scores_are_used():
    X = np.random.default_rng(0).standard_normal((60, 2))
    late, large = X * [10, 1] + [1.7e9, 0], X * [6e38, 1]
    with pytest.raises(InputError, match=r"'x0' lies in .*, too narrow for single precision"):
        ascribe.fit_conditional(late, method="copula")
    with pytest.raises(InputError, match=r"'x0' lies in .*, beyond what single precision holds"):
        ascribe.fit_conditional(large, method="copula")
    assert ascribe.fit_conditional(late, method="gaussian").name == "gaussian"
    ascribe.fit_conditional(np.column_stack([X, np.full(60, 0.1)]), method="copula")  # nothing to be told apart


LAWS = ("gaussian", "copula", "empirical", "independent")


@pytest.mark.parametrize("method", LAWS)
def test_every_law_explains_any_function(method):
    X = np.random.default_rng(0).multivariate_normal(np.zeros(3), 0.5 + 0.5 * np.eye(3), 300)
    law = ascribe.fit_conditional(X, method=method)
    assert law.name == method
    a = ascribe.explain(f, X[:3], conditional=law, samples=32)
    assert a.status.tolist() == ["ok"] * 3
    assert a.values.sum(axis=1) == pytest.approx(f(X[:3]) - f(X).mean())
    marginal = ascribe.explain(f, X[:3], background=X)
    assert (np.abs(a.values - marginal.values).max() < 0.8) == (method == "independent")


def test_mse_v_prefers_the_law_that_looks_at_what_is_observed():
    X = np.random.default_rng(0).multivariate_normal(np.zeros(3), 0.9 + 0.1 * np.eye(3), 400)
    laws = {name: ascribe.fit_conditional(X[100:], method=name) for name in LAWS}
    found = {name: ascribe.mse_v(f, law, pd.DataFrame(X[:100]), seed=1, coalitions=8) for name, law in laws.items()}
    for name in ("gaussian", "copula"):
        paired = found["independent"].rows - found[name].rows
        assert paired.mean() > 3 * paired.std() / 10
    assert float(found["gaussian"]) == found["gaussian"].rows.mean()
    assert found["gaussian"].stderr > 0
    assert ascribe.mse_v(f, laws["gaussian"], X[:100], seed=1, coalitions=8) == found["gaussian"]
    with pytest.raises(InputError, match=r"finite rows of 3 features, got \(4, 2\)"):
        ascribe.mse_v(f, laws["gaussian"], X[:4, :2])
    with pytest.raises(InputError, match="finite rows of 3 features"):
        ascribe.mse_v(f, laws["gaussian"], [[np.nan, 1.0, 2.0]])


def test_contrast_says_why_a_prediction_changed(model, rows):
    before, after = model.explain(rows[:2], samples=8), model.explain(rows[2:], samples=8)
    c = ascribe.contrast(before, after)
    assert c.values.sum(axis=1) == pytest.approx(after.prediction - before.prediction, abs=1e-4)
    assert (c.stderr <= np.hypot(before.stderr, after.stderr) * 2).all()
    assert ascribe.contrast(before, before).values.tolist() == np.zeros((2, 6)).tolist()
    frame = ascribe.to_frame(c)
    assert frame["stderr_mem_free"].to_list() == c.stderr[:, FEATURES.index("mem_free")].tolist()
    with pytest.raises(InputError, match="different game"):
        ascribe.contrast(before, model.explain(rows[2:], method="kernel_shap"))


def test_an_error_that_is_asked_for(model, rows):
    wide = model.explain(rows, samples=8, value="completions")
    target = 0.5 * float(wide.stderr.max())
    a = model.explain(rows, samples=8, value="completions", target_stderr=target)
    assert a.stderr.max() <= target
    assert set(a.status) <= {"ok", "out_of_domain"}
    X = np.random.default_rng(0).standard_normal((400, 3))
    law = ascribe.fit_conditional(X, method="gaussian")
    assert ascribe.explain(f, X[:3], conditional=law, target_stderr=0.02).stderr.max() <= 0.02
    with pytest.raises(InputError, match="target_stderr is a positive number"):
        ascribe.explain(f, X, conditional=law, target_stderr=0)


def test_the_value_is_named(model, rows):
    for value in ("completions", "surrogate", "stacked"):
        a = model.explain(rows, samples=8, value=value)
        assert a.info.value == value
        assert a.values.sum(axis=1) == pytest.approx(a.prediction - a.base_value, abs=1e-4)
    assert not model.explain(rows, value="surrogate").stderr.any()
    with pytest.raises(InputError, match="unknown value 'magic': use one of auto, surrogate, completions, stacked"):
        model.explain(rows, value="magic")


@pytest.fixture
def counted(monkeypatch):
    """Fits of a surrogate are counted, not done: g is 7 whatever it is asked."""
    fits = []

    def fit_value(predict, law, seed=0, max_seconds=None):
        fits.append((predict, law))
        scores = Scores(np.tile(np.linspace(-REACH, REACH, 129, dtype=np.float32), (3, 1)))
        choice = ValueChoice("stacked", (0.5,) * 4, "", {})
        return Surrogate(scores, lambda Z, S: np.full(len(Z), 7.0)), choice if hasattr(law, "cov") else None

    monkeypatch.setattr("ascribe.train.values.served.fit_value", fit_value)
    return fits


def test_a_surrogate_of_a_function_is_fitted_once(counted):
    X = np.random.default_rng(0).standard_normal((400, 3))
    law = ascribe.fit_conditional(X, method="surrogate")
    assert not counted
    a = ascribe.explain(f, X[:3], conditional=law)
    assert (a.info.value, a.info.samples) == ("surrogate", 0)
    assert not a.stderr.any()
    assert float(ascribe.mse_v(f, law, X[:9])) == pytest.approx(((f(X[:9]) - 7) ** 2).mean())
    ascribe.explain(f, X[3:6], conditional=law)
    assert len(counted) == 1
    ascribe.explain(lambda Z: Z[:, 0], X[:3], conditional=law)
    assert len(counted) == 2
    with pytest.raises(CapabilityError, match="a surrogate has no completions to draw"):
        law.draw(X[:1], np.zeros((1, 3), bool), 8, np.random.default_rng(0))


def test_a_value_that_was_judged_best_is_taken_next_time(counted):
    X = np.random.default_rng(0).standard_normal((400, 3))
    law = ascribe.fit_conditional(X, method="gaussian")
    first = ascribe.explain(f, X[:3], conditional=law, samples=8)
    assert first.info.value == "completions"
    assert not counted
    assert ascribe.explain(f, X[:3], conditional=law, samples=8, value="surrogate").info.value == "surrogate"
    assert ascribe.explain(f, X[:3], conditional=law, samples=8).info.value == "stacked"  # as it was judged
    assert ascribe.explain(f, X[:3], conditional=law, samples=8, value="completions").info.value == "completions"
    assert len(counted) == 1
    assert ascribe.explain(lambda Z: Z[:, 0], X[:3], conditional=law, samples=8).info.value == "completions"


@dataclass(frozen=True)
class Linear:
    """A function that cannot be hashed: it holds an array."""

    b: np.ndarray

    def __call__(self, Z):
        return Z @ self.b


def test_functions_that_hold_arrays_are_functions_too(counted):
    X = np.random.default_rng(0).standard_normal((400, 3))
    law = ascribe.fit_conditional(X, method="gaussian")
    linear = Linear(np.array([1.0, 2.0, 3.0]))
    for value in ("completions", "surrogate", "surrogate"):
        assert ascribe.explain(linear, X[:3], conditional=law, samples=8, value=value).info.value == value
    assert len(counted) == 1


def test_a_model_without_an_energy_model_says_so(model):
    bare = replace(model, model=replace(model.model, conditional=None))
    with pytest.raises(CapabilityError, match="without an energy model"):
        bare.energy([[0.0] * 6], [[True] * 6])
