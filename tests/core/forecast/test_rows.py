"""Rows against windows cut one number at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.core.errors import InputError
from ascribe.core.forecast import CALENDAR, Window, calendar, origins, rows, targets, window_of
from tests.core.forecast.made import numbered, with_values


def slow_row(series, window, i, j):
    """Number by number, as the docstring of the house says it."""
    row = []
    for k in range(i - window.context, i):
        moments = dict(zip(CALENDAR, calendar(series.local_s[k : k + 1])[0], strict=True))
        for name in window.inputs:
            if name == "value":
                row.append(series.values[k, j])
            elif name == "observed":
                row.append(float(series.observed[k, j]))
            elif name in moments:
                row.append(moments[name])
            elif name == "lag_1d":
                row.append(series.values[k - 24, j])
            elif name == "mean_3h":
                row.append(np.mean([series.values[k - d, j] for d in range(3)]))
            else:
                row.append(series.exogenous[k, j, series.exogenous_names.index(name)])
    return row


@given(st.integers(1, 8), st.integers(1, 5), st.sampled_from([(), ("rain",), ("rain", "price")]), st.booleans())
def test_a_row_is_its_window_number_by_number(context, horizon, exogenous, derived):
    series = numbered(t=60, s=3, exogenous=exogenous, zone_s=7200)
    window = window_of(series, context, horizon, derived=("lag_1d", "mean_3h") if derived else ())
    at = origins(series, window, 0, series.steps, 7)
    assert len(at) > 3
    assert at[0, 0] >= context + (24 if derived else 0)
    X = rows(series, window, at)
    assert X.shape == (len(at), window.n) and np.isfinite(X).all()
    np.testing.assert_allclose(X, [slow_row(series, window, i, j) for i, j in at.tolist()])
    expected = [[series.values[i + d, j] for d in range(horizon)] for i, j in at.tolist()]
    np.testing.assert_array_equal(targets(series, window, at), expected)


@given(st.data())
def test_origins_are_all_the_whole_windows_and_no_other(data):
    context, horizon = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    every, first, last = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 12)), data.draw(st.integers(0, 40))
    target = data.draw(st.booleans())
    series = numbered(t=30, s=2)
    values = series.values.copy()
    for cell in data.draw(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 1)), max_size=12)):
        values[cell] = np.nan
    observed = np.isfinite(values)
    for cell in data.draw(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 1)), max_size=12)):
        observed[cell] = False
    series = with_values(series, values, observed)
    window = window_of(series, context, horizon)
    expected = []
    for i in range(first, min(last, 30) + 1, every):
        for j in range(2):
            seen, after = slice(i - context, i), slice(i, i + horizon)
            if i < context or not np.isfinite(values[seen, j]).all() or observed[seen, j].mean() < 0.5:
                continue
            if target and (i + horizon > min(last, 30) or observed[after, j].mean() < 0.5):
                continue
            expected.append((i, j))
    assert [tuple(o) for o in origins(series, window, first, last, every, target).tolist()] == expected


def test_targets_are_what_was_measured_and_nothing_else():
    series = numbered(t=10, s=1)
    observed = np.ones((10, 1), bool)
    observed[7] = False  # filled: known to the row, no truth to be judged by
    series = with_values(series, series.values, observed)
    window = window_of(series, 3, 4)
    np.testing.assert_array_equal(targets(series, window, np.array([[6, 0]])), [[6, np.nan, 8, 9]])
    np.testing.assert_array_equal(targets(series, window, np.array([[8, 0]])), [[8, 9, np.nan, np.nan]])
    np.testing.assert_array_equal(targets(series, window, np.array([[10, 0]])), [[np.nan] * 4])


@given(st.integers(6, 39))
def test_a_row_reads_nothing_at_or_after_its_origin(i):
    clean = numbered(t=40, s=2, exogenous=("rain",))
    window = window_of(clean, 5, 2, derived=("mean_2h",))
    poisoned = with_values(clean, np.where(np.arange(40)[:, None] >= i, 1e300, clean.values))
    poisoned.exogenous[i:] = -1e300
    clean = numbered(t=40, s=2, exogenous=("rain",))
    at = np.array([[i, 0], [i, 1]])
    assert rows(clean, window, at).tobytes() == rows(poisoned, window, at).tobytes()
    later = at + np.array([[1, 0]])
    if i < 39:  # and one step later it does read it: the poison is real
        assert rows(clean, window, later).tobytes() != rows(poisoned, window, later).tobytes()


def test_what_cannot_be_a_row_is_said():
    series = numbered(t=20, s=2)
    window = window_of(series, 4, 2)
    with pytest.raises(InputError, match="first origin is step 4"):
        rows(series, window, np.array([[3, 0]]))
    with pytest.raises(InputError, match="outside 20 steps of 2 series"):
        rows(series, window, np.array([[5, 2]]))
    values = series.values.copy()
    values[7, 1] = np.nan
    with pytest.raises(InputError, match="link1 has steps without a value before step 9"):
        rows(with_values(series, values), window, np.array([[9, 0], [9, 1]]))
    with pytest.raises(InputError, match="steps of 300 s, the series of 3600 s"):
        rows(series, Window(4, 2, 300), np.array([[5, 0]]))
    with pytest.raises(InputError, match="no input 'tide'"):
        rows(series, Window(4, 2, 3600, ("value", "tide")), np.array([[5, 0]]))
    with pytest.raises(InputError, match="lag_90min: of 90min is no whole number of steps of 1h"):
        rows(series, Window(4, 2, 3600, ("value", "lag_90min")), np.array([[5, 0]]))
    with pytest.raises(InputError, match="exogenous rain: the series have none"):
        window_of(series, 4, 2, ["rain"])


def test_a_window_says_its_day_and_its_size():
    window = window_of(numbered(step_s=300), 2016, 288)
    assert (window.day, window.n, window.shape) == (288, 2016 * 8, (2016, 8))
    assert window.inputs == ("value", "observed", *CALENDAR)
    with pytest.raises(InputError, match="'value' first"):
        Window(2, 1, 60, ("observed", "value"))


def test_steps_are_found_by_time():
    series = numbered(t=10, step_s=300, start_s=1_000_200)
    assert [series.at(s) for s in (0, 1_000_200, 1_000_201, 1_000_500, 9e9)] == [0, 0, 1, 1, 10]
    part = series.cut(3, 6)
    assert part.time_s.tolist() == series.time_s[3:6].tolist() and part.values[0, 0] == 3
