"""Windows of series as rows, and what came after them.

    row of (i, j):  steps i - context ... i - 1 of series j, the inputs of a step side by side, step after step

Nothing at or after step i is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jaxtyping import Int

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.durations import steps_in
from ascribe.core.errors import InputError
from ascribe.core.forecast.ago import ago
from ascribe.core.forecast.calendar import CALENDAR, calendar
from ascribe.core.forecast.series import Series, Window

__all__ = ["inputs_of", "is_derived", "origins", "reach", "rows", "targets"]

MEASURED = 0.5  # of a context, and of a target, so much must have been measured: less is no evidence


def origins(
    series: Series, window: Window, first: int, last: int, every: int, target: bool = True
) -> Int[np.ndarray, "o 2"]:
    """(index of the first forecast step, series number), by time and then by series: first, first + every, ...

    With `target` all steps that are forecast lie in first ... last - 1; without, the origin itself lies in
    first ... last, and the forecast may reach past the end of the data. Left out is an origin whose context is not
    whole: it begins before the data, has a step that nothing fills, or less than half of it was measured; and with
    `target` one of whose target less than half was measured.
    """
    if every < 1:
        raise InputError(f"an origin every {every} steps: at least 1")
    stop = min(last, series.steps) - (window.horizon if target else 0)
    at = np.arange(max(first, 0), stop + 1, every, dtype=np.int64)
    at = at[at >= window.context]
    finite = np.ones(series.values.shape, bool)
    for column in _columns(series, window):
        finite &= np.isfinite(column if column.ndim == 2 else column[:, None])
    known = _sums(finite)
    measured = _sums(series.observed)
    whole = known[at] - known[at - window.context] == window.context
    whole &= measured[at] - measured[at - window.context] >= MEASURED * window.context
    if target:
        whole &= measured[at + window.horizon] - measured[at] >= MEASURED * window.horizon
    step, which = np.nonzero(whole)
    return np.stack([at[step], which], axis=1)


def rows(series: Series, window: Window, at: Int[np.ndarray, "o 2"]) -> Float[np.ndarray, "o n"]:
    """Natural units, finite, step-major: n = context x inputs. Raises InputError for a window that is not whole."""
    at = np.asarray(at, dtype=np.int64).reshape(-1, 2)
    _inside(series, at)
    if len(at) and at[:, 0].min() < window.context:
        raise InputError(f"a window begins before the data: the first origin is step {window.context}")
    step = at[:, :1] - window.context + np.arange(window.context)
    X = np.empty((len(at), *window.shape))
    for k, column in enumerate(_columns(series, window)):
        X[:, :, k] = column[step] if column.ndim == 1 else column[step, at[:, 1:]]
    if len(bad := np.flatnonzero(~np.isfinite(X).all(axis=(1, 2)))):
        i, j = at[bad[0]].tolist()
        raise InputError(
            f"{series.names[j]} has steps without a value before step {i}: `origins` leaves such windows out"
        )
    return X.reshape(len(at), window.n)


def targets(series: Series, window: Window, at: Int[np.ndarray, "o 2"]) -> Float[np.ndarray, "o h"]:
    """What was measured after each origin; NaN where nothing was, and past the end of the data."""
    at = np.asarray(at, dtype=np.int64).reshape(-1, 2)
    _inside(series, at)
    step = at[:, :1] + np.arange(window.horizon)
    held = np.minimum(step, max(series.steps - 1, 0))
    there = (step < series.steps) & series.observed[held, at[:, 1:]]
    return np.where(there, series.values[held, at[:, 1:]], np.nan)


def inputs_of(series: Series, window: Window) -> Float[np.ndarray, "t s c"]:
    """The inputs of every step, in the window's order. Beside the default ones and the exogenous columns:

        lag_7d    the value so long before; whole days are days on the wall's clock (lag_1d: same time yesterday)
        mean_6h   mean of the values of the last 6 h, the step itself included

    NaN where the series do not reach back so far. Raises InputError for another name or another step.
    """
    t, s = series.values.shape
    X = np.empty((t, s, len(window.inputs)))
    for k, column in enumerate(_columns(series, window)):
        X[:, :, k] = column if column.ndim == 2 else column[:, None]
    return X


def _columns(series: Series, window: Window) -> Iterator[np.ndarray]:
    """Each input in the window's order: (t, s), or (t,) where all series share it."""
    if window.step_s != series.step_s:
        raise InputError(f"the window has steps of {window.step_s} s, the series of {series.step_s} s")
    moments = dict(zip(CALENDAR, calendar(series.local_s).T, strict=True))
    for name in window.inputs:
        if name == "value":
            yield series.values
        elif name == "observed":
            yield series.observed
        elif name in moments:
            yield moments[name]
        elif name in series.exogenous_names:
            yield series.exogenous[:, :, series.exogenous_names.index(name)]
        else:
            yield _derived(series, name)


def reach(window: Window) -> int:
    """Steps before an origin that its row reads: the context, and how far the derived inputs of its first step go."""
    back = [
        steps_in(found[2], window.step_s, f"input {name}:") for name in window.inputs if (found := is_derived(name))
    ]
    return window.context + max(back, default=0)


def is_derived(name: str) -> re.Match[str] | None:
    """Whether an input is made of the values: what it is, and the span.

    >>> is_derived("lag_7d").groups(), is_derived("mean_temperature")
    (('lag', '7d'), None)
    """
    return re.fullmatch(r"(lag|mean)_(\d+[a-z]+)", name)


def _derived(series: Series, name: str) -> Float[np.ndarray, "t s"]:
    found = is_derived(name)
    if found is None:
        raise InputError(f"no input {name!r}: value, observed, the calendar, exogenous columns, lag_7d, mean_6h")
    kind, back = found[1], steps_in(found[2], series.step_s, f"input {name}:")
    t = series.steps
    X = np.full(series.values.shape, np.nan)
    if kind == "lag":
        before = ago(series.start_s, series.step_s, series.local_s, back * series.step_s)
        X[before >= 0] = series.values[before[before >= 0]]
    elif t >= back:
        for j in range(len(series.names)):
            X[back - 1 :, j] = np.lib.stride_tricks.sliding_window_view(series.values[:, j], (back,)).mean(axis=1)
    return X


def _sums(marks: Bool[np.ndarray, "t s"]) -> Int[np.ndarray, "t1 s"]:
    """How many are true before each step; row t is all of them."""
    return np.concatenate([np.zeros((1, marks.shape[1]), np.int64), np.cumsum(marks, axis=0, dtype=np.int64)])


def _inside(series: Series, at: Int[np.ndarray, "o 2"]) -> None:
    if len(at) and not ((at >= 0) & (at <= (series.steps, len(series.names) - 1))).all():
        raise InputError(f"an origin outside {series.steps} steps of {len(series.names)} series")
