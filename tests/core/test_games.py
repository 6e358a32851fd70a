"""Games: the mean of f over completions, never f of a mean; weights and their jackknife."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.coalitions import all_coalitions
from ascribe.core.conditional import Gaussian
from ascribe.core.games import BaselineGame, ConditionalGame, MarginalGame
from ascribe.core.noise import blocks_of

from .worlds import Quadratic, conditional_moments, equicorrelated, random_covariance

NOBODY = np.zeros((1, 2), dtype=bool)


class Weighted:
    """Completions and log-weights given beforehand: every coalition's own, whatever the row."""

    name = "weighted"

    def __init__(self, Z: np.ndarray, log_weight: np.ndarray | None) -> None:
        self.Z, self.log_weight, self.background = Z, log_weight, Z[0]

    def noise(self, s, seed):
        return np.zeros((s, 1))

    def complete(self, x, S, noise):
        assert len(S) == len(self.Z)  # one slice, so that the k-th coalition gets the k-th draws
        return self.Z, self.log_weight


def values_of(Z, log_weight, f=lambda rows: rows[:, 0]):
    m, s, n = Z.shape
    game = ConditionalGame(f, Weighted(Z, log_weight), np.zeros((s, 1)), 0.0)
    return game.values(np.zeros(n), np.zeros((m, n), dtype=bool))


@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_the_value_is_a_mean_of_f_and_not_f_of_a_mean(rho):
    """Standard normal, nothing observed: E x1^2 = 1 and E x1 x2 = rho, where f at the mean gives 0."""
    law = Gaussian(np.zeros(2), equicorrelated(2, rho), np.zeros((3, 2)))
    noise = law.noise(4096, 0)
    for f, wanted in ((lambda Z: Z[:, 0] ** 2, 1.0), (lambda Z: Z[:, 0] * Z[:, 1], rho)):
        found = ConditionalGame(f, law, noise, 0.0).values(np.array([5.0, -5.0]), NOBODY)
        assert found.v[0] == pytest.approx(wanted, abs=0.02)


def test_conditional_values_of_a_quadratic_are_the_closed_form():
    n = 4
    mean, cov, rng = np.arange(4.0), random_covariance(4, 1), np.random.default_rng(0)
    f = Quadratic(rng.standard_normal(n), rng.standard_normal((n, n)))
    x, S = rng.standard_normal(n), all_coalitions(n)
    law = Gaussian(mean, cov, np.zeros((3, n)))
    found = ConditionalGame(f, law, law.noise(1 << 13, 0), 0.0).values(x, S)
    wanted = np.array([f.expected(*conditional_moments(mean, cov, x, row)) for row in S])
    assert found.v == pytest.approx(wanted, abs=0.02 * np.ptp(wanted))
    assert np.ptp(wanted) > 1
    assert found.v[-1] == pytest.approx(f(x[None])[0], abs=1e-10)
    assert found.ess.tolist() == [1 << 13] * 16


def test_replicates_are_block_means_and_v_their_mean():
    Z = np.random.default_rng(0).standard_normal((5, 48, 2))
    found = values_of(Z, None)
    assert blocks_of(48) == 8
    assert found.replicates == pytest.approx(Z[:, :, 0].reshape(5, 8, 6).mean(axis=2), abs=1e-12)
    assert found.v == pytest.approx(Z[:, :, 0].mean(axis=1), abs=1e-12)
    assert found.ess.tolist() == [48] * 5


@pytest.mark.parametrize("constant", [0.0, -3.0, 700.0, -800.0])
def test_equal_weights_are_no_weights(constant):
    """The jackknife of equal weights is the block means, whatever the constant and however large."""
    Z = np.random.default_rng(0).standard_normal((5, 48, 2))
    plain, weighted = values_of(Z, None), values_of(Z, np.full((5, 48), constant))
    assert weighted.replicates == pytest.approx(plain.replicates, abs=1e-12)
    assert weighted.v == pytest.approx(plain.v, abs=1e-12)
    assert weighted.ess == pytest.approx(48, abs=1e-9)


def test_a_known_weight_moves_the_value_to_the_known_mean():
    """q = N(0, 1), log-weight x: the law N(1, 1), so E x = 1 and E x^2 = 2; half of s / e effective draws."""
    s = 1 << 16
    z = np.random.default_rng(0).standard_normal((1, s, 1))
    found = values_of(z, z[:, :, 0])
    assert found.v[0] == pytest.approx(1, abs=0.05)
    assert values_of(z, z[:, :, 0], lambda rows: rows[:, 0] ** 2).v[0] == pytest.approx(2, abs=0.15)
    assert found.ess[0] / s == pytest.approx(np.exp(-1), rel=0.1)
    assert values_of(z, None).v[0] == pytest.approx(0, abs=0.02)


def test_one_hot_weight_takes_that_draw():
    """All weight on draw 7: its value, not that of draw 0. (Block 0 cannot be left out then: see the note.)"""
    z = np.arange(32.0).reshape(1, 32, 1)
    log_weight = np.full((1, 32), -12.0)
    log_weight[0, 7] = 0.0
    found = values_of(z, log_weight)
    plain = np.average(z[0, :, 0], weights=np.exp(log_weight[0]))
    assert plain == pytest.approx(7, abs=0.01)
    assert found.ess[0] == pytest.approx(1, abs=0.01)
    two = values_of(np.array([[[1.0], [6.0]]]), np.log([[0.2, 0.8]]))
    assert two.ess[0] == pytest.approx(1 / (0.2**2 + 0.8**2), abs=1e-12)


def test_the_jackknife_is_its_formula():
    rng = np.random.default_rng(1)
    z, log_weight = rng.standard_normal((3, 40, 1)), rng.standard_normal((3, 40))
    found = values_of(z, log_weight)
    w = np.exp(log_weight)
    for k in range(3):
        f, ratio = z[k, :, 0], np.average(z[k, :, 0], weights=w[k])
        blocks = np.arange(40).reshape(8, 5)
        without = [np.average(np.delete(f, block), weights=np.delete(w[k], block)) for block in blocks]
        assert found.replicates[k] == pytest.approx(8 * ratio - 7 * np.array(without), abs=1e-10)
        assert found.v[k] == pytest.approx(found.replicates[k].mean(), abs=1e-12)


def test_the_jackknife_takes_away_most_of_the_bias():
    """q = N(0, 1), log-weight x, s = 32: the plain ratio is low by e/s = .085; 8,000 repetitions, truth 1."""
    m, s = 8000, 32
    z = np.random.default_rng(0).standard_normal((m, s, 1))
    w = np.exp(z[:, :, 0])
    plain = (w * z[:, :, 0]).sum(axis=1) / w.sum(axis=1) - 1
    corrected = values_of(z, z[:, :, 0]).v - 1
    noise = corrected.std() / np.sqrt(m)
    assert plain.mean() < -0.06
    assert abs(corrected.mean()) < 0.4 * abs(plain.mean())
    assert noise < 0.01


def test_the_spread_of_weighted_replicates_is_the_error():
    """Standard error from the replicates against the true error, for weights of moderate spread (log-weight x/2)."""
    m, s = 2000, 64
    z = np.random.default_rng(1).standard_normal((m, s, 1))
    found = values_of(z, z[:, :, 0] / 2)
    error = np.sqrt(((found.v - 0.5) ** 2).mean())
    admitted = np.sqrt((found.replicates.var(axis=1, ddof=1) / 8).mean())
    assert 0.85 <= error / admitted <= 1.15


def test_marginal_is_the_mean_of_baselines():
    rng = np.random.default_rng(0)
    rows, x, S = rng.standard_normal((13, 4)), rng.standard_normal(4), all_coalitions(4)
    f = lambda Z: np.sin(Z[:, 0] * Z[:, 1]) + Z[:, 2] * Z[:, 3] ** 2  # noqa: E731
    whole = MarginalGame(f, rows)
    singles = [BaselineGame(f, row) for row in rows]
    assert whole.kind == "marginal"
    assert {game.kind for game in singles} == {"baseline"}
    assert whole.base_value == pytest.approx(np.mean([game.base_value for game in singles]), abs=1e-12)
    assert whole.base_value == pytest.approx(f(rows).mean(), abs=1e-12)
    found = whole.values(x, S)
    assert found.v == pytest.approx(np.mean([game.values(x, S).v for game in singles], axis=0), abs=1e-12)
    by_hand = [np.mean([f(np.where(row, x, r)[None])[0] for r in rows]) for row in S]
    assert found.v == pytest.approx(by_hand, abs=1e-12)
    assert found.v[0] == pytest.approx(whole.base_value, abs=1e-12)
    assert found.v[-1] == pytest.approx(f(x[None])[0], abs=1e-12)
    assert found.replicates.shape == (16, 1)
    assert (found.ess == 13).all()


@pytest.mark.parametrize("cells", [1, 100, 1 << 19])
def test_the_size_of_the_working_set_changes_nothing(monkeypatch, cells):
    rng = np.random.default_rng(0)
    rows, x, S = rng.standard_normal((20, 4)), rng.standard_normal(4), all_coalitions(4)
    law = Gaussian(np.zeros(4), equicorrelated(4, 0.5), rows)
    games = [
        MarginalGame(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 3], rows),
        ConditionalGame(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 3], law, law.noise(32, 0), 0.0),
    ]
    wanted = [game.values(x, S).v for game in games]
    monkeypatch.setattr("ascribe.core.games.CELLS", cells)
    for game, v in zip(games, wanted, strict=True):
        assert game.values(x, S).v == pytest.approx(v, abs=1e-12)


def test_models_may_answer_in_columns_and_single_precision():
    rows = np.random.default_rng(0).standard_normal((6, 3))
    column = lambda Z: (Z.sum(axis=1, keepdims=True)).astype(np.float32)  # noqa: E731
    found = MarginalGame(column, rows).values(np.ones(3), all_coalitions(3))
    flat = MarginalGame(lambda Z: Z.sum(axis=1), rows).values(np.ones(3), all_coalitions(3))
    assert found.v.dtype == np.float64
    assert found.v == pytest.approx(flat.v, abs=1e-5)
