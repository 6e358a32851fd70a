"""One node as one model explains it: its last moments, and the means of a day's minutes.

    interval i, from moment i - 1 to moment i       dt_i <= GAP, both moments answered
    integral of q over it                           dt_i (q_{i-1} + q_i) / 2
    minute m (intervals that end in it)             covered_m = sum dt_i,  mean_m(q) = sum of integrals / covered_m

So the energy of a minute, mean_m x covered_m, is that of its trapezoids to the last bit but rounding. A minute
without an interval has no mean. Shares are kept in single precision; what they lack of prediction - base is spread over
them by size when they are read, so that sums hold in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ascribe.core.attribution import STATUS
from ascribe.serve.now.rings import Columns, Ring

__all__ = ["GAP_US", "MEANS", "MINUTE_US", "Track", "intervals", "shares_of"]

GAP_US = 30_000_000  # moments further apart are not bridged
MINUTE_US = 60_000_000
WORDS = tuple(STATUS)
OK = WORDS.index("ok")
MEANS = ("prediction", "base", "values", "stderr", "group_stderr", "X")  # what a minute keeps the mean of


class Track:
    """`n` features, `g` groups; `moments`, `minutes`: how many are kept. `reason`, `warned`: of the newest moment."""

    def __init__(self, n: int, g: int, moments: int, minutes: int) -> None:
        one: tuple[int, ...] = ()
        plain: dict[str, tuple[tuple[int, ...], Any]] = {
            "t_us": (one, np.int64), "measured": (one, np.float64), "prediction": (one, np.float64),
            "base": (one, np.float64), "version": (one, np.int32), "status": (one, np.int8),
            "values": ((n,), np.float32), "stderr": ((n,), np.float32), "group_stderr": ((g,), np.float32),
            "X": ((n,), np.float32),
        }  # fmt: skip
        self.fine = Ring(moments, plain)
        seconds = dict.fromkeys(("covered_s", "measured_s", "measured_prediction"), (one, np.float64))
        self.coarse = Ring(minutes, plain | seconds)
        self.reason = ""
        self._before: Columns | None = None
        self._minute = -1
        self._sums: dict[str, Any] = {}

    @property
    def newest_us(self) -> int:
        """Time of the newest moment; -1 where there is none."""
        ends = self.fine.ends()
        return ends[1] if ends else -1

    def push(self, rows: Columns, reason: str = "") -> None:
        """Moments (k,) that come after those held; `reason`: of the last of them."""
        self.fine.push(rows)
        self.reason = reason
        held = rows if self._before is None else {n: np.concatenate([self._before[n], rows[n]]) for n in rows}
        self._before = {name: column[-1:].copy() for name, column in rows.items()}
        dt_s, whole, measured = intervals(held)
        minute = held["t_us"][1:] // MINUTE_US
        for m in np.unique(minute).tolist():
            if m != self._minute:
                self._close()
                self._minute = m
            self._add(held, np.flatnonzero((minute == m) & whole), dt_s, measured)

    def _add(self, held: Columns, at: np.ndarray, dt_s: np.ndarray, measured: np.ndarray) -> None:
        """Integrals of intervals `at` into the open minute."""
        if not len(at):
            return
        sums = self._sums
        sums["covered_s"] = sums.get("covered_s", 0.0) + dt_s[at].sum()
        for name in MEANS:
            column = held[name].astype(float)
            between = 0.5 * (column[at] + column[at + 1])
            sums[name] = sums.get(name, 0.0) + np.tensordot(dt_s[at], between, axes=(0, 0))
        read = at[measured[at]]
        for name, of in (("measured", "measured"), ("measured_prediction", "prediction")):
            column = held[of]
            sums[name] = sums.get(name, 0.0) + (dt_s[read] * 0.5 * (column[read] + column[read + 1])).sum()
        sums["measured_s"] = sums.get("measured_s", 0.0) + dt_s[read].sum()
        status = held["status"][at + 1]
        odd = status[status != OK]
        sums["status"] = odd[-1] if len(odd) else sums.get("status", OK)
        sums["version"] = held["version"][at[-1] + 1]

    def _close(self) -> None:
        """The open minute becomes a row of means."""
        sums, self._sums = self._sums, {}
        if not sums:
            return
        covered, read = sums["covered_s"], sums["measured_s"]
        row = {name: np.asarray(sums[name])[None] / covered for name in MEANS}
        for name in ("measured", "measured_prediction"):
            row[name] = np.array([sums[name] / read if read else np.nan])
        row |= {name: np.asarray(sums[name])[None] for name in ("covered_s", "measured_s", "status", "version")}
        row["t_us"] = np.array([self._minute * MINUTE_US + MINUTE_US // 2])
        self.coarse.push(row)

    def split_us(self) -> int:
        """From here on moments are complete, before it minutes are: a minute's beginning, 0 while no moment is gone."""
        ends = self.fine.ends()
        if ends is None or not self.fine.full:
            return 0
        return min(ends[0] // MINUTE_US + 1, self._minute) * MINUTE_US

    def minutes(self, from_us: int, to_us: int) -> Columns:
        """Minutes within a window that lie before the moments held."""
        half = MINUTE_US // 2
        return self.coarse.window(from_us + half, min(to_us, self.split_us()) - half)


def intervals(held: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of moments (k,): seconds of the k - 1 intervals, which of them count, and which of those a meter has read."""
    dt = np.diff(held["t_us"])
    good = np.isfinite(held["prediction"])
    whole = (dt > 0) & (dt <= GAP_US) & good[:-1] & good[1:]
    read = np.isfinite(held["measured"])
    return dt / 1e6, whole, whole & read[:-1] & read[1:]


def shares_of(rows: Columns) -> np.ndarray:
    """Shares (k, n) in double precision that sum to prediction - base: the rest is spread by size."""
    values = rows["values"].astype(float)
    left = rows["prediction"] - rows["base"] - values.sum(axis=1)
    size = np.abs(values)
    total = size.sum(axis=1, keepdims=True)
    n = max(1, values.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(total > 0, size / total, 1.0 / n)
    return np.asarray(values + left[:, None] * weight)
