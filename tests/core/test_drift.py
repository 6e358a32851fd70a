"""Distances between samples: laws, oracles, and shifts of known size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ascribe.core.drift import bin_edges, energy, energy_distance, ks, psi, shares, stability
from ascribe.core.errors import InputError

columns = arrays(float, st.integers(2, 60), elements=st.integers(-20, 20).map(float))  # many ties
simplex = arrays(float, 6, elements=st.floats(0.01, 1)).map(lambda p: p / p.sum())
MAPS = {"exp": np.exp, "cube": lambda x: x**3, "affine": lambda x: 7 * x - 3, "atan": np.arctan}


def normal(rows: int, shift: float = 0.0, seed: int = 0, n: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, n)) + shift


@given(columns)
def test_equal_samples_lie_nowhere_apart(x):
    X = x[:, None]
    shuffled = np.random.default_rng(1).permutation(X)
    assert psi(X, shuffled) == 0
    distance, p = ks(X, shuffled)
    assert distance == 0
    assert p == 1
    assert energy_distance(X, shuffled) == pytest.approx(0, abs=1e-12)


@given(columns, columns, st.sampled_from(sorted(MAPS)))
def test_a_rising_map_of_both_samples_changes_neither_psi_nor_ks(x, y, name):
    X, Y = x[:, None] / 8, y[:, None] / 8  # steps that no map merges
    f = MAPS[name]
    assert psi(f(X), f(Y)) == psi(X, Y)
    assert ks(f(X), f(Y))[0] == ks(X, Y)[0]


@given(simplex, simplex)
def test_psi_is_symmetric_in_shares_and_never_negative(p, q):
    assert stability(p, q) == pytest.approx(stability(q, p))
    assert stability(p, q) >= 0


@given(columns, columns)
def test_ks_and_energy_distance_are_symmetric(x, y):
    X, Y = x[:, None], y[:, None]
    assert ks(X, Y)[0] == ks(Y, X)[0]
    assert energy_distance(X, Y) == pytest.approx(energy_distance(Y, X))
    assert energy_distance(X, Y) >= -1e-12


@given(columns, columns)
def test_ks_is_scipys(x, y):
    distance, p = ks(x[:, None], y[:, None])
    told = stats.ks_2samp(x, y, method="asymp")
    assert distance[0] == pytest.approx(told.statistic)
    assert p[0] == pytest.approx(told.pvalue, abs=1e-9)


@given(columns, columns)
def test_energy_distance_of_one_column_is_scipys_squared(x, y):
    told = stats.energy_distance(x, y) ** 2
    assert energy_distance(x[:, None], y[:, None]) == pytest.approx(told, abs=1e-9)


@pytest.mark.parametrize("shift", [0.25, 0.5, 1.0])
def test_a_shifted_normal_has_the_size_that_theory_gives(shift):
    """In the limit of many rows: KS 2 Phi(shift/2) - 1, PSI from the normal's own deciles."""
    X, Y = normal(40_000), normal(40_000, shift, seed=1)
    assert ks(X, Y)[0][0] == pytest.approx(2 * stats.norm.cdf(shift / 2) - 1, abs=0.012)
    cut = np.concatenate([[-np.inf], stats.norm.ppf(np.arange(1, 10) / 10), [np.inf]])
    wanted = stability(np.diff(stats.norm.cdf(cut)), np.diff(stats.norm.cdf(cut - shift)))
    assert psi(X, Y)[0] == pytest.approx(wanted, rel=0.1)


def test_without_a_change_psi_has_the_mean_that_its_docstring_gives():
    rng = np.random.default_rng(0)
    found = psi(rng.standard_normal((400, 300)), rng.standard_normal((600, 300)))
    assert found.mean() == pytest.approx(9 * (1 / 400 + 1 / 600), rel=0.1)


def test_many_columns_are_read_one_by_one():
    X, Y = normal(300, n=5), normal(200, 0.3, seed=1, n=5)
    assert psi(X, Y).tolist() == [float(psi(X[:, [j]], Y[:, [j]])[0]) for j in range(5)]
    assert ks(X, Y)[0].tolist() == [float(ks(X[:, [j]], Y[:, [j]])[0][0]) for j in range(5)]


@pytest.mark.parametrize("to", [-1.0, 1.0])
def test_a_constant_that_becomes_another_shows_in_either_direction(to):
    assert psi(np.zeros((50, 1)), np.full((50, 1), to))[0] > 1
    assert psi(np.zeros((50, 1)), np.zeros((70, 1)))[0] == 0


def test_a_value_that_is_often_taken_has_a_bin_of_its_own():
    x = np.concatenate([np.zeros(60), np.arange(1.0, 41.0)])
    held = shares(x, bin_edges(x))
    assert 0.6 in held
    assert held.sum() == pytest.approx(1)


def test_quantile_bins_hold_equal_shares():
    held = shares(normal(1000)[:, 0], bin_edges(normal(1000)[:, 0]))
    assert held.tolist() == [0.1] * 10


def test_energy_finds_a_dependence_that_no_column_shows():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((400, 1))
    X = np.concatenate([u, u + 0.1 * rng.standard_normal((400, 1))], axis=1)
    Y = X.copy()
    Y[:, 1] = rng.permutation(Y[:, 1])
    assert psi(X, Y).max() == 0
    assert energy(X, Y, rng).p < 0.01


def test_the_p_value_of_energy_is_uniform_without_a_change():
    rng = np.random.default_rng(0)
    found = [energy(rng.standard_normal((40, 2)), rng.standard_normal((60, 2)), rng).p for _ in range(200)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_blocks_keep_the_p_value_of_a_slow_series_honest():
    """AR(1) with a memory of about 20 rows; both samples follow the same law."""
    rng = np.random.default_rng(0)

    def series(rows: int) -> np.ndarray:
        x = np.zeros(rows)
        for t in range(1, rows):
            x[t] = 0.95 * x[t - 1] + rng.standard_normal()
        return x[:, None]

    rejected = {None: 0, 8: 0}
    for _ in range(60):
        X, Y = series(400), series(400)
        for blocks in rejected:
            rejected[blocks] += energy(X, Y, rng, blocks, permutations=99).p <= 0.05
    assert rejected[None] > 30  # row by row, most samples of the same law look different
    assert rejected[8] <= 10


def test_the_same_generator_gives_the_same_p_value():
    X, Y = normal(100), normal(100, 0.2, seed=1)
    assert energy(X, Y, np.random.default_rng(3)) == energy(X, Y, np.random.default_rng(3))


def test_units_do_not_matter_to_energy():
    X, Y = normal(100, n=2), normal(100, 0.5, seed=1, n=2)
    scale = np.array([1e6, 1e-6])
    a, b = (energy(x, y, np.random.default_rng(0)) for x, y in ((X, Y), (X * scale, Y * scale)))
    assert a.distance == pytest.approx(b.distance)
    assert a.p == b.p


@pytest.mark.parametrize(
    ("X", "Y"),
    [
        (normal(3), normal(3, n=2)),
        (normal(0), normal(3)),
        (normal(3)[:, 0], normal(3)),
        (np.array([[math.nan]]),) * 2,
        (np.array([[0.0], [math.nan]]), normal(3)),
        (normal(3), np.array([[math.inf], [0.0]])),
    ],
)
def test_what_cannot_be_compared_is_refused(X, Y):
    for ask in (psi, ks, energy_distance):
        with pytest.raises(InputError):
            ask(X, Y)
