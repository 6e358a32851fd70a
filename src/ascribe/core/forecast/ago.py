"""The same time on the clock some days before."""

from __future__ import annotations

from jaxtyping import Int

from ascribe.core.arrays import np
from ascribe.core.forecast.calendar import DAY_S

__all__ = ["ago"]


def ago(start_s: int, step_s: int, local_s: Int[np.ndarray, " t"], back_s: int) -> Int[np.ndarray, " t"]:
    """Index of the step `back_s` seconds before each step; -1 where there is none.

    Whole days are days on the wall: yesterday at eight is eight o'clock, 23 or 25 hours ago where daylight saving
    changed in between. Never the step itself nor a later one.
    """
    k = np.arange(len(local_s))
    lag, rest = divmod(back_s, step_s)
    if rest or not lag:
        return np.full(len(k), -1)
    before = k - lag
    if back_s % DAY_S == 0:
        offset = np.asarray(local_s, np.int64) - (start_s + step_s * k)
        moved, part = np.divmod(offset - offset[np.maximum(before, 0)], step_s)
        before = before + np.where((part == 0) & (before >= 0), moved, 0)
    return np.where((before >= 0) & (before < k), before, -1)
