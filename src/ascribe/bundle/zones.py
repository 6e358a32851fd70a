"""Clocks on walls: seconds of a time zone, daylight saving included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from ascribe.core.errors import InputError

__all__ = ["UTC", "Clock", "clock"]

UTC = "UTC"
DAY_S, QUARTER_S = 86400, 900
EPOCH = datetime(1970, 1, 1, tzinfo=ZoneInfo(UTC))

Clock = Callable[[np.ndarray], np.ndarray]
"""Epoch seconds, UTC -> wall-clock seconds, both int64."""


def clock(zone: str) -> Clock:
    """Of a zone by its name in the IANA database. Raises InputError for another.

    >>> clock("Europe/London")(np.array([1720000800])) - 1720000800  # July: an hour ahead
    array([3600])
    """
    if zone == UTC:
        return lambda utc_s: np.asarray(utc_s, np.int64)
    try:
        held = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InputError(f"no time zone {zone!r}: write Europe/London, America/New_York or UTC") from exc

    offset = lru_cache(maxsize=4096)(lambda at_s: _offset(held, at_s))

    def local(utc_s: np.ndarray) -> np.ndarray:
        utc_s = np.asarray(utc_s, np.int64)
        day, at = np.unique(utc_s // DAY_S, return_inverse=True)
        ends = [(offset(d * DAY_S), offset((d + 1) * DAY_S)) for d in day.tolist()]
        shift = np.array([first for first, _ in ends], np.int64)[at.reshape(utc_s.shape)]
        changing = np.array([first != last for first, last in ends], bool)[at.reshape(utc_s.shape)]
        if changing.any():  # offsets change on quarters of an hour
            quarter = utc_s[changing] // QUARTER_S * QUARTER_S
            shift[changing] = [offset(q) for q in quarter.tolist()]
        return utc_s + shift

    return local


def _offset(zone: ZoneInfo, utc_s: int) -> int:
    moment = (EPOCH + timedelta(seconds=utc_s)).astimezone(zone)
    shift = moment.utcoffset()
    assert shift is not None
    return round(shift.total_seconds())
