"""Stated errors are the errors: intervals hold what they promise, and an error that is asked for is reached."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.attribution import Attribution
from ascribe.core.conditional import Gaussian
from ascribe.core.errors import InputError
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.shapley import MOST_SAMPLES
from tests.core.worlds import Quadratic, conditional_truth, random_covariance

SEEDS = 200


def world(n: int) -> tuple[Model, np.ndarray, np.ndarray]:
    """A Gaussian law, products and squares of its features, three rows and the closed form of their values."""
    rng = np.random.default_rng(n)
    mean, cov = rng.standard_normal(n), random_covariance(n, 4)
    f = Quadratic(rng.standard_normal(n), rng.standard_normal((n, n)) / n)
    rows = rng.multivariate_normal(mean, cov, 3)
    law = Gaussian(mean, cov, rows, quasi=False)
    model = Model(tuple(Feature(f"x{j}") for j in range(n)), f, rows, law, f.expected(mean, cov), unit="W")
    return model, rows, np.array([conditional_truth(f, mean, cov, x) for x in rows])


@pytest.mark.parametrize("samples", [4, 16, 64])
@pytest.mark.parametrize("n", [4, 5, 6])
def test_an_interval_holds_the_truth_as_often_as_it_says(n, samples):
    """With four completions Student's quantile is 1.6 times the normal one: without it coverage would be .85."""
    model, X, truth = world(n)
    inside, error, admitted = [], [], []
    for seed in range(SEEDS):
        a = explain(model, X, options=Options("exact", samples=samples, seed=seed))
        low, high = a.interval(0.95)
        inside.append((low <= truth) & (truth <= high))
        error.append(a.values - truth)
        admitted.append(a.stderr)
    assert 0.92 <= np.mean(inside) <= 0.98
    assert 0.9 <= np.sqrt(np.mean(np.square(error)) / np.mean(np.square(admitted))) <= 1.1
    bias = np.mean(error, axis=0) / (np.std(error, axis=0, ddof=1) / np.sqrt(SEEDS))
    assert np.sqrt(np.mean(bias**2)) < 1.8


@pytest.mark.parametrize("samples", [16, 64])
def test_both_errors_together_are_covered(samples):
    """Drawn coalitions and drawn completions: the stated error joins them. (Both share seeds: 8 players, 60 of 256.)"""
    rng = np.random.default_rng(0)
    n, cov = 8, random_covariance(8, 4)
    f = Quadratic(rng.standard_normal(n), rng.standard_normal((n, n)) / 4)
    X = rng.multivariate_normal(np.zeros(n), cov, 2)
    law = Gaussian(np.zeros(n), cov, X, quasi=False)
    model = Model(tuple(Feature(f"x{j}") for j in range(n)), f, X, law, f.expected(np.zeros(n), cov))
    exact = explain(model, X, options=Options("exact", samples=4096, seed=1)).values
    found = [explain(model, X, options=Options("kernel", 60, samples, seed)) for seed in range(SEEDS)]
    error, admitted = (np.array(held) for held in ([a.values - exact for a in found], [a.stderr for a in found]))
    assert 0.8 <= np.sqrt(np.mean(error**2) / np.mean(admitted**2)) <= 1.2
    inside = np.mean([(a.interval()[0] <= exact) & (exact <= a.interval()[1]) for a in found])
    assert inside >= 0.9


@pytest.mark.parametrize("estimator", ["kernel", "leverage", "odd", "unanimity", "trees", "auto"])
def test_an_interval_over_drawn_coalitions_is_students_at_31(estimator):
    """32 groups tell the error, whatever reads them, so errors of two readings have one form. From a table: 2.0395."""
    rng = np.random.default_rng(0)
    n = 11
    model = Model(tuple(Feature(f"x{j}") for j in range(n)), lambda Z: np.prod(1 + Z / 2, axis=1), np.zeros((1, n)))
    a = explain(model, rng.random((1, n)), "kernel_shap", Options(estimator, budget=300))
    low, high = a.interval(0.95)
    assert (a.stderr > 0).all()
    assert (high - low) / 2 / a.stderr == pytest.approx(np.full((1, n), 2.0395), abs=1e-4)


# An error that is asked for.


def asked(target: float, n: int = 6, **options: object) -> Attribution:
    model, X, _ = world(n)
    return explain(model, X, options=replace(Options(samples=16, target_stderr=target), **options))


@pytest.mark.parametrize("estimator", ["auto", "exact", "permutation", "kernel"])
def test_an_error_that_can_be_reached_is_reached(estimator):
    before = asked(1e9, estimator=estimator)
    target = 0.3 * float(before.stderr.max())
    a = asked(target, estimator=estimator)
    assert a.status.tolist() == ["ok"] * 3
    assert a.stderr.max() <= target
    assert a.info.samples > before.info.samples == 16
    assert np.abs(a.values.sum(axis=1) - (a.prediction - a.base_value)).max() < 1e-9
    assert (np.abs(a.values - world(6)[2]) <= 5 * target).all()


def test_each_row_spends_what_it_needs():
    """Completions double row by row; a row that is done early is the row at fewer completions, bit for bit."""
    stated = explain(world(6)[0], world(6)[1], options=Options("exact", samples=16)).stderr.max(axis=1)
    target = float(np.sort(stated)[:2].mean())
    a, plain = asked(target, estimator="exact"), explain(world(6)[0], world(6)[1], options=Options("exact", samples=16))
    early = int(stated.argmin())
    assert a.values[early].tobytes() == plain.values[early].tobytes()
    assert a.stderr[early].tobytes() == plain.stderr[early].tobytes()
    assert a.values[int(stated.argmax())].tobytes() != plain.values[int(stated.argmax())].tobytes()
    assert a.deviations.freedom()[early].tolist() == pytest.approx([15.0] * 6)
    assert 31 <= a.deviations.freedom().max() <= 127  # doubled, and no more than needed


def test_coalitions_grow_where_they_err_more():
    """11 players: 256 coalitions first; f has a product of all inputs, and completions are many."""
    rng = np.random.default_rng(0)
    n = 11
    f = lambda Z: np.prod(1 + 0.5 * Z, axis=1)  # noqa: E731
    law = Gaussian(np.zeros(n), np.eye(n) / 4, rng.standard_normal((50, n)), quasi=False)
    model = Model(tuple(Feature(f"x{j}") for j in range(n)), f, conditional=law, base_value=1.0)
    X = 1 + rng.random((1, n))
    options = Options("kernel", samples=64, seed=3)
    first = explain(model, X, options=replace(options, budget=256))
    both = [np.sqrt((d.astype(float) ** 2).sum(axis=1)).max() for d in vars(first.deviations).values()]
    assert both[1] > both[0]
    a = explain(model, X, options=replace(options, target_stderr=0.8 * float(first.stderr.max())))
    assert a.status.tolist() == ["ok"]
    assert a.info.budget > 256
    capped = explain(model, X, options=replace(options, budget=300, target_stderr=0.01 * float(first.stderr.max())))
    assert capped.info.budget <= 300
    assert capped.status.tolist() == ["above_target"]


def test_an_error_that_cannot_be_reached_is_said():
    a = asked(1e-9)
    assert a.status.tolist() == ["above_target"] * 3
    assert a.reasons[0] == f"standard error {a.stderr[0].max():.3g} at 64 coalitions x {MOST_SAMPLES}"
    assert a.info.samples == MOST_SAMPLES
    assert np.isfinite(a.values).all()


@pytest.mark.parametrize("estimator", ["permutation", "kernel"])
def test_an_error_that_cannot_be_told_is_not_reached(estimator):
    """Too few coalitions for a second group: the standard error is NaN, which is not below anything."""
    a = asked(1e9, estimator=estimator, budget=14)
    assert np.isnan(a.stderr).all()
    assert a.status.tolist() == ["above_target"] * 3
    assert a.info.samples == 16  # completions cannot help
    assert a.info.budget <= 14


def test_nothing_left_to_chance_is_reached_at_once():
    model, X, _ = world(6)
    a = explain(model, X, "kernel_shap", Options("exact", target_stderr=1e-12))
    assert a.status.tolist() == ["ok"] * 3
    assert not a.stderr.any()


def test_the_search_is_the_same_each_time_and_row_by_row():
    model, X, _ = world(6)
    options = Options(samples=16, target_stderr=0.05, seed=4)
    one, two = (explain(model, X, options=options) for _ in range(2))
    assert one.values.tobytes() == two.values.tobytes()
    assert one.stderr.tobytes() == two.stderr.tobytes()
    for i in range(3):
        alone = explain(model, X[i : i + 1], options=options)
        assert alone.values[0].tobytes() == one.values[i].tobytes()
        assert alone.status[0] == one.status[i]


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan")])
def test_an_error_is_asked_for_by_a_positive_number(target):
    with pytest.raises(InputError, match="target_stderr is a positive number in the output's unit, not"):
        Options(target_stderr=target)
