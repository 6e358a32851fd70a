"""Spans of time: as people write them (90s, 5min, 1h, 7d), and from one try to the next."""

from __future__ import annotations

import re

from ascribe.core.errors import InputError

__all__ = ["doubled", "in_words", "span", "steps_in"]

DOUBLINGS = 60  # beyond any span; a thousand are beyond any float

SPANS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def doubled(first_s: float, times: int, longest_s: float) -> float:
    """min(longest, first 2^times), a number however often something failed.

    >>> doubled(0.5, 2, 30.0), doubled(0.5, 5000, 30.0)
    (2.0, 30.0)
    """
    return min(longest_s, first_s * 2.0 ** min(times, DOUBLINGS))


def span(text: str) -> float:
    """A length of time in seconds. Raises InputError.

    >>> span("90s"), span("6h"), span("1.5min")
    (90.0, 21600.0, 90.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in SPANS:
        raise InputError(f"'{text}' is no length of time: write 90s, 30min, 6h or 1d")
    return float(match[1]) * SPANS[match[2]]


def steps_in(text: str, step_s: int, what: str = "a span") -> int:
    """How many steps of `step_s` seconds a span is, at least one. Raises InputError where it is no whole number.

    >>> steps_in("7d", 300)
    2016
    """
    steps, rest = divmod(span(text), step_s)
    if rest or not steps:
        raise InputError(f"{what} of {text} is no whole number of steps of {in_words(step_s)}: give a multiple")
    return int(steps)


def in_words(span_s: int | float) -> str:
    """A length of time as `span` reads it, in the largest unit that loses nothing.

    >>> in_words(300), in_words(172800), in_words(5400), in_words(0.5), in_words(1296701)
    ('5min', '2d', '90min', '0.5s', '1296701s')
    """
    for unit in ("d", "h", "min"):
        if span_s >= SPANS[unit] and span_s % SPANS[unit] == 0:
            return f"{span_s / SPANS[unit]:.0f}{unit}"
    return f"{span_s:.0f}s" if span_s == int(span_s) else f"{span_s:g}s"
