"""Games: the mean of f over completions, never f of a mean; weights and their jackknife."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.coalitions import all_coalitions
from ascribe.core.conditional import Gaussian
from ascribe.core.games import BaselineGame, ConditionalGame, MarginalGame, weigh
from ascribe.core.scaling import REACH, Scores
from ascribe.core.surrogate import Surrogate

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


def first(rows):
    return rows[:, 0]


def values_of(Z, log_weight, f=first):
    m, s, n = Z.shape
    return ConditionalGame(f, Weighted(Z, log_weight), s, 0, 0.0).values(np.zeros(n), np.zeros((m, n), dtype=bool))


@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_the_value_is_a_mean_of_f_and_not_f_of_a_mean(rho):
    """Standard normal, nothing observed: E x1^2 = 1 and E x1 x2 = rho, where f at the mean gives 0."""
    law = Gaussian(np.zeros(2), equicorrelated(2, rho), np.zeros((3, 2)))
    for f, wanted in ((lambda Z: Z[:, 0] ** 2, 1.0), (lambda Z: Z[:, 0] * Z[:, 1], rho)):
        found = ConditionalGame(f, law, 4096, 0, 0.0).values(np.array([5.0, -5.0]), NOBODY)
        assert found.v[0] == pytest.approx(wanted, abs=0.02)


def test_conditional_values_of_a_quadratic_are_the_closed_form():
    n = 4
    mean, cov, rng = np.arange(4.0), random_covariance(4, 1), np.random.default_rng(0)
    f = Quadratic(rng.standard_normal(n), rng.standard_normal((n, n)))
    x, S = rng.standard_normal(n), all_coalitions(n)
    law = Gaussian(mean, cov, np.zeros((3, n)))
    found = ConditionalGame(f, law, 1 << 13, 0, 0.0).values(x, S)
    wanted = np.array([f.expected(*conditional_moments(mean, cov, x, row)) for row in S])
    assert found.v == pytest.approx(wanted, abs=0.02 * np.ptp(wanted))
    assert np.ptp(wanted) > 1
    assert found.v[-1] == pytest.approx(f(x[None])[0], abs=1e-10)
    assert found.ess.tolist() == [1 << 13] * 16


@pytest.mark.parametrize("s", [2, 37, 48])
def test_each_completion_is_a_replicate_and_v_their_mean(s):
    Z = np.random.default_rng(0).standard_normal((5, s, 2))
    found = values_of(Z, None)
    assert found.replicates == pytest.approx(Z[:, :, 0], abs=0)
    assert found.v == pytest.approx(Z[:, :, 0].mean(axis=1), abs=1e-12)
    assert found.ess.tolist() == [s] * 5
    assert not found.fell_back


@pytest.mark.parametrize("constant", [0.0, -3.0, 700.0, -800.0])
def test_equal_weights_are_no_weights(constant):
    """The jackknife of equal weights is the draws, whatever the constant and however large."""
    Z = np.random.default_rng(0).standard_normal((5, 48, 2))
    plain, weighted = values_of(Z, None), values_of(Z, np.full((5, 48), constant))
    assert weighted.replicates == pytest.approx(plain.replicates, abs=1e-12)
    assert weighted.v == pytest.approx(plain.v, abs=1e-12)
    assert weighted.ess == pytest.approx(48, abs=1e-9)
    assert not weighted.fell_back


def test_a_known_weight_moves_the_value_to_the_known_mean():
    """q = N(0, 1), log-weight x: the law N(1, 1), so E x = 1 and E x^2 = 2; s / e effective draws, more than 0.3 s."""
    s = 1 << 16
    z = np.random.default_rng(0).standard_normal((1, s, 1))
    found = values_of(z, z[:, :, 0])
    assert found.v[0] == pytest.approx(1, abs=0.05)
    assert values_of(z, z[:, :, 0], lambda rows: rows[:, 0] ** 2).v[0] == pytest.approx(2, abs=0.15)
    assert found.ess[0] / s == pytest.approx(np.exp(-1), rel=0.1)
    assert values_of(z, None).v[0] == pytest.approx(0, abs=0.02)


def test_effective_completions_of_two():
    two = values_of(np.array([[[1.0], [6.0]]]), np.log([[0.2, 0.8]]))
    assert two.ess[0] == pytest.approx(1 / (0.2**2 + 0.8**2), abs=1e-12)
    assert not two.fell_back
    w, ess = weigh(np.log([[0.2, 0.8]]) + 500)
    assert w[0] == pytest.approx([0.25, 1])
    assert ess == pytest.approx(two.ess)


@pytest.mark.parametrize(("share", "falls"), [(0.26, True), (0.29, True), (0.31, False), (0.5, False)])
def test_below_three_tenths_effective_all_completions_count_alike(share, falls):
    """Equal weight on a share of 100 draws, next to none on the rest. One coalition below takes the whole row along,
    so that all of its values come from one law; ess still says what the weights would have left.
    """
    z = np.random.default_rng(0).standard_normal((3, 100, 1))
    log_weight = np.zeros((3, 100))
    log_weight[1] = np.where(np.arange(100) < 100 * share, 0.0, -40.0)
    found, plain = values_of(z, log_weight), values_of(z, None)
    assert found.ess == pytest.approx([100, 100 * share, 100], rel=1e-6)
    assert found.fell_back == falls
    assert (found.replicates.tobytes() == plain.replicates.tobytes()) == falls
    assert (found.v.tobytes() == plain.v.tobytes()) == falls
    if not falls:
        assert found.v[1] == pytest.approx(z[1, log_weight[1] == 0].mean(), abs=0.02)


def test_the_jackknife_is_its_formula():
    rng = np.random.default_rng(1)
    z, log_weight = rng.standard_normal((3, 40, 1)), rng.standard_normal((3, 40)) / 2
    found = values_of(z, log_weight)
    w = np.exp(log_weight)
    assert not found.fell_back
    for k in range(3):
        f, ratio = z[k, :, 0], np.average(z[k, :, 0], weights=w[k])
        without = [np.average(np.delete(f, at), weights=np.delete(w[k], at)) for at in range(40)]
        assert found.replicates[k] == pytest.approx(40 * ratio - 39 * np.array(without), abs=1e-9)
        assert found.v[k] == pytest.approx(found.replicates[k].mean(), abs=1e-12)


def test_the_jackknife_takes_away_most_of_the_bias():
    """q = N(0, 1), log-weight .8 x, s = 32: the plain ratio is low; 8,000 rows, truth .8, those that fell back out."""
    m, s, a = 8000, 32, 0.8
    z = np.random.default_rng(0).standard_normal((m, s, 1))
    w = np.exp(a * z[:, :, 0])
    w /= w.sum(axis=1, keepdims=True)
    kept = 1 / (w**2).sum(axis=1) >= 0.3 * s
    z, plain = z[kept], (w * z[:, :, 0]).sum(axis=1)[kept]
    corrected = values_of(z, a * z[:, :, 0])
    assert kept.mean() > 0.9
    assert not corrected.fell_back
    assert (plain - a).mean() < -0.02
    assert (corrected.v - plain).mean() > 0.02
    assert abs((corrected.v - a).mean()) < 0.5 * abs((plain - a).mean())


def test_the_spread_of_weighted_replicates_is_the_error():
    """Standard error from the replicates against the true error, for weights of moderate spread (log-weight x/2)."""
    m, s = 2000, 64
    z = np.random.default_rng(1).standard_normal((m, s, 1))
    found = values_of(z, z[:, :, 0] / 2)
    error = np.sqrt(((found.v - 0.5) ** 2).mean())
    admitted = np.sqrt((found.replicates.var(axis=1, ddof=1) / s).mean())
    assert not found.fell_back
    assert 0.85 <= error / admitted <= 1.15


STRAIGHT = Scores(np.tile(np.linspace(-REACH, REACH, 129, dtype=np.float32), (4, 1)))


def sizes_seen(Z, S):
    """A surrogate that answers the sum of what is observed and the size of the coalition."""
    return Z.sum(axis=1) + 10 * S.sum(axis=1)


def test_a_surrogate_answers_without_completions():
    law, x, S = Gaussian(np.zeros(4), np.eye(4), np.zeros((3, 4))), np.array([0.5, -1, 0.25, 2]), all_coalitions(4)
    game = ConditionalGame(first, law, 16, 0, 0.0, Surrogate(STRAIGHT, sizes_seen), "surrogate")
    found = game.values(x, S)
    assert found.v == pytest.approx(np.where(S, x, 0).sum(axis=1) + 10 * S.sum(axis=1), abs=1e-4)
    assert found.replicates.shape == (16, 0)
    assert (found.ess == np.inf).all()
    assert not found.fell_back


def test_a_stack_shares_between_the_two_by_size():
    """v and every replicate: share[|S|] of the completions, the rest of the surrogate."""
    law, x, S = Gaussian(np.zeros(4), np.eye(4), np.zeros((3, 4))), np.array([0.5, -1, 0.25, 2]), all_coalitions(4)
    share = np.array([0.0, 1.0, 0.25, 0.5, 0.75])
    g = Surrogate(STRAIGHT, sizes_seen)
    stack, c, s = (
        ConditionalGame(first, law, 16, 0, 0.0, g, value, share).values(x, S)
        for value in ("stacked", "completions", "surrogate")
    )
    a = share[S.sum(axis=1)]
    assert stack.v == pytest.approx(a * c.v + (1 - a) * s.v)
    assert stack.replicates == pytest.approx(a[:, None] * c.replicates + ((1 - a) * s.v)[:, None])
    assert stack.ess.tolist() == c.ess.tolist()


def test_a_game_with_other_samples_is_otherwise_the_same():
    law, x, S = Gaussian(np.zeros(4), np.eye(4), np.zeros((3, 4)), quasi=False), np.ones(4), all_coalitions(4)
    game = ConditionalGame(first, law, 16, 7, 1.5)
    more = game.with_samples(64)
    assert (more.samples, more.seed, more.base_value, more.conditional) == (64, 7, 1.5, law)
    again = ConditionalGame(first, law, 64, 7, 1.5)
    assert more.values(x, S).replicates.tobytes() == again.values(x, S).replicates.tobytes()
    assert game.samples == 16
    marginal = MarginalGame(first, np.ones((5, 4)))
    assert marginal.with_samples(64) is marginal


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
    assert found.replicates.shape == (16, 0)  # all of the background: nothing was left to chance
    assert (found.ess == 13).all()


@pytest.mark.parametrize("cells", [1, 100, 1 << 19])
def test_the_size_of_the_working_set_changes_nothing(monkeypatch, cells):
    rng = np.random.default_rng(0)
    rows, x, S = rng.standard_normal((20, 4)), rng.standard_normal(4), all_coalitions(4)
    law = Gaussian(np.zeros(4), equicorrelated(4, 0.5), rows)
    games = [
        MarginalGame(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 3], rows),
        ConditionalGame(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 3], law, 32, 0, 0.0),
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
