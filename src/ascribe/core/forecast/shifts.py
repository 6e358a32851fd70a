"""Lasting changes of level: found and told, never changed."""

from __future__ import annotations

from ascribe.core.arrays import Bool, Float, np

__all__ = ["shifts"]

DAYS = 7  # compared on each side: every weekday once
LEAST = 4  # of them measured
FACTOR = 4.0  # times the usual distance of a day from the level of its side
SHARE = 0.25  # of the level, at least


def shifts(
    values: Float[np.ndarray, " t"], observed: Bool[np.ndarray, " t"], day: int
) -> list[tuple[int, float, float]]:
    """(first step, level before, level after) of each shift.

    A level is the median of seven daily medians; days are counted from the first step. On the two sides of a day's edge
    the levels must differ by more than a quarter of the larger one, and by more than four times the median distance of
    the fourteen days from the level of their side. Of neighbours the largest change counts. Days of which less than
    half was measured are not compared; fewer than 14 days tell nothing.
    """
    days = len(values) // day
    if days < 2 * DAYS:
        return []
    held = np.where(observed, values, np.nan)[: days * day].reshape(days, day)
    some = np.isfinite(held).mean(axis=1) >= 0.5
    daily = np.full(days, np.nan)
    daily[some] = np.nanmedian(held[some], axis=1)
    edges = range(DAYS, days - DAYS + 1)
    before, after, usual = np.array([_sides(daily[e - DAYS : e], daily[e : e + DAYS]) for e in edges]).T
    change = np.abs(after - before)
    large = change > np.maximum(FACTOR * usual, SHARE * np.maximum(np.abs(before), np.abs(after)))
    found = []
    while large.any():
        top = int(np.argmax(np.where(large, change, -1.0)))
        found.append((edges[top] * day, float(before[top]), float(after[top])))
        large[max(0, top - DAYS + 1) : top + DAYS] = False
    return sorted(found)


def _sides(before: Float[np.ndarray, " d"], after: Float[np.ndarray, " d"]) -> tuple[float, float, float]:
    """Both levels, and how far a day usually lies from its own; NaN where fewer than four days of a side count."""
    if min(np.isfinite(before).sum(), np.isfinite(after).sum()) < LEAST:
        return np.nan, np.nan, np.nan
    levels = float(np.nanmedian(before)), float(np.nanmedian(after))
    far = np.concatenate([before - levels[0], after - levels[1]])
    return *levels, float(np.nanmedian(np.abs(far)))
