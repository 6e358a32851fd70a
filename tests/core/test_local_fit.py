"""The weighted fit against least squares by another way, its errors against leaving out each perturbation in turn."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.local_fit import RIDGE, local_fit

RNG = np.random.default_rng(0)
R = RNG.standard_normal((60, 4)) @ np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0.3]])
F = 3 + R @ [1.0, -2.0, 0.5, 0.0] + np.sin(3 * R[:, 0]) + 0.3 * R[:, 1] * R[:, 2]
W = RNG.uniform(0.1, 2.0, 60)


def by_numpy(R, f, w):
    """Intercept first."""
    root = np.sqrt(w)[:, None]
    return np.linalg.lstsq(np.hstack([np.ones((len(R), 1)), R]) * root, f * root[:, 0], rcond=None)[0]


def test_slopes_and_intercept():
    fit = local_fit(R, F, W)
    wanted = by_numpy(R, F, W)
    assert fit.intercept == pytest.approx(wanted[0], abs=1e-5)
    assert fit.slopes == pytest.approx(wanted[1:], abs=1e-4)
    e = F - fit.intercept - R @ fit.slopes
    mean = np.average(F, weights=W)
    assert fit.r2 == pytest.approx(1 - np.sum(W * e**2) / np.sum(W * (F - mean) ** 2), abs=1e-9)
    assert fit.ess == pytest.approx(W.sum() ** 2 / (W**2).sum())
    scaled = local_fit(R, F, 7 * W)
    assert scaled.slopes == pytest.approx(fit.slopes, rel=1e-12)


def test_the_covariance_is_that_of_leaving_out_each_in_turn():
    """HC3 is the jackknife: sum over k of (beta - beta without k)(...)'."""
    whole = by_numpy(R, F, W)
    moves = np.array([whole - by_numpy(*(np.delete(a, k, axis=0) for a in (R, F, W))) for k in range(60)])[:, 1:]
    assert local_fit(R, F, W).covariance == pytest.approx(moves.T @ moves, rel=1e-3, abs=1e-7)


def test_a_column_that_does_not_move_has_no_slope():
    held = R.copy()
    held[:, 2] = 5.0
    fit = local_fit(held, F, W)
    assert abs(fit.slopes[2]) < 1e-9
    assert np.isfinite(fit.covariance).all()
    assert RIDGE < 1e-5


@pytest.mark.filterwarnings("error")
def test_nothing_moves():
    fit = local_fit(np.ones((20, 3)), np.random.default_rng(1).standard_normal(20), np.ones(20))
    assert np.abs(fit.slopes).max() < 1e-6
    assert np.isfinite(fit.covariance).all()
    assert fit.r2 == pytest.approx(0.0, abs=1e-9)


def test_a_function_that_does_not_move():
    fit = local_fit(R, np.full(60, 4.0), W)
    assert fit.intercept == pytest.approx(4.0)
    assert np.abs(fit.slopes).max() < 1e-12
    assert fit.r2 == 1.0
