"""Conditionals: closed-form moments, what stays as observed, and what must not be looked at."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.coalitions import all_coalitions
from ascribe.core.conditional import Gaussian, Independent, draw
from ascribe.core.errors import InputError

from .worlds import conditional_moments, random_covariance

N = 4
MEAN, COV = np.array([1.0, -2.0, 0.5, 3.0]), random_covariance(4, 5)
ROWS = np.random.default_rng(0).multivariate_normal(MEAN, COV, 300)
X = ROWS[:3]
S = all_coalitions(N)

CONDITIONALS = {
    "gaussian": Gaussian(MEAN, COV, ROWS),
    "gaussian_plain": Gaussian(MEAN, COV, ROWS, quasi=False),
    "independent": Independent(ROWS),
}
each = pytest.mark.parametrize("conditional", CONDITIONALS.values(), ids=CONDITIONALS)


@pytest.mark.parametrize(("quasi", "within"), [(True, 0.02), (False, 0.06)])
def test_gaussian_completions_have_the_conditional_moments(quasi, within):
    conditional = Gaussian(MEAN, COV, ROWS, quasi=quasi)
    Z, log_weight = conditional.draw(X, S, 1 << 13, np.random.default_rng(1))
    assert Z.shape == (3, 16, 1 << 13, N)
    assert not log_weight.any()
    scale = np.sqrt(np.diag(COV))
    for i, x in enumerate(X):
        for k, observed in enumerate(S[:-1]):
            mean, cov = conditional_moments(MEAN, COV, x, observed)
            assert np.abs((Z[i, k].mean(axis=0) - mean) / scale).max() < within
            assert np.abs((np.cov(Z[i, k].T) - cov) / np.outer(scale, scale)).max() < within


@each
def test_observed_cells_stay_to_the_bit(conditional):
    Z, _ = conditional.draw(X, S, 16, np.random.default_rng(1))
    kept = np.broadcast_to(S[None, :, None], Z.shape)
    assert (Z[kept] == np.broadcast_to(X[:, None, None], Z.shape)[kept]).all()
    assert (Z[~kept] != np.broadcast_to(X[:, None, None], Z.shape)[~kept]).mean() > 0.95
    assert Z[:, -1].tobytes() == np.repeat(X[:, None], 16, axis=1).tobytes()


@each
@pytest.mark.parametrize("junk", [np.nan, 1e6, -1e6, np.inf])
def test_hidden_cells_are_not_looked_at(conditional, junk):
    noise = conditional.noise(16, 2)
    for observed in S:
        clean, _ = conditional.complete(X[0], observed[None], noise)
        soiled, _ = conditional.complete(np.where(observed, X[0], junk), observed[None], noise)
        assert np.isfinite(clean).all()
        assert soiled.tobytes() == clean.tobytes()


@each
def test_a_row_alone_is_the_row_in_a_batch(conditional):
    whole, _ = conditional.draw(X, S, 16, np.random.default_rng(3))
    for i in range(len(X)):
        alone, _ = conditional.draw(X[i : i + 1], S, 16, np.random.default_rng(3))
        assert alone[0].tobytes() == whole[i].tobytes()
    shuffled, _ = draw(conditional, X[::-1], S, 16, np.random.default_rng(3))
    assert shuffled[0].tobytes() == whole[2].tobytes()
    one, _ = draw(conditional, X[0], S, 16, np.random.default_rng(3))  # a bare row is one row
    assert one[0].tobytes() == whole[0].tobytes()


@each
def test_noise_is_the_seeds(conditional):
    one, two, other = (conditional.noise(64, seed) for seed in (0, 0, 1))
    assert len(one) == 64
    assert one.tobytes() == two.tobytes() != other.tobytes()


def test_independent_completions_are_whole_rows():
    """Hidden features of one completion come from one training row, so they keep their dependence on each other."""
    Z, _ = Independent(ROWS).draw(X[:1], S[[0b0001]], 500, np.random.default_rng(0))
    hidden = Z[0, 0][:, 1:]
    there = {row.tobytes() for row in ROWS[:, 1:].copy()}
    assert all(row.tobytes() in there for row in hidden.copy())
    assert len(np.unique(hidden, axis=0)) > 150
    again, _ = Independent(ROWS).draw(X[1:2], S[[0b0001]], 500, np.random.default_rng(0))
    assert again[0, 0][:, 1:].tobytes() == hidden.tobytes()  # whatever is observed


def test_a_singular_covariance_is_no_obstacle():
    """x1 = 2 x0 exactly: given one, the other is known; a constant feature stays constant."""
    base = np.random.default_rng(0).standard_normal(200)
    rows = np.column_stack([base, 2 * base, np.full(200, 4.0)])
    Z, _ = Gaussian.fit(rows).draw(
        np.array([[1.5, 9.0, 9.0]]), np.array([[True, False, False], [False] * 3]), 64, np.random.default_rng(0)
    )
    assert Z[0, 0, :, 1] == pytest.approx(np.full(64, 3.0), abs=1e-6)
    assert Z[0, 1, :, 1] == pytest.approx(2 * Z[0, 1, :, 0], abs=1e-5)
    assert Z[0, :, :, 2] == pytest.approx(np.full((2, 64), 4.0), abs=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e10])
def test_units_of_others_do_not_make_a_feature_singular(unit):
    """x2 is x1 and little more, whatever unit x0 is told in."""
    rng = np.random.default_rng(1)
    base = rng.standard_normal(500)
    rows = np.column_stack([rng.standard_normal(500) * unit, base, base + 0.1 * rng.standard_normal(500)])
    Z, _ = Gaussian.fit(rows).draw(np.array([[0.0, 1.0, 9.0]]), np.array([[True, True, False]]), 256, rng)
    assert Z[0, 0, :, 2].mean() == pytest.approx(1, abs=0.05)
    assert Z[0, 0, :, 2].std() == pytest.approx(0.1, rel=0.2)


def test_fit_takes_the_sample_moments():
    fitted = Gaussian.fit(ROWS)
    assert fitted.mean == pytest.approx(ROWS.mean(axis=0), abs=1e-12)
    centred = ROWS - ROWS.mean(axis=0)
    assert fitted.cov == pytest.approx(centred.T @ centred / len(ROWS), abs=1e-12)
    assert Gaussian.fit(ROWS[:, :1]).cov.shape == (1, 1)
    with pytest.raises(InputError, match="a Gaussian of 4 features needs more than 4 rows, got 4"):
        Gaussian.fit(ROWS[:4])
