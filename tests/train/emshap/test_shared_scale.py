"""Components that share all but their scale: laws of that kind come back, and others are not harmed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, multivariate_t

from ascribe.core.scaling import fit_scores
from ascribe.train.emshap import shared_scale
from ascribe.train.emshap.densities import log_q
from ascribe.train.emshap.factor_mixture import FLOOR, FactorMixture, fit_factor_mixture
from ascribe.train.emshap.mixture_choice import Choice, chosen, splits_of
from ascribe.train.emshap.scored_rows import ScoredRows
from ascribe.train.emshap.shared_scale import fit_shared_scale

SHAPE = np.array([[1.0, 0.5, 0.2, 0], [0.5, 2, 0.4, 0], [0.2, 0.4, 1.5, -0.3], [0, 0, -0.3, 1]])


def heavy(rows: int, seed: int = 0) -> np.ndarray:
    """Student's t of four degrees, sd about .5: as scores whose farthest row is at 4."""
    return 0.3 * multivariate_t(np.arange(4.0), SHAPE, df=4, seed=seed).rvs(rows)


def skewed(rows: int, seed: int = 0) -> np.ndarray:
    """W ~ Gamma(2), x = 1 + W beta + sqrt(W) e."""
    rng = np.random.default_rng(seed)
    w = rng.gamma(2, 0.5, (rows, 1))
    return 1 + w * [1.0, 0.5, 0, -1] + np.sqrt(w) * rng.multivariate_normal(np.zeros(4), SHAPE, rows)


def log_density(mixture: FactorMixture, Z: np.ndarray) -> np.ndarray:
    z, S = torch.as_tensor(Z).float(), torch.zeros(Z.shape, dtype=torch.bool)
    return log_q(mixture(z, S), z, S).numpy()


def parts(mixture: FactorMixture) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pi (c,), mu (c, n), C (c, n, n)."""
    F, D = mixture.loading.numpy(), mixture.psi.numpy()
    return (
        mixture.log_pi.exp().numpy(),
        mixture.mu.numpy(),
        F @ np.swapaxes(F, 1, 2) + np.array([np.diag(d) for d in D]),
    )


def test_a_heavy_tailed_law_comes_back():
    """Within .02 nats a row of the truth, where one Gaussian lacks .1 and more."""
    fresh, fitted = heavy(4000, 1), fit_shared_scale(heavy(3000), 8, 4)
    truth = multivariate_t(np.arange(4.0), SHAPE, df=4).logpdf(fresh / 0.3) - 4 * np.log(0.3)
    assert (truth - log_density(fitted, fresh)).mean() < 0.02
    assert (truth - log_density(fit_factor_mixture(heavy(3000), 1, 4, 0), fresh)).mean() > 0.1


def test_moments_of_a_skewed_law_come_back():
    pi, mu, C = parts(fit_shared_scale(skewed(6000), 8, 4))
    mean = pi @ mu
    assert mean == pytest.approx(np.array([2, 1.5, 1, 0]), abs=0.08)
    cov = np.einsum("c,cij->ij", pi, C) + np.einsum("c,ci,cj->ij", pi, mu - mean, mu - mean)
    beta = np.array([1.0, 0.5, 0, -1])
    assert cov == pytest.approx(SHAPE + 0.5 * np.outer(beta, beta), abs=0.15)


def test_components_share_all_but_their_scale():
    pi, mu, C = parts(fit_shared_scale(skewed(2000), 6, 4))
    w = np.array([np.trace(c) for c in C]) / np.einsum("c,cii->", pi, C)
    assert pi @ w == pytest.approx(1)
    assert len(pi) > 2
    assert C / w[:, None, None] == pytest.approx(np.broadcast_to(C[0] / w[0], C.shape), rel=1e-3, abs=1e-4)
    slope = (mu[1:] - mu[0]) / (w[1:] - w[0])[:, None]
    assert slope == pytest.approx(np.broadcast_to(slope[-1], slope.shape), abs=1e-2)


@pytest.mark.parametrize("table", [heavy, skewed])
def test_no_step_makes_the_rows_less_likely(monkeypatch, table):
    told = []
    for rounds in (1, 2, 4, 8, 16, 32):
        monkeypatch.setattr(shared_scale, "ROUNDS", rounds)
        told.append(log_density(fit_shared_scale(table(1000), 6, 4), table(1000)).mean())
    assert (np.diff(told) > -2e-3).all()  # the floor of the variances and rare components cost as much
    assert told[-1] > told[0] + 0.01


def test_normal_rows_get_what_one_gaussian_is():
    rng = np.random.default_rng(0)
    Z = rng.multivariate_normal(np.zeros(4), SHAPE, 2000)
    truth = multivariate_normal(np.zeros(4), SHAPE).logpdf(Z).mean()
    assert log_density(fit_shared_scale(Z, 8, 4), Z).mean() == pytest.approx(truth, abs=0.02)
    pi, mu, C = parts(fit_shared_scale(Z, 1, 4))
    assert pi.tolist() == [1]
    assert mu[0] == pytest.approx(Z.mean(axis=0), abs=1e-5)
    assert C[0] == pytest.approx(np.cov(Z.T, bias=True), abs=5e-3)


def test_features_that_determine_one_another_keep_a_floor():
    z = heavy(500)[:, :1]
    mixture = fit_shared_scale(np.hstack([z, 2 * z, np.zeros_like(z)]), 8, 8)
    assert mixture.rank == 3
    assert all(torch.isfinite(part).all() for part in mixture.state_dict().values())
    assert mixture.psi.min() >= FLOOR / 2 * (1 - 1e-6)


def test_the_order_of_rows_does_not_matter_and_no_dice_are_thrown():
    Z, state = heavy(400), torch.random.get_rng_state()
    one, two = (fit_shared_scale(z, 4, 2) for z in (Z, Z[::-1].copy()))
    assert torch.equal(torch.random.get_rng_state(), state)
    for key, part in one.state_dict().items():
        assert torch.allclose(part.abs(), two.state_dict()[key].abs(), atol=1e-3), key  # of a factor the sign is free
    again = fit_shared_scale(Z, 4, 2).state_dict()
    assert all(torch.equal(part, again[key]) for key, part in one.state_dict().items())


# The choice


def choice_of(X: np.ndarray, most: int | None = None, told: list[str] | None = None) -> Choice:
    order = np.random.default_rng(0).permutation(len(X))
    splits = splits_of(order[len(X) // 7 :], order[: len(X) // 7], True)

    def scored(scores):
        return ScoredRows(scores, X, np.random.default_rng(0), "mixed", 0.0, "cpu")

    return chosen(X, scored, splits, 0, 4, most, None if told is None else lambda _, text: told.append(text))


def test_tails_that_features_share_are_chosen_with_lines_that_reach_every_row():
    rng = np.random.default_rng(0)
    X, told = np.exp(0.6 * rng.standard_normal((1500, 1))) * rng.standard_normal((1500, 5)) * 10.0 ** np.arange(5), []
    choice = choice_of(X, told=told)
    assert choice.parts == 1
    assert told[-1].startswith("one shape at several scales")
    assert np.array_equal(choice.rows.scores.table, fit_scores(X, straight=np.inf).table)
    assert np.abs(choice.rows.spread.numpy()).max(axis=0) == pytest.approx(4, abs=1e-3)
    assert choice.fitted(np.arange(1500)).c > 2


def test_tails_of_each_feature_alone_are_not():
    """The same marginals, independent: how far one is out says nothing of the others."""
    X = np.random.default_rng(0).standard_t(4, (1500, 4))
    assert np.array_equal(choice_of(X).rows.scores.table, fit_scores(X).table)


def test_one_component_at_most_stays_one():
    choice = choice_of(heavy(600), most=1)
    assert choice.fitted(np.arange(600)).c == 1
    assert np.array_equal(choice.rows.scores.table, fit_scores(heavy(600)).table)
