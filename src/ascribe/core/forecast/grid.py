"""Samples at the times that clocks gave them -> values on one regular grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int

from ascribe.core.arrays import Float, np
from ascribe.core.durations import in_words
from ascribe.core.errors import InputError
from ascribe.core.forecast.mended import Mend

__all__ = ["Grid", "grid", "phase_of", "step_of"]

NEAR = (0.75, 1.5)  # times the step asked for: where the usual distance of samples lies
LARGEST = 50_000_000  # numbers of a grid: 400 MB


@dataclass(frozen=True, eq=False)
class Grid:
    """values (t, s): NaN where no sample fell on a step; start and step in seconds; what was done to get there."""

    start_s: int
    step_s: int
    values: Float[np.ndarray, "t s"]
    mends: tuple[Mend, ...]


def step_of(time_s: Float[np.ndarray, " k"], which: Int[np.ndarray, " k"], wanted_s: int | None = None) -> int:
    """The step of the samples: the most frequent distance of neighbours in a series, in whole seconds; `wanted_s` if it
    is that, or if the median distance lies within 0.75 ... 1.5 of it. Raises InputError that names the step that the
    data has.
    """
    order = np.lexsort((time_s, which))
    distance = np.diff(time_s[order])[np.diff(which[order]) == 0]
    distance = distance[distance > 0]
    if not len(distance):
        if wanted_s is not None:
            return wanted_s
        raise InputError("no series has two different times: there is no step to be found; name it with --step")
    whole, count = np.unique(np.round(distance), return_counts=True)
    usual, share = int(max(whole[np.argmax(count)], 1)), count.max() / count.sum()
    if wanted_s is None:
        return usual
    middle = float(np.median(distance))
    if usual != wanted_s and not NEAR[0] * wanted_s <= middle <= NEAR[1] * wanted_s:
        raise InputError(
            f"the data has a step of {in_words(usual)} ({share:.0%} of neighbours), not {in_words(wanted_s)}: "
            f"say --step {in_words(usual)}, or average it before"
        )
    return wanted_s


def phase_of(time_s: Float[np.ndarray, " k"], step_s: int) -> int:
    """Seconds by which the grid lies after whole steps since 1970: what more than half of the samples agree on, else 0.

    >>> phase_of(np.array([62.0, 122.0, 185.0]), 60)
    2
    """
    late, count = np.unique(np.round(np.mod(time_s, step_s)).astype(np.int64) % step_s, return_counts=True)
    return int(late[np.argmax(count)]) if len(late) and count.max() * 2 > len(time_s) else 0


def grid(
    names: Sequence[str], which: Int[np.ndarray, " k"], time_s: Float[np.ndarray, " k"],
    values: Float[np.ndarray, " k"], step_s: int, phase_s: int = 0, span: tuple[int, int] | None = None,
) -> Grid:  # fmt: skip
    """`values[i]` of series `which[i]` at `time_s[i]`, in the order in which they came; NaN: said to be unmeasured.

    A time is that of the nearest step. Samples of one step of one series: equal ones count once, of others the mean is
    taken, in the order of their size, so that the order in which they came changes nothing. `span`: first step and
    the step after the last, epoch seconds; else from the first number to the last.

    Raises InputError where the grid would not fit memory.
    """
    step = np.floor((time_s - phase_s) / step_s + 0.5).astype(np.int64)
    known = step[finite] if (finite := np.isfinite(values)).any() else step
    first, end = (known.min(), known.max() + 1) if span is None else [(edge - phase_s) // step_s for edge in span]
    t, s = int(end - first), len(names)
    if t * s > LARGEST:
        raise InputError(f"{t} steps of {in_words(step_s)} for {s} series are too many: take the last days with --last")
    start_s = int(first * step_s + phase_s)
    mends = [*_order(names, which, time_s), *_snapped(names, which, time_s, step * step_s + phase_s, step_s)]
    inside = (step >= first) & (step < end) & finite
    cell, value = ((step - first) * s + which)[inside], np.asarray(values, float)[inside]
    order = np.lexsort((value, cell))
    cell, value = cell[order], value[order]
    new_cell = np.concatenate([[True], cell[1:] != cell[:-1]])[: len(cell)]
    fresh = new_cell | np.concatenate([[True], value[1:] != value[:-1]])[: len(cell)]
    mends += _duplicates(names, cell, new_cell, fresh, start_s, step_s)
    cell, value = cell[fresh], value[fresh]
    held = np.full(t * s, np.nan)
    places, begin, count = np.unique(cell, return_index=True, return_counts=True)
    held[places] = value[begin]
    for place, i, c in zip(places[count > 1], begin[count > 1], count[count > 1], strict=True):
        held[place] = value[i : i + c].mean()
    return Grid(start_s, step_s, held.reshape(t, s), tuple(mends))


def _order(names: Sequence[str], which: Int[np.ndarray, " k"], time_s: Float[np.ndarray, " k"]) -> list[Mend]:
    """Samples that came after a later one of their series: sorted."""
    by_series = np.argsort(which, kind="stable")
    time, series = time_s[by_series], which[by_series]
    late = np.zeros(len(time), bool)
    for j in range(len(names)):
        own = slice(*np.searchsorted(series, [j, j + 1]))
        if own.stop > own.start:
            late[own] = time[own] < np.maximum.accumulate(time[own])
    return _each(
        names, series[late], time[late], "order", "came after a later one (a clock set back, or rows mixed): sorted"
    )


def _snapped(
    names: Sequence[str], which: Int[np.ndarray, " k"], time_s: Float[np.ndarray, " k"], at_s: Int[np.ndarray, " k"],
    step_s: int,
) -> list[Mend]:  # fmt: skip
    off = np.abs(time_s - at_s) >= 0.5
    far = float(np.abs(time_s - at_s).max(initial=0))
    rule = f"off the grid of {in_words(step_s)} by up to {far:.0f} s: taken as the nearest step"
    return _each(names, which[off], time_s[off], "snapped", rule)


def _duplicates(
    names: Sequence[str], cell: Int[np.ndarray, " k"], new_cell: np.ndarray, fresh: np.ndarray, start_s: int,
    step_s: int,
) -> list[Mend]:  # fmt: skip
    found = []
    for more, rule in ((~fresh, "the same again: counted once"), (fresh & ~new_cell, "another value: their mean")):
        at = cell[more]
        found += _each(names, at % len(names), start_s + step_s * (at // len(names)), "duplicate", rule)
    return found


def _each(names: Sequence[str], which: np.ndarray, time_s: np.ndarray, kind: str, rule: str) -> list[Mend]:
    """One record a series."""
    found = []
    for j in np.unique(which).tolist():
        own = time_s[which == j]
        found.append(Mend(kind, names[j], int(own.min()), int(own.max()), len(own), rule))
    return found
