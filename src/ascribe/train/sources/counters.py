"""Energy and other counters over aligned windows: wraps mended, resets and stale samples left as gaps.

Formula, for samples c_0, c_1, ... of one counter, taken at times t_0, t_1, ..., with d_i = c_{i+1} - c_i and
dt_i = t_{i+1} - t_i; R is the range of the counter (its largest value, where it starts again at 0), P the highest
rate that is possible at all:

    e_i = d_i        if d_i >= 0
    e_i = R + d_i    if d_i < 0 and R is known: one wrap
    e_i = NaN        if e_i > P dt_i (a reset, another counter, another unit), or P dt_i >= R (more than one wrap
                     may hide in the interval), or the counter's process was started again in between

So what is recovered is the truth or a gap; never negative, never a spike above P dt. Without start times a reset can
look like a wrap, or like slow growth: then e_i is wrong, but within [0, P dt_i].

Arrays have one row a counter and one column a sample: (s, g); seconds everywhere; the unit of c is the caller's.
"""

from __future__ import annotations

import numpy as np

__all__ = ["RESTART_S", "STALE_INTERVALS", "fresh", "increments", "mean_of", "newest", "rate_of"]

STALE_INTERVALS = 2.0
"""A sample older than this many scrape intervals says nothing about now."""

RESTART_S = 2.0
"""Start times are read off clocks that are corrected: one that moves by less is the same start."""

ROUNDING = 1e-9


def fresh(values: np.ndarray, sampled_s: np.ndarray, grid_s: np.ndarray, interval_s: float) -> np.ndarray:
    """`values (s, g)`, NaN where the sample is older at `grid_s (g,)` than two intervals, or absent.

    >>> fresh(np.array([[1.0, 1.0]]), np.array([[0.0, 0.0]]), np.array([30.0, 31.0]), 15.0)
    array([[ 1., nan]])
    """
    with np.errstate(invalid="ignore"):
        young = grid_s - sampled_s <= STALE_INTERVALS * interval_s + ROUNDING * grid_s
    return np.where(young, values, np.nan)


def increments(
    values: np.ndarray,
    sampled_s: np.ndarray,
    range_: float = np.inf,
    possible: float = np.inf,
    started_s: np.ndarray | None = None,
) -> np.ndarray:
    """e (s, g - 1), by the formula above. `range_` R and `possible` P (unit of c, and a second) may be infinite;
    `started_s (s, g)`: when the process that counts was started, NaN where that is not known.

    >>> now = np.array([[0.0, 15.0, 30.0]])
    >>> increments(np.array([[262_000.0, 100.0, 4_000.0]]), now, 262_143.0, 1000.0)
    array([[ 243., 3900.]])
    >>> increments(np.array([[100_000.0, 100.0, 90_000.0]]), now, 262_143.0, 1000.0)
    array([[nan, nan]])
    """
    grown, passed = np.diff(values), np.diff(sampled_s)
    with np.errstate(invalid="ignore"):
        wrapped = np.where((values[:, :-1] <= range_) & np.isfinite(range_), range_ + grown, np.nan)
        energy = np.where(grown < 0, wrapped, grown)
        most = np.where(passed > 0, possible * np.maximum(passed, ROUNDING), np.where(passed == 0, 0.0, np.nan))
        sure = (energy <= most * (1 + ROUNDING)) & ((most < range_) | ~np.isfinite(range_))
    if started_s is not None:
        with np.errstate(invalid="ignore"):
            sure &= ~(np.abs(np.diff(_carried(started_s))) > RESTART_S)
    return np.where(sure, energy, np.nan)


def rate_of(energy: np.ndarray, sampled_s: np.ndarray, per_window: int) -> np.ndarray:
    """(s, w): each window's increments over the time between the samples at its two ends; NaN with any gap in it.

    `energy (s, w * per_window)`, `sampled_s (s, w * per_window + 1)`. The end of a window is the start of the next,
    so windows without gaps add up to the whole.
    """
    total = energy.reshape(len(energy), -1, per_window).sum(axis=2)
    passed = np.diff(sampled_s[:, ::per_window])
    return np.asarray(np.divide(total, passed, out=np.full_like(total, np.nan), where=passed > 0))


def mean_of(values: np.ndarray, per_window: int, possible: float = np.inf) -> np.ndarray:
    """(s, w): mean of a gauge over the samples inside each window, its end included and its start not; `values
    (s, w * per_window + 1)`. NaN with any gap in it, or any value beyond +-`possible`."""
    within = np.where(np.abs(values) <= possible, values, np.nan)
    return np.asarray(within[:, 1:].reshape(len(values), -1, per_window).mean(axis=2))


def newest(values: np.ndarray, sampled_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Several series (s, g) of one counter as one (g,): the one sampled last at each point; (values, sampled_s)."""
    pick = np.argmax(np.where(np.isnan(values), -np.inf, sampled_s), axis=0)
    at = np.arange(values.shape[1])
    return values[pick, at], sampled_s[pick, at]


def _carried(known: np.ndarray) -> np.ndarray:
    """NaN replaced by the last number before it."""
    last = np.maximum.accumulate(np.where(np.isnan(known), 0, np.arange(known.shape[1])), axis=1)
    return np.take_along_axis(known, last, axis=1)
