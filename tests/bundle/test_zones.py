"""Wall clocks against the standard library, moment by moment."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.bundle.zones import clock
from ascribe.core.errors import InputError

ZONES = ["UTC", "Europe/London", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]


@given(st.sampled_from(ZONES), st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=20))
def test_walls_show_what_the_standard_library_shows(zone, moments):
    told = clock(zone)(np.array(moments))
    for utc_s, local_s in zip(moments, told.tolist(), strict=True):
        wall = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=utc_s)).astimezone(ZoneInfo(zone))
        assert datetime(1970, 1, 1) + timedelta(seconds=local_s) == wall.replace(tzinfo=None)


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_in_steps_of_five_minutes(zone):
    utc_s = 1_700_000_100 + 300 * np.arange(288 * 366)
    told = clock(zone)(utc_s)
    assert told.dtype == np.int64 and len(np.unique(told - utc_s)) in (1, 2)
    assert clock(zone)(utc_s[:0]).shape == (0,)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../etc/passwd", "", "Europe"])
def test_no_zone(zone):
    with pytest.raises(InputError, match="no time zone"):
        clock(zone)
