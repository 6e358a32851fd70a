"""What stands in for values that were not measured."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.durations import in_words
from ascribe.core.forecast.ago import ago
from ascribe.core.forecast.calendar import DAY_S

__all__ = ["DAY", "HELD", "MEASURED", "UNKNOWN", "WEEK", "Rules", "fill"]

MEASURED, HELD, WEEK, DAY, UNKNOWN = range(5)
WEEK_S = 7 * DAY_S


@dataclass(frozen=True)
class Rules:
    """`short_s`: for so long the last value is held. `still_s`, `still_steps`: a run of one value is believed for at
    least so long, whichever is more. `ahead_s`: a time so far in the future is still a clock that runs fast.
    """

    short_s: int = 3600
    still_s: int = 1800
    still_steps: int = 6
    ahead_s: int = 300

    def short(self, step_s: int) -> int:
        """Steps that are held."""
        return self.short_s // step_s

    def still(self, step_s: int) -> int:
        """Steps of one value that are believed."""
        return max(self.still_steps, -(-self.still_s // step_s))

    def in_words(self) -> str:
        """How gaps are filled, for a bundle's record."""
        return (
            f"the last value for {in_words(self.short_s)}, then the same time a week before if it was measured, "
            "else a day before, else unknown"
        )


def fill(
    values: Float[np.ndarray, "t s"], masked: Bool[np.ndarray, "t s"], start_s: int, step_s: int,
    local_s: Int[np.ndarray, " t"], rules: Rules,
) -> tuple[Float[np.ndarray, "t s"], Int[np.ndarray, "t s"]]:  # fmt: skip
    """Values with the gaps (NaN) and the `masked` steps filled, and how: MEASURED, HELD, WEEK, DAY or UNKNOWN (NaN).

    All look backward. A straight line to the value after a gap would be nearer, but a forecast from inside the gap
    does not have that value, and a row must not know what comes after its origin. What is masked is never held: the
    value before it is part of what is not believed.
    """
    t = len(values)
    measured = np.isfinite(values) & ~masked
    k = np.arange(t)[:, None]
    last = np.maximum.accumulate(np.where(measured, k, -1), axis=0)
    held = ~masked & (last >= 0) & (k - last <= rules.short(step_s))
    filled, how = np.where(measured, values, np.nan), np.where(measured, MEASURED, UNKNOWN)
    column = np.arange(values.shape[1])[None, :]
    open_ = ~measured & held
    filled[open_], how[open_] = values[np.maximum(last, 0), column][open_], HELD
    for back_s, name in ((WEEK_S, WEEK), (DAY_S, DAY)):
        before = ago(start_s, step_s, local_s, back_s)[:, None]
        there = (how == UNKNOWN) & (before >= 0) & measured[np.maximum(before[:, 0], 0)]
        filled[there], how[there] = values[np.maximum(before, 0), column][there], name
    return filled, how
