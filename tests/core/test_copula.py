"""The Gaussian copula: closed forms where it is exact, margins that no Gaussian has, and what must not be looked at."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.coalitions import all_coalitions
from ascribe.core.copula import GaussianCopula
from ascribe.core.errors import InputError

from .worlds import conditional_moments, equicorrelated

N = 3
COV = equicorrelated(N, 0.6)
ROWS = np.random.default_rng(0).multivariate_normal(np.zeros(N), COV, 4000)
S = all_coalitions(N)


def test_on_gaussian_rows_it_has_the_gaussian_conditional_moments():
    law = GaussianCopula.fit(3 + 2 * ROWS)
    X = 3 + 2 * ROWS[:3]
    Z, log_weight = law.draw(X, S, 4096, np.random.default_rng(1))
    assert not log_weight.any()
    for i, x in enumerate(X):
        for k, observed in enumerate(S[:-1]):
            mean, cov = conditional_moments(np.full(N, 3.0), 4 * COV, x, observed)
            assert Z[i, k].mean(axis=0) == pytest.approx(mean, abs=0.12)
            assert np.cov(Z[i, k].T) == pytest.approx(cov, abs=0.2)


def test_margins_are_the_rows_own():
    """exp of Gaussians: given x_0, log x_1 ~ N(rho log x_0, 1 - rho^2)."""
    law = GaussianCopula.fit(np.exp(ROWS))
    Z, _ = law.draw(np.exp([[1.0, 0, 0]]), np.array([[True, False, False]]), 4096, np.random.default_rng(1))
    assert (Z > 0).all()
    hidden = np.log(Z[0, 0, :, 1])
    assert np.median(hidden) == pytest.approx(0.6, abs=0.06)
    assert hidden.std() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("junk", [np.nan, 1e6, -1e6, np.inf])
def test_hidden_cells_are_not_looked_at(junk):
    law = GaussianCopula.fit(np.exp(ROWS[:300]))
    noise, x = law.noise(16, 2), np.exp(ROWS[0])
    for observed in S:
        clean, _ = law.complete(x, observed[None], noise)
        soiled, _ = law.complete(np.where(observed, x, junk), observed[None], noise)
        assert np.isfinite(clean).all()
        assert soiled.tobytes() == clean.tobytes()
        assert (clean[:, :, observed] == x[observed]).all()


def test_a_row_alone_is_the_row_in_a_batch_and_noise_is_the_seeds():
    law = GaussianCopula.fit(ROWS[:300])
    whole, _ = law.draw(ROWS[:3], S, 16, np.random.default_rng(3))
    for i in range(3):
        alone, _ = law.draw(ROWS[i : i + 1], S, 16, np.random.default_rng(3))
        assert alone[0].tobytes() == whole[i].tobytes()
    assert law.noise(16, 0).tobytes() == law.noise(16, 0).tobytes() != law.noise(16, 1).tobytes()


def test_constants_copies_and_single_rows_are_no_obstacle():
    rows = np.column_stack([ROWS[:300, 0], 2 * ROWS[:300, 0], np.full(300, 4.0), np.round(ROWS[:300, 1])])
    law = GaussianCopula.fit(rows)
    Z, _ = law.draw(rows[:2], all_coalitions(4), 32, np.random.default_rng(0))
    assert np.isfinite(Z).all()
    assert (Z[..., 2] == 4).all()
    assert set(np.unique(Z[:, 1, :, 3].round(3))) >= {-1.0, 0.0, 1.0}
    assert Z[0, 1, :, 1] == pytest.approx(np.full(32, rows[0, 1]), abs=0.05)
    one = GaussianCopula.fit(rows[:1]).draw(rows[1:2], all_coalitions(4), 8, np.random.default_rng(0))[0]
    assert one[0, 0] == pytest.approx(np.tile(rows[0], (8, 1)), rel=1e-6)
    with pytest.raises(InputError, match="needs rows"):
        GaussianCopula.fit(rows[:0])
