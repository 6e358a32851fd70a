"""Against the calendar of the standard library, moment by moment."""

import calendar as standard
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.core.forecast import CALENDAR, calendar


@given(st.integers(-2_000_000_000, 4_000_000_000))
def test_angles_are_those_of_the_calendar(local_s):
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=local_s)
    turns = (
        (when.hour * 3600 + when.minute * 60 + when.second) / 86400,
        when.weekday() / 7,
        (when.day - 1) / standard.monthrange(when.year, when.month)[1],
    )
    expected = [f(2 * np.pi * turn) for turn in turns for f in (np.sin, np.cos)]
    np.testing.assert_allclose(calendar(np.array([local_s]))[0], expected, atol=1e-12)


def test_every_minute_of_a_month_is_a_point_of_its_own():
    start = int(datetime(2024, 2, 1, tzinfo=UTC).timestamp())
    points = calendar(start + 60 * np.arange(29 * 1440))
    assert len(np.unique(points.round(9), axis=0)) == 29 * 1440
    assert len(CALENDAR) == points.shape[1]


@pytest.mark.parametrize("length", [28, 29, 30, 31])
def test_days_of_a_month_go_once_round(length):
    year, month = {28: (2023, 2), 29: (2024, 2), 30: (2023, 4), 31: (2023, 1)}[length]
    first = int(datetime(year, month, 1, tzinfo=UTC).timestamp())
    points = calendar(first + 86400 * np.arange(length))[:, 4:]
    turns = np.unwrap(np.arctan2(points[:, 0], points[:, 1])) / (2 * np.pi)
    np.testing.assert_allclose(np.diff(turns), 1 / length)
