"""From recent samples of one series to the window that ends with the newest of them: what an answer online starts from.

The same grid, filling and calendar as in training; a window that training would have left out is refused with its
reason, since a forecast from half a window would be believed like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Int

from ascribe.core.arrays import Float, np
from ascribe.core.durations import in_words
from ascribe.core.errors import InputError
from ascribe.core.forecast.calendar import DAY_S
from ascribe.core.forecast.gaps import MEASURED, Rules, fill
from ascribe.core.forecast.rows import MEASURED as ENOUGH
from ascribe.core.forecast.rows import rows
from ascribe.core.forecast.series import Series, Window

__all__ = ["Clock", "Newest", "Samples", "newest"]

KEPT_DAYS = 35  # of history before the window, for inputs that look further back
NEAR = 0.1  # of a step: how far the usual distance of samples may be from it

Clock = Callable[[int, int, int], np.ndarray]
"""start_s, step_s, count -> wall-clock seconds (count,) of a zone."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Of one series: `time_s (k,)` epoch seconds, in any order; `values (k,)`, NaN: not measured; further inputs."""

    name: str
    time_s: Float[np.ndarray, " k"]
    values: Float[np.ndarray, " k"]
    exogenous: Mapping[str, Float[np.ndarray, " k"]]


@dataclass(frozen=True, eq=False)
class Newest:
    """`row (n,)`: the window; the forecast begins at `start_s`. `filled`: steps of the window that were not measured.
    `note`: what a reader should know of it, or nothing.
    """

    row: Float[np.ndarray, " n"]
    start_s: int
    filled: int
    note: str = ""


def newest(
    samples: Samples, window: Window, clock: Clock, now_s: float, exogenous: tuple[str, ...] = (),
    rules: Rules | None = None,
) -> Newest:  # fmt: skip
    """`now_s`: a newest sample beyond it by more than `rules.ahead_s` is of a wrong clock. Where a step has two samples
    the one given last counts. Raises InputError saying what is wrong and what is wanted.
    """
    rules = rules or Rules()
    time_s, order = _ordered(samples, exogenous)
    if time_s[-1] > now_s + rules.ahead_s:
        raise InputError(
            f"its newest sample is of {_iso(time_s[-1])}, in the future (it is {_iso(now_s)}): send times with their "
            "offset, or seconds since 1970"
        )
    at = _grid(time_s, window)
    steps = int(at[-1]) + 1
    if steps < window.context:
        raise InputError(
            f"its samples cover {in_words(steps * window.step_s)} and this model reads "
            f"{in_words(window.context * window.step_s)}: send older ones too"
        )
    start_s = round(float(time_s[-1])) - (steps - 1) * window.step_s
    local_s = clock(start_s, window.step_s, steps)
    columns = [samples.values, *(samples.exogenous[name] for name in exogenous)]
    laid = np.full((steps, len(columns)), np.nan)
    kept = at >= 0
    for k, column in enumerate(columns):
        laid[at[kept], k] = np.asarray(column, dtype=float)[order][kept]
    values, how = fill(laid, np.zeros(laid.shape, bool), start_s, window.step_s, local_s, rules)
    seen = how[-window.context :, 0] == MEASURED
    _enough(values[-window.context :], seen, start_s + (steps - window.context) * window.step_s, window, exogenous)
    held = Series(
        (samples.name,), start_s, window.step_s, values[:, :1], how[:, :1] == MEASURED, local_s, values[:, None, 1:],
        exogenous,
    )  # fmt: skip
    row = rows(held, window, np.array([[steps, 0]]))[0]
    last = values[-window.context :, 0]
    note = f"every value of its window is {last[0]:g}: nothing to learn from" if np.ptp(last) == 0 else ""
    return Newest(row, start_s + steps * window.step_s, int((~seen).sum()), note)


def _ordered(samples: Samples, exogenous: tuple[str, ...]) -> tuple[Float[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Times in order, and which samples they are."""
    k = len(samples.time_s)
    if missing := [name for name in exogenous if name not in samples.exogenous]:
        raise InputError(f"this model also reads {', '.join(missing)}: send it for each sample")
    for name, column in {"values": samples.values, **samples.exogenous}.items():
        if len(column) != k:
            raise InputError(f"{len(column)} {name} for {k} times: give each sample one, null where none was measured")
        if np.isinf(column).any():
            raise InputError(f"{name} hold an infinite number: send null for what was not measured")
    if not k or not np.isfinite(samples.values).any():
        raise InputError("it has no sample that is a number: nothing was measured, so nothing is forecast")
    if not np.isfinite(samples.time_s).all():
        raise InputError("a time is no finite number")
    order = np.argsort(samples.time_s, kind="stable")
    last = np.flatnonzero(np.isfinite(np.asarray(samples.values, dtype=float)[order]))[-1]
    order = order[: last + 1]  # what comes after the last measurement tells nothing
    return np.asarray(samples.time_s, dtype=float)[order], order


def _grid(time_s: Float[np.ndarray, " k"], window: Window) -> Int[np.ndarray, " k"]:
    """The step of each sample, the newest the last; below 0: older than is kept. Raises InputError for another step."""
    apart = np.diff(np.unique(time_s))
    usual = float(np.median(apart)) if len(apart) else float(window.step_s)
    if abs(usual - window.step_s) > NEAR * window.step_s:
        raise InputError(
            f"its samples come every {in_words(round(usual, 3))} and this model reads one every "
            f"{in_words(window.step_s)}: send such, or train a model of that step"
        )
    before = np.rint((time_s[-1] - time_s) / window.step_s).astype(np.int64)
    most = window.context + KEPT_DAYS * DAY_S // window.step_s
    steps = int(min(before.max() + 1, most))
    return np.where(before < steps, steps - 1 - before, -1)


def _enough(
    values: Float[np.ndarray, "c e"], seen: np.ndarray, start_s: int, window: Window, exogenous: tuple[str, ...]
) -> None:
    """Raises InputError for a window with too little in it."""
    open_ = ~np.isfinite(values)
    if open_.any():
        at, k = (int(part[0]) for part in np.nonzero(open_))
        what = (("values", *exogenous))[k]
        raise InputError(
            f"{what} have a gap that no rule fills, from {_iso(start_s + at * window.step_s)}, "
            f"{in_words(int(open_[:, k].sum()) * window.step_s)} in all: send those samples, or wait until it has passed"
        )
    if seen.mean() < ENOUGH:
        raise InputError(
            f"only {100 * seen.mean():.0f} % of its window was measured, at least {100 * ENOUGH:.0f} % must be: "
            "wait until there is more"
        )


def _iso(time_s: float) -> str:
    return str(np.datetime64(int(time_s), "s")) + "Z"
