"""The clock on the wall of a zone, for grids of steps."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.forecast.recent import Clock
from ascribe.core.words import quoted

__all__ = ["iso", "local_clock", "zone_of"]

QUARTER_S = 900  # offsets of zones change at quarters of an hour


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Raises InputError for a zone that is not known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InputError(f"no time zone {quoted(name)}: write one such as Europe/Paris, or UTC") from exc


def local_clock(zone: str) -> Clock:
    """start_s, step_s, count -> wall-clock seconds (count,) of a zone; grids asked for again are kept."""
    held = zone_of(zone)
    return lambda start_s, step_s, count: _local(held, start_s, step_s, count)


@lru_cache(maxsize=256)
def _local(zone: ZoneInfo, start_s: int, step_s: int, count: int) -> np.ndarray:
    time_s = start_s + step_s * np.arange(count, dtype=np.int64)
    quarter, at = np.unique(time_s // QUARTER_S, return_inverse=True)
    offsets = [datetime.fromtimestamp(q * QUARTER_S, UTC).astimezone(zone).utcoffset() for q in quarter.tolist()]
    found = time_s + np.array([int(o.total_seconds()) for o in offsets if o is not None])[at]
    found.setflags(write=False)
    return np.asarray(found)


def iso(time_s: float, zone: str = "UTC") -> str:
    """ISO 8601 with the zone's offset.

    >>> iso(0), iso(0, "Asia/Kolkata")
    ('1970-01-01T00:00:00Z', '1970-01-01T05:30:00+05:30')
    """
    return datetime.fromtimestamp(time_s, UTC).astimezone(zone_of(zone)).isoformat().replace("+00:00", "Z")
