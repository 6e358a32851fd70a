"""Windows to fit on and windows to choose on, all of them before `until`.

Options are chosen on blocks of time, each held out in turn. The last part alone would do for a year of data; of some
weeks it may be nothing but a holiday.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ascribe.core.arrays import evenly
from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, origins, rows, targets

__all__ = ["Windows", "windows"]

BLOCKS = 4
FEWEST = 4  # of a block


@dataclass(frozen=True, eq=False)
class Windows:
    """Of origins `at (o, 2)`: rows `X (o, n)`, `y (o, h)`, NaN where not measured. `folds`: for each block of time the
    marks (o,) of what is fitted on, whose targets lie outside the block, and of what is held out, whose targets lie
    inside. `least`: 0 where nothing below was ever seen, else -inf.
    """

    at: np.ndarray
    X: np.ndarray
    y: np.ndarray
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
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
    edges = np.linspace(window.context, before.steps, BLOCKS + 1).astype(int)
    first, last = at[:, 0], at[:, 0] + window.horizon
    folds = tuple(((last <= a) | (first >= b), (first >= a) & (last <= b)) for a, b in pairwise(edges))
    fewest = min(int(mark.sum()) for fold in folds for mark in fold)
    if fewest < FEWEST:
        raise InputError(
            f"{before.steps} steps before the test part hold {len(at)} windows, {fewest} of them in a quarter of the "
            f"time, {FEWEST} are needed: give more data, or a shorter --context or --horizon"
        )
    seen = before.values[np.isfinite(before.values)]
    least = 0.0 if len(seen) and seen.min() >= 0 else -np.inf
    return Windows(at, rows(before, window, at), targets(before, window, at), folds, least)
