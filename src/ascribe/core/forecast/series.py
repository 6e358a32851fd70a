"""Several series on one regular grid, and the window that makes a row of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import InputError
from ascribe.core.forecast.calendar import CALENDAR, DAY_S

__all__ = ["INPUTS", "Series", "Window", "window_of"]

INPUTS = ("value", "observed", *CALENDAR)


@dataclass(frozen=True, eq=False)
class Series:
    """values[i, j] is of series j at start_s + i * step_s (epoch seconds, UTC), in `unit`.

    values (t, s)        NaN where nothing is known and no rule has filled
    observed (t, s)      measured and believed; False where filled or masked
    local_s (t,)         wall-clock seconds of the series' zone at each step: daylight saving is in it
    exogenous (t, s, e)  further inputs, e may be 0, named by `exogenous_names`

    Raises InputError where shapes do not agree.
    """

    names: tuple[str, ...]
    start_s: int
    step_s: int
    values: Float[np.ndarray, "t s"]
    observed: Bool[np.ndarray, "t s"]
    local_s: Int[np.ndarray, " t"]
    exogenous: Float[np.ndarray, "t s e"]
    exogenous_names: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        t, s = self.values.shape
        if self.step_s <= 0:
            raise InputError(f"a step of {self.step_s} s: give one above 0")
        if len(self.names) != s or self.observed.shape != (t, s) or self.local_s.shape != (t,):
            raise InputError(f"{len(self.names)} names and {t} steps of {s} series do not agree with their marks")
        if self.exogenous.shape != (t, s, len(self.exogenous_names)):
            raise InputError(f"exogenous {self.exogenous.shape}: must be {(t, s, len(self.exogenous_names))}")

    @property
    def steps(self) -> int:
        """t: how long the grid is."""
        return len(self.values)

    @property
    def time_s(self) -> Int[np.ndarray, " t"]:
        """Of every step, epoch seconds, UTC."""
        return self.start_s + self.step_s * np.arange(self.steps, dtype=np.int64)

    def at(self, time_s: int | float) -> int:
        """The first step at or after a moment; 0 ... t."""
        return int(np.clip(-((self.start_s - time_s) // self.step_s), 0, self.steps))

    def cut(self, first: int, last: int) -> Series:
        """Steps first ... last - 1 as a series of its own."""
        return Series(
            self.names, self.start_s + first * self.step_s, self.step_s, self.values[first:last],
            self.observed[first:last], self.local_s[first:last], self.exogenous[first:last], self.exogenous_names,
            self.unit,
        )  # fmt: skip


@dataclass(frozen=True)
class Window:
    """`context` steps are seen and `horizon` steps forecast; `inputs` are the columns of one step, the value first."""

    context: int
    horizon: int
    step_s: int
    inputs: tuple[str, ...] = INPUTS

    def __post_init__(self) -> None:
        if min(self.context, self.horizon, self.step_s) < 1:
            raise InputError(f"context {self.context}, horizon {self.horizon}, step {self.step_s} s: each at least 1")
        if not self.inputs or self.inputs[0] != "value" or len(set(self.inputs)) != len(self.inputs):
            raise InputError("inputs of a window: 'value' first, and each name once")

    @property
    def day(self) -> int:
        """Steps of a day, at least 1; rounded where a step does not divide it."""
        return max(1, round(DAY_S / self.step_s))

    @property
    def n(self) -> int:
        """Numbers of a row: context x inputs, step after step."""
        return self.context * len(self.inputs)

    @property
    def shape(self) -> tuple[int, int]:
        """Of a row that is not flat: (context, inputs)."""
        return self.context, len(self.inputs)


def window_of(
    series: Series, context: int, horizon: int, exogenous: Sequence[str] | None = None, derived: Sequence[str] = ()
) -> Window:
    """The default inputs: value, observed, calendar, then the exogenous columns (all of the series' own unless said),
    then `derived` ones by name, `lag_7d` or `mean_6h` (see rows).

    Raises InputError for a column that the series do not have.
    """
    chosen = series.exogenous_names if exogenous is None else tuple(exogenous)
    if unknown := [name for name in chosen if name not in series.exogenous_names]:
        raise InputError(
            f"exogenous {', '.join(unknown)}: the series have {', '.join(series.exogenous_names) or 'none'}"
        )
    return Window(context, horizon, series.step_s, (*INPUTS, *chosen, *derived))
