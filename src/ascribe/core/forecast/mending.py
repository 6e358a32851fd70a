"""Values on a grid -> values that a model may read, with a mark for what was measured and a record of what was done.

The same function stands before training, before a backtest and before an answer online. What it decides about a step
depends on steps before it only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.forecast.calendar import DAY_S
from ascribe.core.forecast.gaps import DAY, HELD, MEASURED, UNKNOWN, WEEK, Rules, fill
from ascribe.core.forecast.mended import Mend
from ascribe.core.forecast.outages import outages
from ascribe.core.forecast.shifts import shifts

__all__ = ["Mended", "mend", "remarks"]


@dataclass(frozen=True, eq=False)
class Mended:
    """values (t, s): NaN where nothing is known; observed (t, s): measured and believed."""

    values: Float[np.ndarray, "t s"]
    observed: Bool[np.ndarray, "t s"]
    mends: tuple[Mend, ...]


def mend(
    names: Sequence[str], start_s: int, step_s: int, values: Float[np.ndarray, "t s"], local_s: Int[np.ndarray, " t"],
    rules: Rules,
) -> Mended:  # fmt: skip
    """Outages are masked, then gaps and outages are filled (`gaps.fill`)."""
    day = max(1, round(DAY_S / step_s))
    masked = np.zeros(values.shape, bool)
    for j in range(len(names)):
        masked[:, j] = outages(values[:, j], rules.still(step_s), day)
    filled, how = fill(values, masked, start_s, step_s, local_s, rules)
    mends = []
    for j, name in enumerate(names):
        for kind, marks in (("outage", masked[:, j]), ("gap", (how[:, j] != MEASURED) & ~masked[:, j])):
            for first, last in _runs(marks):
                of = how[first:last, j]
                rule = _rule(of, values[first, j], last - first, kind)
                at = start_s + step_s * first
                mends.append(Mend(kind, name, at, at + step_s * (last - first - 1), last - first, rule))
    return Mended(filled, how == MEASURED, tuple(mends))


def remarks(
    names: Sequence[str], start_s: int, step_s: int, values: Float[np.ndarray, "t s"], observed: Bool[np.ndarray, "t s"]
) -> list[Mend]:
    """What is told and not changed, looking at the whole: level shifts, series of one value, series that have ended."""
    day = max(1, round(DAY_S / step_s))
    t, found = len(values), []
    for j, name in enumerate(names):
        at = np.flatnonzero(observed[:, j])
        if len(at) < 2:
            whole = (start_s, start_s + step_s * max(t - 1, 0))
            found.append(Mend("dead", name, *whole, t, f"{len(at)} values in all: no window of it is used"))
            continue
        if at[-1] < t - day:
            since = start_s + step_s * (int(at[-1]) + 1)
            rule = "nothing believed since: no window that is less than half measured is used"
            found.append(Mend("dead", name, since, start_s + step_s * (t - 1), t - 1 - int(at[-1]), rule))
        own = values[at, j]
        if own.min() == own.max():
            ends = start_s + step_s * int(at[0]), start_s + step_s * int(at[-1])
            found.append(
                Mend("constant", name, *ends, len(at), f"always {own[0]:g}: kept, nothing to be learnt from it")
            )
            continue
        for step, before, after in shifts(values[:, j], observed[:, j], day):
            moment = start_s + step_s * step
            found.append(
                Mend("shift", name, moment, moment, 1, f"level from {before:.4g} to {after:.4g}: told, not changed")
            )
    return found


def _runs(marks: Bool[np.ndarray, " t"]) -> list[tuple[int, int]]:
    """[first, after the last) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _rule(how: Int[np.ndarray, " r"], value: float, length: int, kind: str) -> str:
    words = {
        HELD: "the last value", WEEK: "the same time a week before", DAY: "the same time a day before",
        UNKNOWN: "unknown, masked",
    }  # fmt: skip
    counts = {word: int((how == code).sum()) for code, word in words.items()}
    said = [word if count == length else f"{count} x {word}" for word, count in counts.items() if count]
    still = f"{value:g} for {length} steps, out of character; " if kind == "outage" else ""
    return still + ", ".join(said)
