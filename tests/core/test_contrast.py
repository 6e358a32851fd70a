"""The difference of two explanations: its values, and an error without the noise that both share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.attribution import Attribution
from ascribe.core.conditional import Gaussian
from ascribe.core.contrast import contrast
from ascribe.core.errors import InputError
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options

from .worlds import Quadratic, conditional_truth, equicorrelated

N = 5
MEAN, COV = np.zeros(N), equicorrelated(N, 0.5)
F = Quadratic(np.array([1.0, -2.0, 0.5, 0.0, 1.0]), np.diag([0.5, 0, 0, 0.3, 0]) + np.eye(N, k=1))
NAMES = tuple("abcde")
ROWS = np.random.default_rng(1).multivariate_normal(MEAN, COV, 4)
NEAR = ROWS + 0.05 * np.random.default_rng(2).standard_normal(ROWS.shape)
KERNEL = Options("kernel", 24, samples=16)


def a_model(**more) -> Model:
    law = Gaussian(MEAN, COV, ROWS, quasi=False)
    whole = Model(tuple(Feature(name) for name in NAMES), F, ROWS, law, F.expected(MEAN, COV), unit="W")
    return replace(whole, **more)


def answer(X: np.ndarray, options: Options = KERNEL, **more) -> Attribution:
    return explain(a_model(**more), X, options=options)


def test_it_is_the_difference_and_adds_up():
    a0, a1 = answer(ROWS), answer(NEAR)
    c = contrast(a0, a1)
    assert c.values == pytest.approx(a1.values - a0.values, abs=1e-12)
    assert c.values.sum(axis=1) == pytest.approx(F(NEAR) - F(ROWS), abs=1e-9)
    assert c.base_value == 0
    assert c.prediction == pytest.approx(F(NEAR) - F(ROWS))
    assert c.info.gaps["efficiency_gap"] < 1e-9
    assert c.info.method == "contrast of conditional_shap"
    assert c.data == pytest.approx(NEAR - ROWS)
    assert (c.features, c.columns, len(c)) == (a0.features, a0.columns, 4)
    assert c.status.tolist() == ["ok"] * 4
    assert contrast(a1, a0).values.tobytes() == (-c.values).tobytes()
    assert contrast(a1, a0).stderr == pytest.approx(c.stderr)


def test_two_models_differ_by_their_bases_too():
    a0 = answer(ROWS)
    a1 = answer(ROWS, predict=lambda Z: 3 + 2 * F(Z), base_value=3 + 2 * a0.base_value)
    c = contrast(a0, a1)
    assert c.values == pytest.approx(a0.values)
    assert c.base_value == pytest.approx(3 + a0.base_value)
    assert c.values.sum(axis=1) == pytest.approx(c.prediction - c.base_value)


@pytest.mark.parametrize("options", [KERNEL, Options("exact", samples=16)], ids=["kernel", "exact"])
def test_what_both_share_cancels(options):
    """Rows near each other, the same coalitions and completions: most of the error is common."""
    a0, a1 = answer(ROWS, options), answer(NEAR, options)
    c, independent = contrast(a0, a1), np.hypot(a0.stderr, a1.stderr)
    assert (c.stderr < 0.4 * independent).all()
    assert (c.stderr > 0).all()
    assert not contrast(a0, a0).stderr.any()
    far = contrast(a0, answer(-3 * ROWS, options))
    assert (far.stderr > c.stderr).all()


def test_other_seeds_share_nothing():
    a0, a1 = answer(ROWS), answer(NEAR, replace(KERNEL, seed=1))
    assert contrast(a0, a1).stderr == pytest.approx(np.hypot(a0.stderr, a1.stderr), rel=1e-5)
    more = answer(NEAR, replace(KERNEL, samples=32))
    assert contrast(a0, more).stderr == pytest.approx(np.hypot(a0.stderr, more.stderr), rel=1e-5)
    told = contrast(replace(a0, deviations=None), answer(NEAR))  # an explainer that states no parts
    assert told.stderr == pytest.approx(np.hypot(a0.stderr, answer(NEAR).stderr))
    assert told.deviations is None


@pytest.mark.parametrize("apart", [0.1, 1.0])
@pytest.mark.parametrize("seeds", ["the same", "different"])
@pytest.mark.parametrize(("options", "least"), [(KERNEL, 0.75), (Options("exact", samples=16), 0.85)])
def test_the_error_that_is_stated_is_the_error(apart, seeds, options, least):
    """Over 120 seeds against the closed form: RMS error over RMS stated error."""
    X = ROWS + apart * np.random.default_rng(3).standard_normal(ROWS.shape)
    truth = np.array([conditional_truth(F, MEAN, COV, x) for x in X]) - TRUTH
    error, admitted = [], []
    for k in range(120):
        other = k if seeds == "the same" else 1000 + k
        c = contrast(answer(ROWS, replace(options, seed=k)), answer(X, replace(options, seed=other)))
        error.append(c.values - truth)
        admitted.append(c.stderr)
    assert least <= np.sqrt(np.mean(np.square(error)) / np.mean(np.square(admitted))) <= 1.25


TRUTH = np.array([conditional_truth(F, MEAN, COV, x) for x in ROWS])


def test_the_interval_of_a_difference_holds_it():
    truth = np.array([conditional_truth(F, MEAN, COV, x) for x in NEAR]) - TRUTH
    held = []
    for k in range(100):
        exact = Options("exact", samples=12, seed=k)
        low, high = contrast(answer(ROWS, exact), answer(NEAR, exact)).interval(0.9)
        held.append((low <= truth) & (truth <= high))
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_one_row_is_compared_with_every_row():
    one, many = answer(ROWS[:1]), answer(NEAR)
    for c, sign in ((contrast(one, many), 1), (contrast(many, one), -1)):
        assert c.values == pytest.approx(sign * (many.values - one.values))
        assert c.data == pytest.approx(sign * (NEAR - ROWS[:1]))
        assert c.prediction == pytest.approx(sign * (F(NEAR) - F(ROWS[:1])))
        assert c.stderr == pytest.approx(contrast(answer(np.repeat(ROWS[:1], 4, axis=0)), many).stderr)
    assert len(contrast(one, answer(np.empty((0, N))))) == 0
    assert len(contrast(answer(np.empty((0, N))), answer(np.empty((0, N))))) == 0


def test_a_row_that_was_not_answered_leaves_the_others_alone():
    bad = ROWS.copy()
    bad[2, 1] = np.nan
    whole, c = contrast(answer(ROWS), answer(NEAR)), contrast(answer(bad), answer(NEAR))
    assert c.status.tolist() == ["ok", "ok", "invalid", "ok"]
    assert c.reasons[2].startswith("b = nan")
    assert np.isnan(c.values[2]).all()
    assert np.isnan(c.interval()[0][2]).all()
    assert np.isfinite(c.info.gaps["efficiency_gap"])
    good = [0, 1, 3]
    assert c.values[good].tobytes() == whole.values[good].tobytes()
    assert c.stderr[good] == pytest.approx(whole.stderr[good])
    turned = contrast(answer(NEAR), answer(bad))
    assert turned.status.tolist() == c.status.tolist()
    assert turned.reasons == c.reasons


def test_a_row_without_an_answer_has_no_error():
    """NaN, not the error of the other row alone."""
    bad = ROWS.copy()
    bad[2, 1] = np.nan
    assert np.isnan(contrast(answer(bad), answer(NEAR)).stderr[2]).all()
    assert np.isnan(contrast(answer(NEAR), answer(bad)).stderr[2]).all()


def test_what_cannot_be_compared_is_refused():
    a = answer(ROWS)
    marginal = explain(a_model(), ROWS, "kernel_shap", KERNEL)
    with pytest.raises(InputError, match="of different game cannot be compared: conditional and marginal"):
        contrast(a, marginal)
    with pytest.raises(InputError, match="of different unit cannot be compared: W and none"):
        contrast(a, answer(ROWS, unit=""))
    with pytest.raises(InputError, match="of different output cannot be compared: prediction and watts"):
        contrast(a, answer(ROWS, output="watts"))
    with pytest.raises(InputError, match="among different players: use the same groups"):
        contrast(a, answer(ROWS, replace(KERNEL, budget=None, groups={"two": ("a", "b")})))
    with pytest.raises(InputError, match="4 rows cannot be compared with 3: give as many, or one"):
        contrast(a, answer(ROWS[:3]))
    with pytest.raises(InputError, match="of different space cannot be compared: none and margin"):
        contrast(a, replace(a, info=replace(a.info, space="margin")))


def test_a_row_that_was_not_answered_is_told_before_one_with_a_remark():
    beyond, bad = ROWS.copy(), ROWS.copy()
    beyond[2, 0], bad[2, 1] = 1e6, np.nan
    for c in (contrast(answer(bad), answer(beyond)), contrast(answer(beyond), answer(bad))):
        assert c.status[2] == "invalid"
        assert c.reasons[2].startswith("b = nan")
