"""Coalitions and the games' reference values that the other tests lean on."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from ascribe.core.coalitions import all_coalitions, distinct_subsets

from .worlds import Quadratic, conditional_moments, conditional_truth, equicorrelated, marginal_truth, random_covariance


def test_all_coalitions_are_all():
    S = all_coalitions(6)
    assert S.shape == (64, 6)
    assert len(np.unique(S, axis=0)) == 64
    assert not S[0].any()
    assert S[-1].all()


@pytest.mark.parametrize(
    ("n", "size", "count"), [(5, 2, 10), (8, 3, 20), (8, 4, 35), (8, 4, 10), (20, 9, 500), (9, 1, 9)]
)
def test_distinct_subsets(n, size, count):
    rows = distinct_subsets(n, size, count, np.random.default_rng(1))
    assert rows.shape == (count, n)
    assert (rows.sum(axis=1) == size).all()
    assert len(np.unique(rows, axis=0)) == count
    if 2 * size == n:  # one of each complementary pair
        assert len(np.unique(np.vstack([rows, ~rows]), axis=0)) == 2 * count


@pytest.mark.parametrize(("n", "size"), [(6, 2), (6, 3)])
def test_distinct_subsets_are_uniform(n, size):
    """Each of the pool comes equally often; a pair of complements counts once."""
    pool = comb(n, size) // (2 if 2 * size == n else 1)
    seen: dict[bytes, int] = {}
    rng = np.random.default_rng(0)
    for _ in range(1500):
        for row in distinct_subsets(n, size, 3, rng):
            seen[row.tobytes()] = seen.get(row.tobytes(), 0) + 1
    counts = np.array(list(seen.values()))
    assert len(counts) == pool
    assert np.abs(counts / counts.mean() - 1).max() < 5 / np.sqrt(1500 * 3 / pool)


def test_large_pools_are_drawn_uniformly_over_players():
    rows = distinct_subsets(22, 11, 2000, np.random.default_rng(0))  # drawn and compared, not listed
    assert rows[:, 0].all()  # the half of each pair that holds player 0
    assert np.abs(rows[:, 1:].mean(axis=0) - 10 / 21).max() < 0.06


def test_the_reference_values_themselves():
    """Two players, by hand: x ~ N(0, [[1, r], [r, 1]]), f = x0 x1:  v(0) = r x0^2, v() = r."""
    f = Quadratic(np.zeros(2), np.array([[0.0, 0.5], [0.5, 0.0]]))
    r, x = 0.6, np.array([2.0, -1.0])
    v0, v1, none, both = r * 4, r * 1, r, -2.0
    wanted = [(v0 - none + both - v1) / 2, (v1 - none + both - v0) / 2]
    assert conditional_truth(f, np.zeros(2), equicorrelated(2, r), x) == pytest.approx(wanted, abs=1e-12)
    assert marginal_truth(f, np.zeros(2), equicorrelated(2, r), x) == pytest.approx([(-2 - r) / 2] * 2, abs=1e-12)
    m, C = conditional_moments(np.zeros(2), equicorrelated(2, r), x, np.array([True, False]))
    assert m == pytest.approx([2.0, 1.2])
    assert pytest.approx(np.array([[0, 0], [0, 1 - r**2]])) == C


def test_the_reference_moments_against_the_textbook_formula():
    cov, mean, x = random_covariance(5, 0), np.arange(5.0), np.array([1.0, -1, 3, 0, 2])
    S = np.array([True, False, True, False, False])
    m, C = conditional_moments(mean, cov, x, S)
    gain = cov[~S][:, S] @ np.linalg.inv(cov[S][:, S])
    assert m[~S] == pytest.approx(mean[~S] + gain @ (x - mean)[S], abs=1e-10)
    assert C[np.ix_(~S, ~S)] == pytest.approx(cov[~S][:, ~S] - gain @ cov[S][:, ~S], abs=1e-10)
