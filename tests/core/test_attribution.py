"""Intervals: Student's, with the error's own degrees of freedom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, t

from ascribe.core.attribution import Attribution, Deviations, Info


def an_answer(deviations: Deviations | None, stderr: np.ndarray) -> Attribution:
    b, p = stderr.shape
    names = tuple(f"x{j}" for j in range(p))
    info = Info("conditional_shap", "conditional", "completions", "exact", 4, 8, 0)
    return Attribution(
        np.arange(b * p, dtype=float).reshape(b, p), 0.0, np.ones(b), stderr, np.ones(b), np.full(b, "ok", object),
        ("",) * b, names, np.zeros((b, p)), info, names, deviations,
    )  # fmt: skip


def some(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def answered(completions: np.ndarray, coalitions: np.ndarray) -> Attribution:
    parts = Deviations(completions, coalitions)
    return an_answer(parts, parts.stderr())


def test_the_squared_error_is_the_sum_of_squared_parts():
    one, two = some(2, 9, 3), some(2, 5, 3, seed=1)
    wanted = np.sqrt((one.astype(float) ** 2).sum(axis=1) + (two.astype(float) ** 2).sum(axis=1))
    assert Deviations(one, two).stderr() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("s", [2, 5, 64])
def test_one_kind_of_error_has_its_number_of_parts_less_one(s):
    none = np.zeros((2, 0, 3), np.float32)
    for parts in (Deviations(some(2, s, 3), none), Deviations(none, some(2, s, 3))):
        assert parts.freedom() == pytest.approx(np.full((2, 3), s - 1.0))
    a = answered(some(2, s, 3), none)
    low, high = a.interval(0.9)
    assert (high - low) / 2 == pytest.approx(t.ppf(0.95, s - 1) * a.stderr)
    assert (high + low) / 2 == pytest.approx(a.values)


def test_two_kinds_join_by_welch_and_satterthwaite():
    one, two = some(2, 9, 3), 0.7 * some(2, 5, 3, seed=1)
    v1, v2 = (one.astype(float) ** 2).sum(axis=1), (two.astype(float) ** 2).sum(axis=1)
    wanted = (v1 + v2) ** 2 / (v1**2 / 8 + v2**2 / 4)
    assert Deviations(one, two).freedom() == pytest.approx(wanted)
    assert ((wanted > 4) & (wanted <= 12)).all()


def test_a_row_with_fewer_parts_keeps_its_own_freedom():
    """Rows that stopped the search for an error at fewer completions are filled up with zeros."""
    few = some(1, 4, 3)
    filled = np.concatenate([np.concatenate([few, np.zeros((1, 28, 3), np.float32)], axis=1), some(1, 32, 3)])
    none = np.zeros((2, 0, 3), np.float32)
    assert Deviations(filled, none).freedom()[:, 0].tolist() == [3, 31]
    both = Deviations(filled, np.concatenate([some(1, 6, 3), np.zeros((1, 6, 3), np.float32)]))
    alone = Deviations(few, some(1, 6, 3))
    assert both.freedom()[0] == pytest.approx(alone.freedom()[0])


def test_without_error_the_interval_is_the_value():
    a = answered(np.zeros((2, 8, 3), np.float32), np.zeros((2, 0, 3), np.float32))
    assert (a.deviations.freedom() == np.inf).all()
    low, high = a.interval()
    assert low.tolist() == high.tolist() == a.values.tolist()


def test_an_explainer_that_states_its_error_without_parts_gets_the_normal():
    a = an_answer(None, np.full((2, 3), 0.5))
    low, high = a.interval(0.8)
    assert high - a.values == pytest.approx(np.full((2, 3), norm.ppf(0.9) * 0.5))
    assert a.values - low == pytest.approx(high - a.values)


def test_wider_levels_hold_narrower_ones_and_unanswered_rows_hold_nothing():
    a = answered(some(2, 6, 3), some(2, 4, 3, seed=1))
    wide, narrow = a.interval(0.99), a.interval(0.5)
    assert (wide[0] < narrow[0]).all()
    assert (wide[1] > narrow[1]).all()
    values = a.values.copy()
    values[1] = np.nan
    low, high = replace(a, values=values, stderr=np.where(np.isnan(values), np.nan, a.stderr)).interval()
    assert np.isnan(low[1]).all()
    assert np.isnan(high[1]).all()
    assert np.isfinite(low[0]).all()
