"""Energy of a window: trapezoids of the moments that are kept, and before them the means of minutes.

    E = sum over intervals i in the window of dt_i (P_{i-1} + P_i) / 2, dt_i <= GAP           W s, in kWh
      = sum over minutes of covered_m mean_m(P)  +  trapezoids since the split (`Track.split_us`)

Both ends of an interval lie in the window, and so does a minute, with both its ends. What is not covered is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.serve.now.rings import Columns
from ascribe.serve.now.track import Track, intervals, shares_of

__all__ = ["Spent", "energy_of"]

KWH = 3.6e6  # J


@dataclass(frozen=True)
class Spent:
    """kWh; `shares (n,)` by feature. base + sum(shares) = prediction; `measured`, `measured_prediction`: of the
    `measured_s` of the `covered_s` seconds in which a meter was read.
    """

    prediction: float
    base: float
    shares: np.ndarray
    measured: float
    measured_prediction: float
    covered_s: float
    measured_s: float


def energy_of(track: Track, from_us: int, to_us: int) -> Spent:
    """The lock of the series is held."""
    old, fine = track.minutes(from_us, to_us), track.fine.window(from_us, to_us)
    a, b = _of_minutes(old), _of_moments(fine, track.split_us())
    return Spent(
        (a.prediction + b.prediction) / KWH, (a.base + b.base) / KWH, (a.shares + b.shares) / KWH,
        (a.measured + b.measured) / KWH, (a.measured_prediction + b.measured_prediction) / KWH,
        a.covered_s + b.covered_s, a.measured_s + b.measured_s,
    )  # fmt: skip


def _of_minutes(rows: Columns) -> Spent:
    """In joules."""
    s, read = rows["covered_s"], rows["measured_s"]
    return Spent(
        float(s @ rows["prediction"]), float(s @ rows["base"]), np.asarray(s @ shares_of(rows)),
        float(np.nansum(read * rows["measured"])), float(np.nansum(read * rows["measured_prediction"])),
        float(s.sum()), float(read.sum()),
    )  # fmt: skip


def _of_moments(rows: Columns, split_us: int) -> Spent:
    """In joules, of intervals that end at the split or later."""
    dt, whole, measured = intervals(rows)
    ends = rows["t_us"][1:] >= split_us
    s, read = np.where(whole & ends, dt, 0.0), np.where(measured & ends, dt, 0.0)

    def joules(column: np.ndarray, over: np.ndarray) -> np.ndarray:
        between = np.nan_to_num(0.5 * (column[:-1] + column[1:]))
        return np.asarray(np.tensordot(over, between, axes=(0, 0)))

    f, base, watts = rows["prediction"], rows["base"], rows["measured"]
    return Spent(
        float(joules(f, s)), float(joules(base, s)), joules(shares_of(rows), s), float(joules(watts, read)),
        float(joules(f, read)), float(s.sum()), float(read.sum()),
    )  # fmt: skip
