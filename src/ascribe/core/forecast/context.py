"""What is known just now as the row of a window: of samples in a request, or of what the lake's state holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.forecast.calendar import YEARS_S
from ascribe.core.forecast.gaps import Rules, fill
from ascribe.core.forecast.grid import grid, phase_of
from ascribe.core.forecast.mended import Mend
from ascribe.core.forecast.mending import mend
from ascribe.core.forecast.rows import MEASURED, inputs_of, is_derived, reach
from ascribe.core.forecast.series import INPUTS, Series, Window

__all__ = ["Contexts", "Samples", "latest_plain", "of_latest", "of_samples"]

Clock = Callable[[np.ndarray], np.ndarray]
"""Epoch seconds, UTC -> wall-clock seconds of the zone that the model was trained with."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Recent measurements of one series as a caller sends them: epoch seconds, UTC, in any order; NaN is unmeasured.

    What lies before the context serves to fill its gaps: a week more than the context is as good as training had it.
    """

    name: str
    time_s: np.ndarray
    values: np.ndarray
    exogenous: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Contexts:
    """rows (b, n) in natural units; start_s (b,) of the first step that is forecast; status ok or invalid, and the
    reason; measured (b,): share of the context that was measured; what was mended. A row that is invalid is all 0.
    """

    rows: Float[np.ndarray, "b n"]
    start_s: np.ndarray
    status: np.ndarray
    reasons: tuple[str, ...]
    measured: Float[np.ndarray, " b"]
    mends: tuple[Mend, ...]


def of_samples(
    sent: Sequence[Samples], window: Window, local: Clock, now_s: int | float, start_s: int | None = None,
) -> Contexts:  # fmt: skip
    """Each series apart, by the rules of training: on the grid, outages masked, gaps filled, all looking backward.

    `start_s`: first step to be forecast, else the step after the last sample. Samples at or after it are not looked at.
    One later than `now_s` and a little (`rules.ahead_s`) makes its series invalid: a clock is wrong there.

    Raises InputError for samples whose arrays do not agree. A bad series is a status of its row.
    """
    rules, mends = Rules(), list[Mend]()
    found: list[Series | _Bad] = []
    for samples in sent:
        try:
            series, done = _series_of(samples, window, local, now_s, rules, start_s)
        except _Bad as exc:
            found.append(exc)
        else:
            found.append(series)
            mends += done
    return _contexts(found, window, mends)


def latest_plain(series: Series, j: int, steps: int) -> dict[str, Any]:
    """The newest steps (`rows.reach` says how many) of a mended series for the state beside a lake; None: unknown."""
    part = series.cut(max(0, series.steps - steps), series.steps)

    def listed(column: np.ndarray) -> list[float | None]:
        return [float(v) if np.isfinite(v) else None for v in column]

    return {
        "series": series.names[j],
        "start_s": part.start_s,
        "step_s": part.step_s,
        "unit": part.unit,
        "values": listed(part.values[:, j]),
        "observed": part.observed[:, j].tolist(),
        "exogenous": {name: listed(part.exogenous[:, j, e]) for e, name in enumerate(part.exogenous_names)},
    }


def of_latest(held: Sequence[Mapping[str, Any]], window: Window, local: Clock) -> Contexts:
    """Rows of what `latest_plain` left: bit for bit what `rows` makes of the same steps."""
    return _contexts([_read(record, local) for record in held], window, ())


class _Bad(Exception):
    """Why one series gives no row."""

    def __init__(self, series: str, reason: str) -> None:
        super().__init__(reason)
        self.series = series


def _series_of(
    samples: Samples, window: Window, local: Clock, now_s: int | float, rules: Rules, start_s: int | None
) -> tuple[Series, tuple[Mend, ...]]:
    name, step_s = samples.name, window.step_s
    time_s, values = np.asarray(samples.time_s, float), np.asarray(samples.values, float)
    wanted = [column for column in window.inputs if column in samples.exogenous]
    columns = [values, *(np.asarray(samples.exogenous[column], float) for column in wanted)]
    for what, column in zip(("values", *(f"values of {column}" for column in wanted)), columns, strict=True):
        if time_s.ndim != 1 or column.shape != time_s.shape:
            raise InputError(
                f"{name}: {len(time_s)} times and {what} of shape {column.shape}: send one value for each time"
            )
    if not np.isfinite(time_s).all() or np.isinf(values).any():
        raise _Bad(name, "a time or a value is no number")
    if (ahead := time_s > now_s + rules.ahead_s).any():
        raise _Bad(name, f"{int(ahead.sum())} of {len(time_s)} times lie in the future: set its clock")
    if (before := time_s < YEARS_S[0]).any():
        raise _Bad(name, f"{int(before.sum())} of {len(time_s)} times lie before the year 1: set its clock")
    phase = phase_of(time_s, step_s)
    if start_s is not None:
        phase = start_s % step_s
        before = np.floor((time_s - phase) / step_s + 0.5) < (start_s - phase) // step_s
        time_s, columns = time_s[before], [column[before] for column in columns]
    if not len(time_s):
        raise _Bad(name, "no sample before the first step to be forecast")
    end_s = (
        start_s if start_s is not None else int(np.floor((time_s.max() - phase) / step_s + 0.5) + 1) * step_s + phase
    )
    recent = time_s >= end_s - step_s * 2 * max(reach(window), 7 * window.day)  # enough to fill by
    zero = np.zeros(int(recent.sum()), np.int64)
    first_s = int(np.floor((time_s[recent].min() - phase) / step_s + 0.5)) * step_s + phase if len(zero) else end_s
    if first_s > end_s - step_s * window.context:
        have, need = (end_s - first_s) // step_s, window.context
        raise _Bad(name, f"{have} steps before the forecast, {need} are the context: send older samples too")
    on = [grid([name], zero, time_s[recent], column[recent], step_s, phase, (first_s, end_s)) for column in columns]
    local_s = local(first_s + step_s * np.arange(len(on[0].values), dtype=np.int64))
    done = mend([name], first_s, step_s, on[0].values, local_s, rules)
    never = np.zeros(done.values.shape, bool)
    filled = [fill(held.values, never, first_s, step_s, local_s, rules)[0] for held in on[1:]]
    extra = np.stack(filled, axis=2) if filled else np.zeros((*never.shape, 0))
    series = Series((name,), first_s, step_s, done.values, done.observed, local_s, extra, tuple(wanted))
    return series, (*on[0].mends, *done.mends)


def _read(record: Mapping[str, Any], local: Clock) -> Series:
    values = np.array(record["values"], float)[:, None]  # None becomes NaN
    local_s = local(record["start_s"] + record["step_s"] * np.arange(len(values), dtype=np.int64))
    exogenous = record["exogenous"]
    extra = np.zeros((*values.shape, len(exogenous)))
    for e, column in enumerate(exogenous.values()):
        extra[:, 0, e] = np.array(column, float)
    observed = np.array(record["observed"], bool)[:, None]
    return Series(
        (record["series"],), record["start_s"], record["step_s"], values, observed, local_s, extra, tuple(exogenous),
        record["unit"],
    )  # fmt: skip


def _contexts(found: Sequence[Series | _Bad], window: Window, mends: Sequence[Mend]) -> Contexts:
    """Of the last `context` steps of each; series that end together are laid out together."""
    b, steps = len(found), reach(window)
    X, starts, measured = np.zeros((b, window.n)), np.zeros(b, np.int64), np.zeros(b)
    reasons = [""] * b
    together: dict[tuple[int, int, tuple[str, ...]], list[tuple[int, Series]]] = {}
    for i, one in enumerate(found):
        if isinstance(one, _Bad):
            reasons[i] = str(one)
        elif not (reason := _short(one, window)):
            starts[i] = one.start_s + one.steps * one.step_s
            part = one.cut(max(0, one.steps - steps), one.steps)
            together.setdefault((part.start_s, part.steps, part.exogenous_names), []).append((i, part))
        else:
            reasons[i] = reason
    for group in together.values():
        inputs = inputs_of(_joined([part for _, part in group]), window)[-window.context :]
        for j, (i, part) in enumerate(group):
            share = float(part.observed[-window.context :, 0].mean())
            unknown = int((~np.isfinite(inputs[:, j])).any(axis=1).sum())
            if share < MEASURED:
                reasons[i] = f"{share:.0%} of its context was measured, {MEASURED:.0%} is the least"
            elif unknown:
                reasons[i] = f"{unknown} of {window.context} steps of its context are unknown, and no rule fills them"
            else:
                X[i], measured[i] = inputs[:, j].ravel(), share
    starts[[bool(reason) for reason in reasons]] = 0
    names = [one.series if isinstance(one, _Bad) else one.names[0] for one in found]
    status = np.array(["invalid" if reason else "ok" for reason in reasons], dtype="<U13")
    said = tuple(reason and f"{name}: {reason}" for name, reason in zip(names, reasons, strict=True))
    return Contexts(X, starts, status, said, measured, tuple(mends))


def _short(series: Series, window: Window) -> str:
    """Why a series is no context at all; "" where it may be one."""
    if series.step_s != window.step_s:
        return f"steps of {series.step_s} s, the model has steps of {window.step_s} s"
    if series.steps < window.context:
        return f"{series.steps} steps are known, {window.context} are the context"
    known = {*INPUTS, *series.exogenous_names}
    if missing := [column for column in window.inputs if column not in known and not is_derived(column)]:
        return f"no values of {', '.join(missing)}, which the model reads"
    return ""


def _joined(parts: Sequence[Series]) -> Series:
    """Series of the same steps as one."""
    first = parts[0]
    return Series(
        tuple(str(j) for j in range(len(parts))), first.start_s, first.step_s,
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.observed for part in parts], axis=1), first.local_s,
        np.concatenate([part.exogenous for part in parts], axis=1), first.exogenous_names, first.unit,
    )  # fmt: skip
