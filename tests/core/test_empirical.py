"""Empirical conditionals: their weights by hand, closed forms on Gaussian rows, and what must not be looked at."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.coalitions import all_coalitions
from ascribe.core.conditional import Gaussian
from ascribe.core.copula import GaussianCopula
from ascribe.core.empirical import Combined, Empirical
from ascribe.core.errors import InputError

from .worlds import conditional_moments, equicorrelated

N = 3
COV = equicorrelated(N, 0.6)
ROWS = np.random.default_rng(0).multivariate_normal(np.zeros(N), COV, 4000)
S = all_coalitions(N)
LAWS = {
    "empirical": Empirical.fit(ROWS[:300]),
    "combined_gaussian": Combined(Empirical.fit(ROWS[:300]), Gaussian.fit(ROWS[:300]), most=1),
    "combined_copula": Combined(Empirical.fit(ROWS[:300]), GaussianCopula.fit(ROWS[:300]), most=1),
}
each = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def weighted(Z: np.ndarray, log_weight: np.ndarray) -> np.ndarray:
    w = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
    return (w[..., None] * Z).sum(axis=-2) / w.sum(axis=-1)[..., None]


def by_hand(X: np.ndarray, x: np.ndarray, observed: np.ndarray, sigma: float, power: float = 2.0) -> np.ndarray:
    """Weights from the definition: Mahalanobis distance by the inverse covariance, divided by |S|^power."""
    inverse = np.linalg.inv(np.cov(X.T, bias=True)[np.ix_(observed, observed)])
    d = X[:, observed] - x[observed]
    w = np.exp(-np.einsum("ri,ij,rj->r", d, inverse, d) / observed.sum() ** power / (2 * sigma**2))
    return w / w.sum()


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_it_is_the_weighted_mean_over_all_rows_where_all_may_be_kept(power):
    X = ROWS[:60]
    law = Empirical.fit(X, sigma=0.4, eta=1.0, power=power)
    for observed in S[1:-1]:
        Z, log_weight = law.complete(ROWS[70], observed[None], law.noise(64, 0))
        w = by_hand(X, ROWS[70], observed, 0.4, power)
        expected = np.where(observed, ROWS[70], w @ X)
        assert weighted(Z, log_weight)[0] == pytest.approx(expected, abs=1e-9)
        assert np.exp(log_weight).sum() == pytest.approx(w.sum() / w.max(), rel=1e-9)


def test_the_heaviest_rows_are_kept_up_to_the_share():
    X, x, observed = ROWS[:500], ROWS[600], np.array([True, True, False])
    w = np.sort(by_hand(X, x, observed, 0.1))[::-1]
    kept = int(np.searchsorted(np.cumsum(w), 0.95)) + 1
    law = Empirical.fit(X)
    Z, log_weight = law.complete(x, observed[None], law.noise(256, 0))
    assert kept < 256
    assert len(np.unique(Z[0, :, 2])) == kept
    few, few_weight = law.complete(x, observed[None], law.noise(8, 0))
    assert len(np.unique(few[0, :, 2])) == min(8, kept)
    top = np.argsort(-by_hand(X, x, observed, 0.1))[: min(8, kept)]
    assert set(few[0, :, 2]) == set(X[top, 2])
    share = np.exp(log_weight[0]).reshape(8, -1).sum(axis=1)
    assert share.max() < 1.5 * share.mean()  # no block of completions has the say alone
    assert np.isfinite(few_weight).all()


def test_on_gaussian_rows_it_is_near_the_gaussian_conditional_mean():
    law, x, observed = Empirical.fit(ROWS), np.array([0.8, 0.5, 0.0]), np.array([True, False, False])
    mean, _ = conditional_moments(np.zeros(N), COV, x, observed)
    found = weighted(*law.complete(x, observed[None], law.noise(1024, 0)))[0]
    assert found == pytest.approx(mean, abs=0.12)


def test_a_wide_kernel_is_the_marginal_law():
    X = np.random.default_rng(1).standard_normal((256, 3))
    law = Empirical.fit(X, sigma=1e3, eta=1.0)
    found = weighted(*law.complete(np.array([2.0, 0, 0]), S[1:2], law.noise(256, 0)))[0]
    assert found == pytest.approx([2.0, *X[:, 1:].mean(axis=0)], abs=1e-4)


def test_of_rows_that_are_equally_near_the_seed_chooses():
    X = np.column_stack([np.full(256, 2.0), np.random.default_rng(1).standard_normal(256)])
    law = Empirical.fit(X)
    part = [law.complete(X[0], np.array([[True, False]]), law.noise(32, k))[0][0, :, 1].mean() for k in range(200)]
    assert np.mean(part) == pytest.approx(X[:, 1].mean(), abs=0.05)
    assert np.std(part) == pytest.approx(X[:, 1].std() / np.sqrt(32), rel=0.3)


def test_independent_features_stay_independent():
    X = np.random.default_rng(1).standard_normal((4000, 2))
    law = Empirical.fit(X)
    for value in (-1.0, 0.0, 1.0):
        Z, w = law.complete(np.array([value, 9.0]), np.array([[True, False]]), law.noise(512, 0))
        assert weighted(Z, w)[0, 1] == pytest.approx(0.0, abs=0.15)


@each
@pytest.mark.parametrize("junk", [np.nan, 1e6, -1e6, np.inf])
def test_hidden_cells_are_not_looked_at(law, junk):
    noise, x = law.noise(16, 2), ROWS[400]
    for observed in S:
        clean = law.complete(x, observed[None], noise)
        soiled = law.complete(np.where(observed, x, junk), observed[None], noise)
        for one, other in zip(clean, soiled, strict=True):
            assert np.isfinite(one).all()
            assert one.tobytes() == other.tobytes()
        assert (clean[0][:, :, observed] == x[observed]).all()


@each
def test_a_row_alone_is_the_row_in_a_batch(law):
    whole = law.draw(ROWS[:3], S, 16, np.random.default_rng(3))
    for i in range(3):
        alone = law.draw(ROWS[i : i + 1], S, 16, np.random.default_rng(3))
        assert [part[0].tobytes() for part in alone] == [part[i].tobytes() for part in whole]


def test_combined_takes_each_law_where_it_is_strong():
    law = LAWS["combined_gaussian"]
    noise, x = law.noise(16, 0), ROWS[400]
    Z, log_weight = law.complete(x, S, noise)
    few = S.sum(axis=1) <= 1
    near, near_weight = law.near.complete(x, S[few], law.near.noise(16, 0))
    far, none = law.far.complete(x, S[~few], law.far.noise(16, 0))
    assert none is None
    assert Z[few].tobytes() == near.tobytes()
    assert log_weight[few].tobytes() == near_weight.tobytes()
    assert Z[~few].tobytes() == far.tobytes()
    assert not log_weight[~few].any()


def test_constants_copies_and_single_rows_are_no_obstacle():
    rows = np.column_stack([ROWS[:50, 0], 2 * ROWS[:50, 0], np.full(50, 4.0)])
    for X in (rows, rows[:1], np.full((5, 3), 2.0)):
        Z, w = Empirical.fit(X).draw(rows[:2] + 0.3, S, 16, np.random.default_rng(0))
        assert np.isfinite(Z).all()
        assert np.isfinite(w).all()
    with pytest.raises(InputError, match="needs rows"):
        Empirical.fit(rows[:0])
    with pytest.raises(InputError, match="sigma must be positive"):
        Empirical.fit(rows, sigma=0.0)
