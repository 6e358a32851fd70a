"""Explanations against closed forms: correlated Gaussians, quadratic f, and peers that solve the same game."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.conditional import Gaussian, Independent
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options

from .worlds import Quadratic, conditional_truth, equicorrelated, marginal_truth, random_covariance


def a_model(f, conditional, **more) -> Model:
    names = tuple(Feature(f"x{j}") for j in range(conditional.background.shape[1]))
    return Model(names, f, more.pop("background", conditional.background), conditional, **more)


def products(n: int, seed: int) -> Quadratic:
    """Single effects, two products, a square."""
    A = np.zeros((n, n))
    A[0, 1], A[2, 3], A[4 % n, 4 % n] = 1.0, -1.5, 0.5
    return Quadratic(np.random.default_rng(seed).standard_normal(n), A)


def test_linear_f_of_a_gaussian():
    """v(S) = f(E[x | x_S]), and an ignored input gets credit through its correlation."""
    n, cov, mean = 5, random_covariance(5, 2), np.array([1.0, 0, -1, 2, 0.5])
    f = Quadratic(np.array([1.0, -2.0, 0.5, 0.0, 3.0]), np.zeros((n, n)))
    X = np.random.default_rng(0).multivariate_normal(mean, cov, 3)
    model = a_model(f, Gaussian(mean, cov, X), base_value=f.expected(mean, cov))
    answer = explain(model, X, options=Options("exact", samples=1024))
    truth = np.array([conditional_truth(f, mean, cov, x) for x in X])
    assert answer.values == pytest.approx(truth, abs=0.02)
    assert np.abs(truth[:, 3]).max() > 0.1
    assert np.abs(truth - f.b * (X - mean)).max() > 0.3  # the marginal game is another one


@pytest.mark.parametrize("estimator", ["exact", "kernel"])
def test_quadratic_f_of_correlated_gaussians(estimator):
    n, cov, mean = 4, random_covariance(4, 3), np.arange(4.0)
    f = products(n, 1)
    X = np.random.default_rng(0).multivariate_normal(mean, cov, 3)
    model = a_model(f, Gaussian(mean, cov, X), base_value=f.expected(mean, cov))
    answer = explain(model, X, options=Options(estimator, samples=4096))
    truth = np.array([conditional_truth(f, mean, cov, x) for x in X])
    assert np.abs(answer.values - truth).max() < 0.02 * np.abs(truth).max()
    assert (np.abs(answer.values - truth) <= 6 * answer.stderr + 1e-9).all()


def test_conditional_is_marginal_where_inputs_are_independent():
    n, rng = 4, np.random.default_rng(0)
    f = products(n, 2)
    rows = rng.standard_normal((4000, n))
    X = rng.standard_normal((3, n))
    model = a_model(f, Gaussian(np.zeros(n), np.eye(n), rows), base_value=f.expected(np.zeros(n), np.eye(n)))
    conditional = explain(model, X, "conditional_shap", Options("exact", samples=1024))
    marginal = explain(model, X, "kernel_shap", Options("exact"))
    truth = np.array([marginal_truth(f, np.zeros(n), np.eye(n), x) for x in X])
    assert truth == pytest.approx(np.array([conditional_truth(f, np.zeros(n), np.eye(n), x) for x in X]), abs=1e-10)
    assert conditional.values == pytest.approx(truth, abs=0.05)
    assert marginal.values == pytest.approx(truth, abs=0.1)


# The exact sampler: six equicorrelated inputs (.5), f with products, all coalitions, 64 plain draws for each.
N, DRAWS, REPEATS = 6, 64, 40
MEAN, COV = np.zeros(N), equicorrelated(N, 0.5)
F = products(N, 0)
ROWS = np.random.default_rng(1).multivariate_normal(MEAN, COV, 4)


def the_model(quasi: bool = False) -> Model:
    return a_model(F, Gaussian(MEAN, COV, ROWS, quasi=quasi), base_value=F.expected(MEAN, COV))


def calibration(answers, truth: np.ndarray) -> float:
    """RMS error over RMS stated error."""
    error = np.array([answer.values - truth for answer in answers])
    admitted = np.array([answer.stderr for answer in answers])
    return float(np.sqrt((error**2).mean() / (admitted**2).mean()))


def mean_error(answers, truth: np.ndarray) -> float:
    return float(np.mean([np.abs(answer.values - truth).mean() for answer in answers]))


@pytest.fixture(scope="module")
def truth():
    return np.array([conditional_truth(F, MEAN, COV, x) for x in ROWS])


@pytest.fixture(scope="module")
def answers():
    return [explain(the_model(), ROWS, options=Options("exact", samples=DRAWS, seed=k)) for k in range(REPEATS)]


def test_the_exact_sampler_beats_the_marginal_game(truth, answers):
    found = mean_error(answers, truth)
    other = np.array([marginal_truth(F, MEAN, COV, x) for x in ROWS])
    assert found < 0.5 * np.abs(other - truth).mean()
    assert found < 0.25 * np.abs(truth).mean()
    rows = np.random.default_rng(2).multivariate_normal(MEAN, COV, 500)
    model = a_model(F, Independent(rows), base_value=F.expected(MEAN, COV))
    independent = explain(model, ROWS, options=Options("exact", samples=500))
    assert found < mean_error([independent], truth)
    assert independent.values == pytest.approx(other, abs=0.4)


def test_the_exact_sampler_has_no_bias(truth, answers):
    values = np.array([answer.values for answer in answers])
    z = (values.mean(axis=0) - truth) / (values.std(axis=0, ddof=1) / np.sqrt(REPEATS))
    assert np.sqrt((z**2).mean()) < 2


def test_the_standard_error_of_completions_is_their_error(truth, answers):
    assert 0.7 <= calibration(answers, truth) <= 1.4
    error = np.array([answer.values - truth for answer in answers])
    admitted = np.array([answer.stderr for answer in answers])
    for j in range(N):
        assert 0.6 <= np.sqrt((error[..., j] ** 2).mean() / (admitted[..., j] ** 2).mean()) <= 1.6


def test_error_falls_with_completions(truth, answers):
    more = [explain(the_model(), ROWS, options=Options("exact", samples=16 * DRAWS, seed=k)) for k in range(10)]
    assert mean_error(more, truth) == pytest.approx(mean_error(answers, truth) / 4, rel=0.4)


def test_quasi_random_completions_are_better_and_never_claim_more_than_they_are(truth, answers):
    """Blocks of one net fill one another's gaps: their spread errs on the safe side (decision 8)."""
    for draws, gain in ((DRAWS, 0.8), (16 * DRAWS, 0.5)):
        plain, quasi = (
            [explain(the_model(kind), ROWS, options=Options("exact", samples=draws, seed=k)) for k in range(20)]
            for kind in (False, True)
        )
        assert mean_error(quasi, truth) < gain * mean_error(plain, truth)
        assert 0 < calibration(quasi, truth) <= 1.1


def test_sampled_coalitions_and_completions_together(truth):
    """Both noises at once: the stated error joins them."""
    for estimator, budget in (("kernel", 40), ("permutation", 60)):
        both = [explain(the_model(), ROWS, options=Options(estimator, budget, samples=32, seed=k)) for k in range(60)]
        assert 0.7 <= calibration(both, truth) <= 1.4


def test_kernel_shap_agrees_with_the_shap_package():
    """The same marginal game, all coalitions, solved by its two explainers."""
    shap = pytest.importorskip("shap")
    rng = np.random.default_rng(0)
    rows, X = rng.standard_normal((12, 5)), rng.standard_normal((3, 5))

    def f(Z):
        return np.tanh(Z[:, 0] * Z[:, 1]) + Z[:, 2] * np.maximum(Z[:, 3], 0) - 0.5 * Z[:, 4] + 2

    ours = {
        name: explain(a_model(f, Independent(rows)), X, "kernel_shap", Options(name, budget))
        for name, budget in (("exact", None), ("kernel", 32))
    }
    kernel = shap.KernelExplainer(f, rows)
    found = kernel.shap_values(X, nsamples=2**5, l1_reg=False, silent=True)
    exact = shap.explainers.Exact(f, shap.maskers.Independent(rows, max_samples=len(rows)))(X)
    for answer in ours.values():
        assert answer.values == pytest.approx(found, abs=1e-6)
        assert answer.values == pytest.approx(exact.values, abs=1e-6)
        assert answer.base_value == pytest.approx(float(kernel.expected_value), abs=1e-9)
        assert not answer.stderr.any()
    assert np.abs(found).max() > 0.5
