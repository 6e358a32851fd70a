"""Windows to fit on and windows to choose on, all of them before `until`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.core.arrays import evenly
from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, origins, rows, targets

__all__ = ["Windows", "windows"]

FIT = 0.75  # of the span of origins: the rest chooses options and says how far off a forecast is
FEWEST = 8


@dataclass(frozen=True, eq=False)
class Windows:
    """Of origins `at (o, 2)`: rows `X (o, n)`, `y (o, h)`, NaN where not measured; `fit` and `held (o,)` mark the two
    parts. No target of `fit` reaches into the span of `held`; `least`: 0 where nothing below was ever seen, else -inf.
    """

    at: np.ndarray
    X: np.ndarray
    y: np.ndarray
    fit: np.ndarray
    held: np.ndarray
    least: float


def windows(series: Series, window: Window, until: int, most: int) -> Windows:
    """About `most` windows at evenly spread moments, of all series; nothing at or after step `until` is read.

    Raises InputError where the training part is too short.
    """
    before = series.cut(0, min(until, series.steps))
    span = before.steps - window.context - window.horizon
    moments = max(1, most // max(1, len(series.names)))
    # an odd stride meets every time of day
    every = max(1, span // moments) | 1
    at = origins(before, window, window.context, before.steps, every)
    if len(at) > most:
        at = at[evenly(len(at), most)]
    cut = window.context + int(FIT * span)
    fit, held = at[:, 0] + window.horizon <= cut, at[:, 0] >= cut
    if fit.sum() < FEWEST or held.sum() < FEWEST:
        raise InputError(
            f"{before.steps} steps before the test part hold {int(fit.sum())} windows to fit on and {int(held.sum())} "
            f"to choose on, {FEWEST} of each are needed: give more data, or a shorter --context or --horizon"
        )
    seen = before.values[np.isfinite(before.values)]
    least = 0.0 if len(seen) and seen.min() >= 0 else -np.inf
    return Windows(at, rows(before, window, at), targets(before, window, at), fit, held, least)
