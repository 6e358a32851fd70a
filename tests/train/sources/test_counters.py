"""Counters over windows: what is recovered is the truth or a gap, whatever wraps and resets come in between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.train.sources.counters import fresh, increments, mean_of, newest, rate_of

RANGE_J = 262_143.32885
MOST_W = 1000.0
EVERY_S = 15.0


@st.composite
def counted(draw, restarts: bool):
    """True increments (g - 1,), the counter as read (1, g), its sample and start times, intervals with a restart."""
    g = draw(st.integers(2, 40))
    passed = np.array(draw(st.lists(st.floats(1.0, 60.0), min_size=g - 1, max_size=g - 1)))
    watts = np.array(draw(st.lists(st.floats(0.0, MOST_W), min_size=g - 1, max_size=g - 1)))
    begun = draw(st.lists(st.booleans(), min_size=g - 1, max_size=g - 1)) if restarts else [False] * (g - 1)
    share = draw(st.lists(st.floats(0.0, 1.0), min_size=g - 1, max_size=g - 1))
    times, truth = np.concatenate([[0.0], np.cumsum(passed)]), watts * passed
    level, start = draw(st.floats(0.0, RANGE_J)), 0.0
    read, started = [level], [start]
    for i in range(g - 1):
        if begun[i]:  # it counts from zero for the rest of the interval
            level, start = truth[i] * share[i], start + 10.0
        else:
            level = (level + truth[i]) % RANGE_J
        read.append(level)
        started.append(start)
    return truth, np.array([read]), times[None], np.array([started]), np.array(begun)


@given(counted(restarts=False))
def test_every_increment_is_recovered_over_any_number_of_wraps(case):
    truth, read, times, _, _ = case
    np.testing.assert_allclose(increments(read, times, RANGE_J, MOST_W)[0], truth, rtol=1e-6, atol=1e-6)


@given(counted(restarts=True))
def test_with_start_times_an_increment_is_the_truth_or_a_gap_and_a_gap_only_where_a_restart_was(case):
    truth, read, times, started, begun = case
    found = increments(read, times, RANGE_J, MOST_W, started)[0]
    assert np.isnan(found[begun]).all()
    np.testing.assert_allclose(found[~begun], truth[~begun], rtol=1e-6, atol=1e-6)


@given(counted(restarts=True))
def test_without_start_times_nothing_is_negative_or_beyond_what_is_possible(case):
    truth, read, times, _, begun = case
    found = increments(read, times, RANGE_J, MOST_W)[0]
    known = found[np.isfinite(found)]
    assert (known >= 0).all()
    assert (found <= MOST_W * np.diff(times[0]) * (1 + 1e-6))[np.isfinite(found)].all()
    np.testing.assert_allclose(found[~begun], truth[~begun], rtol=1e-6, atol=1e-6)


@given(counted(restarts=True))
def test_a_counter_that_cannot_wrap_has_a_gap_at_every_drop(case):
    _, read, times, _, _ = case
    found = increments(read, times, possible=MOST_W)[0]
    assert np.isnan(found[np.diff(read[0]) < 0]).all()
    assert (found[np.isfinite(found)] >= 0).all()


@given(st.floats(0, 100_000), st.floats(0, 100_000))
def test_another_range_than_the_counters_own_loses_an_interval_and_invents_none(last, now):
    """A drop of a counter of 65,532 J, read as one of 262,143 J."""
    found = increments(np.array([[last, now]]), np.array([[0.0, EVERY_S]]), RANGE_J, MOST_W)[0, 0]
    assert np.isnan(found) or 0 <= found <= MOST_W * EVERY_S * (1 + 1e-6)
    if now < last:
        assert np.isnan(found)


def test_an_interval_that_may_hide_a_whole_wrap_is_a_gap():
    long = RANGE_J / MOST_W
    values = np.array([[10.0, 20.0]])
    assert np.isnan(increments(values, np.array([[0.0, long + 1]]), RANGE_J, MOST_W)).all()
    assert increments(values, np.array([[0.0, long - 1]]), RANGE_J, MOST_W)[0, 0] == 10.0


def test_the_same_sample_twice_is_nothing_and_two_numbers_at_one_time_are_a_gap():
    assert increments(np.array([[5.0, 5.0]]), np.array([[3.0, 3.0]]))[0, 0] == 0.0
    assert np.isnan(increments(np.array([[5.0, 6.0]]), np.array([[3.0, 3.0]]))).all()
    assert np.isnan(increments(np.array([[5.0, 6.0]]), np.array([[3.0, 2.0]]))).all()


def test_a_start_time_that_a_clock_corrects_is_no_restart_and_one_seen_after_a_hole_is():
    values, times = np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 15.0, 30.0]])
    corrected = np.array([[100.0, 101.0, 100.0]])
    assert increments(values, times, started_s=corrected).tolist() == [[1.0, 1.0]]
    hole = np.array([[100.0, np.nan, 120.0]])
    assert np.isnan(increments(values, times, started_s=hole)).tolist() == [[False, True]]
    unknown = np.array([[np.nan, np.nan, 120.0]])
    assert increments(values, times, started_s=unknown).tolist() == [[1.0, 1.0]]


@given(counted(restarts=False), st.integers(1, 5))
def test_windows_without_gaps_add_up_to_the_whole(case, per_window):
    truth, read, times, _, _ = case
    kept = len(truth) // per_window * per_window
    energy = increments(read, times, RANGE_J, MOST_W)[:, :kept]
    rate = rate_of(energy, times[:, : kept + 1], per_window)
    joules = (rate * np.diff(times[:, : kept + 1 : per_window])).sum()
    assert joules == pytest.approx(truth[:kept].sum(), rel=1e-6, abs=1e-6)


def test_a_window_with_a_gap_is_a_gap_and_its_neighbours_are_not():
    energy = np.array([[1.0, 1.0, np.nan, 1.0, 1.0, 1.0]])
    times = np.arange(7.0)[None]
    assert rate_of(energy, times, 2)[0].tolist() == pytest.approx([1.0, np.nan, 1.0], nan_ok=True)


def test_a_gauge_is_averaged_after_the_start_of_a_window_and_impossible_values_are_gaps():
    values = np.array([[900.0, 1.0, 3.0, 5.0, 7.0, 5000.0, 9.0]])
    assert mean_of(values, 2, possible=1000.0)[0].tolist() == pytest.approx([2.0, 6.0, np.nan], nan_ok=True)


def test_samples_older_than_two_intervals_are_stale():
    grid = np.array([100.0, 115.0, 130.0, 145.0])
    sampled = np.array([[99.0, 99.0, 99.0, 99.0], [99.0, 114.0, 129.0, np.nan]])
    assert np.isfinite(fresh(np.ones((2, 4)), sampled, grid, EVERY_S)).tolist() == [
        [True, True, False, False], [True, True, True, False],
    ]  # fmt: skip


def test_of_two_series_of_one_counter_the_one_sampled_last_counts():
    values = np.array([[1.0, 2.0, np.nan], [np.nan, 20.0, 30.0]])
    sampled = np.array([[0.0, 15.0, np.nan], [np.nan, 16.0, 31.0]])
    read, at = newest(values, sampled)
    assert read.tolist() == [1.0, 20.0, 30.0]
    assert at.tolist() == [0.0, 16.0, 31.0]
