"""How predictions and value functions are judged."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ascribe.core.conditional import Gaussian, Independent
from ascribe.core.games import ConditionalGame
from ascribe.core.judge import (
    ClassError,
    MseV,
    block_mean,
    class_error,
    game_error,
    mse_v,
    power_error,
    random_coalitions,
)
from ascribe.core.regression import Regression
from ascribe.core.scaling import REACH, Scores
from ascribe.core.surrogate import Surrogate

from .worlds import equicorrelated


def test_power_error_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    y = rng.uniform(80, 300, 200)
    predicted = y + 10 * rng.standard_normal(200)
    found = power_error(y, predicted)
    assert found.mae == pytest.approx(metrics.mean_absolute_error(y, predicted), rel=1e-12)
    assert found.mape == pytest.approx(metrics.mean_absolute_percentage_error(y, predicted), rel=1e-12)
    assert found.r2 == pytest.approx(metrics.r2_score(y, predicted), rel=1e-12)


def test_power_error_at_the_edges():
    zeros = power_error(np.array([0.0, 2.0, -4.0]), np.array([1.0, 1.0, -5.0]))
    assert zeros.mape == pytest.approx((1 / 2 + 1 / 4) / 2)  # the row whose truth is 0 has no share
    assert zeros.mae == pytest.approx(1)
    constant = power_error(np.zeros(3), np.ones(3))
    assert np.isnan(constant.r2)
    assert np.isnan(constant.mape)


@pytest.mark.parametrize("classes", [2, 4])
def test_class_error_is_that_of_scikit_learn(classes):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(classes)
    scores, y = rng.dirichlet(np.ones(classes), 100), rng.integers(0, classes, 100)
    found = class_error(y.astype(float), scores, True)
    assert found.accuracy == metrics.accuracy_score(y, scores.argmax(axis=1))
    assert found.log_loss == pytest.approx(metrics.log_loss(y, scores, labels=range(classes)), rel=1e-12)
    assert class_error(y.astype(float), 9 * scores, False) == ClassError(found.accuracy, None)
    certain = class_error(np.array([0.0]), np.array([[0.0, 1.0]]), True)  # and wrong: far off, not infinitely
    assert 30 < certain.log_loss < 40


def test_random_coalitions_are_proper_and_even_over_sizes():
    S = random_coalitions(7, 12_000, np.random.default_rng(0))
    size = S.sum(axis=1)
    assert set(size) == set(range(1, 7))
    assert np.abs(np.bincount(size)[1:] / 2000 - 1).max() < 0.1
    assert np.abs(S.mean(axis=0) - 0.5).max() < 0.02


def test_mse_v_of_a_linear_f_by_hand():
    """White x, f = b'x: v(S) = b_S'x_S, so the miss is (b_u'x_u)^2, averaged over the same coalitions."""
    n, b, rng = 5, np.array([1.0, -2.0, 0.5, 3.0, 0.0]), np.random.default_rng(0)
    X = rng.standard_normal((6, n))
    law = Gaussian(np.zeros(n), np.eye(n), X)
    found = mse_v(lambda Z: Z @ b, law, X, coalitions=20, samples=2048, seed=9)
    S = random_coalitions(n, 20, np.random.default_rng(9))
    wanted = (((X[:, None] * ~S) @ b) ** 2).mean(axis=1)
    assert found.rows.shape == (6,)
    assert found.rows == pytest.approx(wanted, rel=0.05, abs=0.05)
    assert wanted.min() > 0.2


def test_mse_v_prefers_the_true_conditional():
    n, cov = 5, equicorrelated(5, 0.8)
    rows = np.random.default_rng(0).multivariate_normal(np.zeros(n), cov, 400)
    f = lambda Z: Z.sum(axis=1) + Z[:, 0] * Z[:, 1]  # noqa: E731
    X = rows[:60]
    right = mse_v(f, Gaussian(np.zeros(n), cov, rows), X, seed=1)
    wrong = mse_v(f, Independent(rows), X, seed=1)
    paired = wrong.rows - right.rows
    assert paired.mean() > 3 * paired.std() / np.sqrt(len(paired))
    assert right < 0.7 * wrong


def test_mse_v_falls_with_samples_and_repeats_with_the_seed():
    """White noise and no relation: level is Var f + Var f / s."""
    n = 3
    rows = np.random.default_rng(0).standard_normal((2000, n))
    law = Gaussian(np.zeros(n), np.eye(n), rows, quasi=False)
    f = lambda Z: Z[:, 0] * Z[:, 1] * Z[:, 2]  # noqa: E731
    means = [
        np.mean([mse_v(f, law, rows[:40], coalitions=32, samples=s, seed=k) for k in range(6)]) for s in (2, 8, 128)
    ]
    assert all(high > low for high, low in pairwise(means))
    one, two = (mse_v(f, law, rows[:5], seed=3).rows for _ in range(2))
    assert one.tobytes() == two.tobytes() != mse_v(f, law, rows[:5], seed=4).rows.tobytes()
    assert mse_v(f, law, rows[2:3], seed=3).rows.tobytes() == one[2:3].tobytes()


def test_chance_is_judged_over_blocks_of_neighbouring_rows():
    """Errors that last: one number for a run of 20 rows. Rows are 20 times as many as there are runs."""
    runs = np.repeat(np.random.default_rng(0).standard_normal(30), 20)
    by_rows = runs.std(ddof=1) / np.sqrt(len(runs))
    found = block_mean(runs)
    assert found.stderr == pytest.approx(runs[::20].std(ddof=1) / np.sqrt(30))
    assert found.stderr > 4 * by_rows
    assert found.beyond == pytest.approx(2.09 * found.stderr, rel=0.01)
    assert np.isnan(block_mean(runs[:1]).beyond)


def test_mse_v_is_a_number_with_its_rows_and_error():
    rows = np.array([1.0, 2.0, 6.0])
    found = MseV(rows)
    assert isinstance(found, float)
    assert found == 3.0
    assert found.rows.tolist() == rows.tolist()
    assert found.stderr == pytest.approx(np.sqrt(7 / 3))
    assert np.isnan(MseV(rows[:1]).stderr)
    assert f"{found:.1f}" == "3.0"


def test_a_surrogate_is_judged_by_its_own_answer():
    """Constant g: the miss is f(x) - g whatever the coalition; no completion is drawn."""
    X = np.random.default_rng(0).standard_normal((6, 3))
    scores = Scores(np.tile(np.linspace(-REACH, REACH, 129, dtype=np.float32), (3, 1)))
    asked = []

    def fit(predict):
        asked.append(predict)
        return Surrogate(scores, lambda Z, S: np.full(len(Z), 0.25))

    f = lambda Z: Z[:, 0]  # noqa: E731
    law = Regression(X, fit)
    found = mse_v(f, law, X, coalitions=5)
    assert found.rows == pytest.approx((X[:, 0] - 0.25) ** 2)
    assert mse_v(f, law, X, coalitions=5) == found
    assert asked == [f]  # fitted to the function itself, once


def test_a_game_is_judged_as_it_stands():
    n, rows = 3, np.random.default_rng(0).standard_normal((50, 3))
    law = Gaussian(np.zeros(n), np.eye(n), rows, quasi=False)
    f = lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2]  # noqa: E731
    whole = ConditionalGame(f, law, 16, 5, 0.0)
    assert game_error(whole, rows[:9], 8, 5).rows.tobytes() == mse_v(f, law, rows[:9], 8, 16, 5).rows.tobytes()
    scores = Scores(np.tile(np.linspace(-REACH, REACH, 129, dtype=np.float32), (n, 1)))
    g = Surrogate(scores, lambda Z, S: np.zeros(len(Z)))
    ends = [
        game_error(ConditionalGame(f, law, 16, 5, 0.0, g, "stacked", np.full(n + 1, a)), rows[:9], 8, 5).rows
        for a in (0.0, 1.0)
    ]
    assert ends[0] == pytest.approx(f(rows[:9]) ** 2)
    assert ends[1] == pytest.approx(game_error(whole, rows[:9], 8, 5).rows)
