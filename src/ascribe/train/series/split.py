"""Training, validation and test parts of series, by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.core.durations import in_words, span
from ascribe.core.errors import InputError
from ascribe.core.forecast.rows import origins
from ascribe.core.forecast.series import Series, Window

__all__ = ["TEST", "Parts", "parts_of"]

TEST, VALIDATION = 0.25, 0.15


@dataclass(frozen=True)
class Parts:
    """Steps 0 ... fit - 1 train, fit ... test - 1 validate (choose, calibrate), test ... end - 1 test. A part owns the
    steps that are forecast; what a row sees may reach back into the part before, as it does in life.
    """

    fit: int
    test: int
    end: int

    def training(self, series: Series, window: Window, every: int) -> np.ndarray:
        """Origins (o, 2), every so many steps, whose whole target is before `fit`."""
        return origins(series, window, 0, self.fit, every)

    def validation(self, series: Series, window: Window, every: int) -> np.ndarray:
        return origins(series, window, self.fit, self.test, every)

    def testing(self, series: Series, window: Window, every: int) -> np.ndarray:
        return origins(series, window, self.test, self.end, every)


def parts_of(series: Series, window: Window, test: str | float = TEST) -> Parts:
    """`test`: a share of the steps, or a span such as 14d, at the end; a share of the rest, at its end and at least one
    horizon, is for validation.

    Raises InputError where a part has no whole window.
    """
    t = series.steps
    try:
        share = float(test)
    except ValueError:
        share = span(str(test)) / series.step_s / max(t, 1)
    if not 0 < share < 1:
        raise InputError(f"a test part of {test}: give a share between 0 and 1, or less time than the data spans")
    cut = t - round(t * share)
    fit = cut - max(window.horizon, round(cut * VALIDATION))
    parts = Parts(fit, cut, t)
    for name, found in (("training", parts.training), ("validation", parts.validation), ("test", parts.testing)):
        if not len(found(series, window, 1)):
            raise InputError(f"the {name} part has no whole window: {_why(series, window, parts, name)}")
    return parts


def _why(series: Series, window: Window, parts: Parts, name: str) -> str:
    """Too short, or not measured."""
    first, last = {"training": (0, parts.fit), "validation": (parts.fit, parts.test), "test": (parts.test, parts.end)}[
        name
    ]
    first = max(0, first - window.context)
    if last - first < window.context + window.horizon:
        whole, long = (in_words(window.step_s * steps) for steps in (window.context + window.horizon, series.steps))
        return f"one takes {whole}, the data spans {long}; give more data, or a shorter context or horizon"
    j = int(np.argmax(series.observed[first:last].mean(axis=0)))
    share = series.observed[first:last, j].mean()
    begin, end = (str(np.datetime64(int(series.time_s[k]), "s")) for k in (first, last - 1))
    return (
        f"from {begin} to {end} (UTC) {series.names[j]} was measured for {share:.0%} and no series for more; "
        "give other days, or a shorter context or horizon"
    )
