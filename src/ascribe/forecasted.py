"""A forecast from data at hand: the newest windows of series, their curves as a table, and what explains them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ascribe.bundle.forecast import Forecaster
from ascribe.core.answer import Answer
from ascribe.core.arrays import evenly
from ascribe.core.attention import matrices
from ascribe.core.durations import in_words
from ascribe.core.errors import InputError
from ascribe.core.explainers import available, explain
from ascribe.core.faithfulness.attended import Attended, attention_check
from ascribe.core.forecast import Series, origins, rows
from ascribe.core.forecast.rows import MEASURED
from ascribe.core.matched import usual_baseline
from ascribe.core.options import Options
from ascribe.core.spending import players

if TYPE_CHECKING:
    from ascribe.report.forecast import Curve

__all__ = ["Curves", "Windows", "checked", "curves_of", "drawn", "explained", "fits", "newest"]

CHECKED, EACH = 4, 4  # windows whose attention is checked, and coalitions for each player of them
GRADIENT, SAMPLED = "integrated_gradients", "kernel_shap"


@dataclass(frozen=True, eq=False)
class Windows:
    """`at (o, 2)`: first step that is forecast and number of the series; `rows (o, n)`; `refused`: series without a
    window, and why.
    """

    at: np.ndarray
    rows: np.ndarray
    names: tuple[str, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Curves:
    """Of each window (o, h): `time_s` epoch seconds; `forecast`, `lower`, `upper` in the series' unit."""

    time_s: np.ndarray
    forecast: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def columns(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Long: one line for each window and step; `names` of the windows' series, where the data has several."""
        h = self.forecast.shape[1]
        told: dict[str, Any] = {"series": np.repeat(np.array(names, dtype=object), h)} if names else {}
        moments = [datetime.fromtimestamp(int(at), UTC) for at in self.time_s.reshape(-1)]
        lines = {name: getattr(self, name).reshape(-1) for name in ("forecast", "lower", "upper")}
        return told | {"time": moments} | lines


def fits(series: Series, forecaster: Forecaster) -> None:
    """Raises InputError for series of another step, or without an input that the model reads."""
    window = forecaster.window
    if series.step_s != window.step_s:
        raise InputError(
            f"the data has a step of {in_words(series.step_s)} and the model one of {in_words(window.step_s)}: "
            "average it before, or train a model of that step"
        )
    if missing := [name for name in forecaster.curves.exogenous if name not in series.exogenous_names]:
        raise InputError(
            f"the model reads {', '.join(missing)}, which the data does not give: name it with --exogenous"
        )


def newest(forecaster: Forecaster, series: Series, at_s: float | None = None) -> Windows:
    """The windows that end with the newest step of the data, or with the last one before `at_s` (epoch seconds).

    Raises InputError where there is none, saying why.
    """
    fits(series, forecaster)
    window = forecaster.window
    end = series.steps if at_s is None else series.at(at_s)
    if end < window.context:
        raise InputError(
            f"{in_words(end * series.step_s)} of data before the forecast, the model reads "
            f"{in_words(window.context * series.step_s)}: give more"
        )
    at = origins(series, window, end, end, 1, target=False)
    there = set(at[:, 1].tolist())
    refused = {n: _why(series, window.context, end, j) for j, n in enumerate(series.names) if j not in there}
    if not len(at):
        first = next(iter(refused.items()))
        raise InputError(f"no window can be forecast: {first[0]}: {first[1]}")
    return Windows(at, rows(series, window, at), tuple(series.names[j] for j in at[:, 1].tolist()), refused)


def curves_of(forecaster: Forecaster, series: Series, windows: Windows) -> Curves:
    """The curves of windows, with the moments of their steps."""
    forecast, lower, upper = forecaster.forecast(windows.rows)
    steps = windows.at[:, :1] + np.arange(forecaster.window.horizon)
    return Curves(series.start_s + series.step_s * steps, forecast, lower, upper)


def explained(
    forecaster: Forecaster, windows: Windows, output: str = "peak", method: str | None = None,
    options: Options | None = None, step: Callable[[], None] | None = None,
) -> Answer:  # fmt: skip
    """What each input on each day accounts for, with the attention of the same windows where the model shows it.

    By the gradient where the model has one, else by sampled coalitions; against windows of the same time of the week
    where it has such, unless `options` name a baseline. Raises as `explainers.explain`.
    """
    model = forecaster.model.choose(output)
    method = method or (GRADIENT if GRADIENT in available(model) else SAMPLED)
    options = options or Options(baseline=usual_baseline(model))
    answer = explain(model, windows.rows, method, options, step)
    seen = matrices(model, windows.rows) if model.attention is not None else None
    return Answer(answer, (), windows.names, seen)


def checked(
    forecaster: Forecaster, series: Series, output: str = "peak", windows: int = CHECKED, seed: int = 0,
    step: Callable[[str], None] | None = None,
) -> Attended:  # fmt: skip
    """Attention against attributions on so many windows, evenly spread over the data, the newest among them.

    Raises CapabilityError for a model without attention to the days of a window.
    """
    window = forecaster.window
    first = window.context + max(0, series.steps - window.context) % window.horizon  # so that the newest is met
    at = origins(series, window, first, series.steps, window.horizon, target=False)
    X = rows(series, window, at[evenly(len(at), windows)])
    model = forecaster.model.choose(output)
    options = Options(baseline=usual_baseline(model), seed=seed)
    spent = EACH * players(model, options)
    return attention_check(model, X, output, options=replace(options, budget=spent), step=step)


def drawn(forecaster: Forecaster, series: Series, windows: Windows) -> list[Curve]:
    """The curves after their windows, for a picture: with what came where the data knows it."""
    from ascribe.report.forecast import MOST, Curve

    held, context, h = curves_of(forecaster, series, windows), forecaster.window.context, forecaster.window.horizon
    found = []
    for k, (end, j) in enumerate(windows.at[:MOST].tolist()):
        measured = np.where(series.observed[:, j], series.values[:, j], np.nan)
        later, true = measured[end : end + h], np.full(h, np.nan)
        true[: len(later)] = later
        found.append(
            Curve(
                windows.names[k], held.time_s[k], held.forecast[k], measured[end - context : end],
                true if np.isfinite(true).any() else None, held.lower[k], held.upper[k], float(series.step_s),
            )
        )  # fmt: skip
    return found


def _why(series: Series, context: int, end: int, j: int) -> str:
    values, seen = series.values[end - context : end, j], series.observed[end - context : end, j]
    share = float(seen.mean())
    if not share:
        return "nothing of its window was measured: the series is dead"
    if share < MEASURED:
        return f"{share:.0%} of its window was measured, at least {MEASURED:.0%} must be"
    unknown = int((~np.isfinite(values)).sum())
    if unknown:
        return f"{in_words(unknown * series.step_s)} of its window are unknown, and no rule fills them"
    return "an input of its window is unknown"
