"""Times in questions and in sentences."""

from __future__ import annotations

from datetime import UTC, datetime

from ascribe.core.errors import InputError
from ascribe.core.words import quoted

__all__ = ["clock_times", "span_us", "whole"]

FARTHEST_US = 1 << 53


def clock_times(*t_us: int) -> list[str]:
    """As a reader has them: the time of day, UTC, with the day where there are several.

    >>> clock_times(1_790_000_000_000_000, 1_790_000_060_000_000)
    ['14:13:20', '14:14:20 UTC']
    """
    moments = [datetime.fromtimestamp(t / 1e6, UTC) for t in t_us]
    days = {moment.date() for moment in moments}
    form = "%H:%M:%S" if len(days) == 1 else "%Y-%m-%d %H:%M:%S"
    texts = [moment.strftime(form) for moment in moments]
    return [*texts[:-1], f"{texts[-1]} UTC"]


def whole(name: str, text: str | None, default: int, low: int = 0, high: int = FARTHEST_US) -> int:
    """A whole number of a query string. Raises InputError."""
    if text is None or text == "":
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else -1
    if not low <= number <= high:
        raise InputError(f"{name} is {quoted(text, 40)}: use a whole number from {low} to {high}")
    return number


def span_us(start: str | None, end: str | None, now_us: int, default_s: float) -> tuple[int, int]:
    """`from` and `to` in microseconds; the last `default_s` seconds unless said. Raises InputError."""
    to_us = whole("to", end, now_us)
    from_us = whole("from", start, max(0, to_us - round(default_s * 1e6)))
    if from_us > to_us:
        raise InputError(f"from ({from_us}) is later than to ({to_us}): both are microseconds since 1970 UTC")
    return from_us, to_us
