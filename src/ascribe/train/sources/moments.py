"""Times as messages write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["LATEST_US", "timestamp_us"]

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
LATEST_US = 253_402_300_799_000_000  # the end of the year 9999


def timestamp_us(said: int | float | str) -> int | None:
    """Epoch milliseconds, or RFC 3339 text with its offset, as microseconds since 1970 UTC; None where it is neither.

    >>> timestamp_us("2026-11-01T12:00:00.25+01:00") == timestamp_us(1793530800250)
    True
    >>> timestamp_us("2026-11-01T12:00:00") is None  # whose noon?
    True
    """
    if isinstance(said, str):
        try:
            moment = datetime.fromisoformat(said)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        us = (moment - EPOCH) // MICROSECOND
    elif isinstance(said, int):
        us = said * 1000
    elif said == said and abs(said) <= LATEST_US:
        us = round(said * 1000)
    else:
        return None
    return us if 0 <= us <= LATEST_US else None
