"""Terms of additive models: exact, and the Shapley values of the marginal game whatever the features' dependence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import available, explain
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.terms import Terms

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((50, 3)) @ np.array([[1, 0.9, 0.3], [0, 0.4, 0.2], [0, 0, 1]])
TERMS = Terms(
    7.0, np.array([2.0, 0.0, -1.0]), np.array([0.5, 0.0, 0.0]),
    (np.empty(0, np.float32), np.array([-1, 0, 2], np.float32), np.array([0.25], np.float32)),
    (np.zeros(1), np.array([1.0, -2.0, 0.5, 4.0]), np.array([-1.0, 1.0])),
).centred(ROWS)  # fmt: skip
MODEL = Model(
    tuple(Feature(name, low=-50.0, high=50.0) for name in "abc"),
    lambda X: TERMS.intercept + TERMS.parts(X).sum(axis=1),
    ROWS, unit="W", terms=TERMS,
)  # fmt: skip
X = RNG.standard_normal((6, 3))


def test_terms_are_the_shapley_values_of_the_marginal_game():
    a, b = explain(MODEL, X, "additive_terms"), explain(MODEL, X, "kernel_shap", Options("exact"))
    assert a.values == pytest.approx(b.values, abs=1e-9)
    assert a.base_value == pytest.approx(b.base_value) == pytest.approx(MODEL.predict(ROWS).mean())
    assert a.info.gaps["efficiency_gap"] < 1e-12
    assert (a.stderr == 0).all() and (a.info.unit, a.info.estimator) == ("W", "exact")


def test_parts_by_hand():
    raw = Terms(0.0, np.array([3.0]), np.array([1.0]), (np.array([0.0, 5.0]),), (np.array([10.0, 20.0, 40.0]),))
    assert raw.parts(np.array([[-1.0], [0.0], [4.9], [5.0]]))[:, 0] == pytest.approx([4, 17, 31.7, 52])
    held = raw.centred(np.array([[0.0], [5.0]]))
    assert held.intercept == pytest.approx(34.5)
    assert held.parts(np.array([[0.0], [5.0]])).sum() == pytest.approx(0)
    assert TERMS.parts(ROWS).mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)


def test_a_bad_row_fails_alone_and_a_model_without_terms_is_refused():
    rows = X.copy()
    rows[2, 1] = np.nan
    a = explain(MODEL, rows, "additive_terms")
    assert a.status.tolist() == ["ok", "ok", "invalid", "ok", "ok", "ok"]
    assert np.isnan(a.values[2]).all()
    assert a.values[[0, 5]] == pytest.approx(explain(MODEL, X[[0, 5]], "additive_terms").values)
    assert "additive_terms" in available(MODEL)
    with pytest.raises(CapabilityError, match="additive_terms needs terms"):
        explain(replace(MODEL, terms=None), X, "additive_terms")
    with pytest.raises(InputError, match="leave out groups"):
        explain(MODEL, X, "additive_terms", Options(groups={"ab": ("a", "b")}))


def test_arrays_there_and_back():
    again = Terms.of(TERMS.arrays())
    assert again.parts(X).tobytes() == TERMS.parts(X).tobytes()
    assert again.intercept == TERMS.intercept
    broken = TERMS.arrays()
    for name, value in (("steps", broken["steps"][1:]), ("edges", broken["edges"][::-1]), ("slopes", np.ones(2))):
        with pytest.raises(InputError):
            Terms.of(broken | {name: value})
