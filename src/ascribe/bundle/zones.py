"""Clocks on walls: seconds of a time zone, daylight saving included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from ascribe.core.errors import InputError

__all__ = ["UTC", "Clock", "clock"]

UTC = "UTC"
QUARTER_S = 900  # offsets change on quarters of an hour
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

    def local(utc_s: np.ndarray) -> np.ndarray:
        utc_s = np.asarray(utc_s, np.int64)
        quarter, at = np.unique(utc_s // QUARTER_S, return_inverse=True)
        offset = [_offset(held, int(q) * QUARTER_S) for q in quarter]
        return utc_s + np.array(offset, np.int64)[at.reshape(utc_s.shape)]

    return local


def _offset(zone: ZoneInfo, utc_s: int) -> int:
    moment = (EPOCH + timedelta(seconds=utc_s)).astimezone(zone)
    shift = moment.utcoffset()
    assert shift is not None
    return round(shift.total_seconds())
