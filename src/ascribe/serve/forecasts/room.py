"""The room of forecasts: recent samples become windows, curves are asked in batches, and what explains them beside.

samples -> window (each series alone) -> batch -> curves;  attention, attributions of the same windows on demand
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ascribe.bundle.zones import Clock, clock
from ascribe.core.attribution import Attribution
from ascribe.core.durations import in_words
from ascribe.core.errors import AscribeError, CapabilityError, InputError
from ascribe.core.explainers import EXPLAINERS, available
from ascribe.core.forecast.context import Contexts, of_latest, of_samples
from ascribe.core.forecast.curves import Curves
from ascribe.core.forecast.grid import NEAR
from ascribe.core.matched import usual_baseline
from ascribe.core.model import Model
from ascribe.core.words import quoted
from ascribe.serve import codec, kinds, work
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.aside import aside
from ascribe.serve.cards.served import SeriesCard
from ascribe.serve.faults import InvalidRowsError
from ascribe.serve.forecasts import codec as forecast_codec
from ascribe.serve.forecasts.codec import WHAT, Given
from ascribe.serve.forecasts.messages import Forecast, ForecastAsked, ForecastResponse, ForecastWish
from ascribe.serve.messages import AttributionAsked, MethodOptions
from ascribe.serve.observe.log import noted
from ascribe.serve.pictures import narrow_enough
from ascribe.serve.rows import Checked
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings
from ascribe.serve.tickets import Kind, Step
from ascribe.serve.weight import weight

__all__ = ["Forecasting"]

MOST, ROW_S = 128, 1e-3  # windows of a call, and the time of one of them, about
PATH, SAMPLED = "integrated_gradients", "kernel_shap"  # how a forecast is explained where nobody says how


class Forecasting:
    """Answers with the versions, queues and limits of `service`. `clock`: now, seconds since 1970."""

    def __init__(self, service: Service, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._service, self._settings, self._clock = service, settings, clock

    @noted
    async def forecast(
        self, asked: ForecastAsked, series: list[Given], caller: Caller = ANYBODY, within_s: float | None = None
    ) -> ForecastResponse:
        """A curve for each series that can be answered; the others have a status and a reason. `within_s`: seconds that
        the caller waits.

        Raises InputError (InvalidRowsError where no series can be answered, TooLargeError), CapabilityError for a model
        that does not forecast or does not offer what is wanted, and as `Service.predict`.
        """
        start, service = time.perf_counter(), self._service
        caller = require(caller, "explain" if asked.attention or asked.attribution else "predict")
        lease = service.versions.lease(asked.model, asked.version, asked.labels)
        codec.check_rows_limit(len(series), self._settings.max_rows, what=WHAT, field=WHAT)
        model, curves = lease.model, lease.model.curves
        if curves is None:
            raise CapabilityError(f"{lease.name} {lease.version} does not forecast: ask /v1/predictions")
        if asked.attention and model.attention is None:
            raise CapabilityError(f"{lease.name} {lease.version} shows no attention: leave attention out")
        narrow_enough(len(series), model.layout)
        wish = None if asked.attribution is None else self._wish(model, asked.attribution)
        service.rates.take(caller, len(series))
        series = [await self._looked_up(one) if one.latest else one for one in series]
        found: list[Contexts | None] = []

        def read() -> Checked:
            checked, windows = _windows(series, model, curves, self._clock())
            found.extend(windows)
            return checked

        reading = work.Reading(8 * len(series) * model.layout.n, weight(len(series), model.layout), read)
        answering = ("predict", service.predicting, _curves(model, curves), reading)
        rows, numbers, ms = await service.computed(*answering, caller, within_s, start, asked.priority)
        seen, answer = None, None
        if asked.attention:
            done = await service.answered(service.predicting, _seeing(model), rows, caller, within_s, asked.priority)
            seen, ms["attention"] = done.value, done.ran_s * 1000
        if wish is not None:
            kind = wish(rows.asked)
            done = await service.answered(service.explaining, kind, rows, caller, within_s, asked.priority)
            answer, ms["explain"] = done.value, done.ran_s * 1000
        told = await aside(
            len(series) * curves.window.horizon * 100,
            lambda: _told(asked, series, rows, found, model, curves, numbers, seen, answer),
        )
        ms["total"] = (time.perf_counter() - start) * 1000
        return ForecastResponse(
            lease.name, lease.version, lease.sha256, curves.unit, curves.zone, curves.window.step_s,
            list(curves.levels), asked.request_id or "", ms, told,
        )  # fmt: skip

    async def series(self, caller: Caller = ANYBODY) -> list[str]:
        """Series whose newest steps the lake's state has. Raises NotFound where this server knows no lake."""
        require(caller, "predict")
        return await asyncio.to_thread(self._service.lake().series)

    async def newest(self, name: str, caller: Caller = ANYBODY) -> SeriesCard:
        """Those steps, as a forecast by name reads them. Raises NotFound."""
        require(caller, "predict")
        return await asyncio.to_thread(self._service.lake().newest, name)

    def _wish(self, model: Model, wish: ForecastWish) -> Callable[[np.ndarray], Kind]:
        """How the windows are explained, once they are there. Raises InputError, NotFound, TooLargeError, and as
        `kinds.explaining`.
        """
        method = wish.method or (PATH if PATH in available(model) else SAMPLED)
        asked = AttributionAsked(
            method=method, output=wish.output or None, budget=wish.budget, samples=wish.samples, seed=wish.seed,
            options=MethodOptions(baseline=wish.baseline or None, steps=wish.steps),
        )  # fmt: skip
        codec.check_options(asked, self._settings)
        if method not in available(model):
            raise CapabilityError(f"{quoted(method)} cannot be asked of this model: use {', '.join(available(model))}")
        chosen, options = model.choose(wish.output or None), kinds.options_of(asked, self._settings)
        if not wish.baseline and "baseline" in EXPLAINERS[method].takes:
            options = replace(options, baseline=usual_baseline(model))
        kind = kinds.explaining(chosen, method, options, "", self._settings.max_budget)

        def whole(X: np.ndarray) -> Kind:
            kinds.within(chosen, asked, options, X, self._settings.max_budget)
            return kind

        return whole

    async def _looked_up(self, one: Given) -> Given:
        """The newest steps of a series that was named alone, as the lake's state has them."""
        try:
            held = await asyncio.to_thread(self._service.lake().state.find, WHAT, one.name)
        except AscribeError as exc:
            return replace(one, problem=str(exc))
        if held is None:
            return replace(one, problem=f"nothing was heard of series {quoted(one.name, 128)}: send its samples")
        return replace(one, held=held)


def _windows(
    series: Sequence[Given], model: Model, curves: Curves, now_s: float
) -> tuple[Checked, list[Contexts | None]]:
    """Rows (b, n) of the series that can be answered. Raises InvalidRowsError where there is none."""
    X, reasons = np.full((len(series), model.layout.n), np.nan), [""] * len(series)
    found: list[Contexts | None] = [None] * len(series)
    window, local = curves.window, _kept(clock(curves.zone))
    for i, one in enumerate(series):
        try:
            if one.problem:
                raise InputError(one.problem)
            if one.held is not None:
                held = of_latest([one.held], window, local)
            else:
                _check_step(one, window.step_s)
                held = of_samples([one.samples], window, local, now_s)
            if held.status[0] != "ok":
                raise InputError(held.reasons[0])
            X[i], found[i] = held.rows[0], held
        except InputError as exc:
            reasons[i] = str(exc)
    if all(reasons):
        raise InvalidRowsError(reasons, WHAT, WHAT, WHAT)
    return Checked(X, reasons, [None] * len(series), [one.name for one in series]), found


def _check_step(one: Given, step_s: int) -> None:
    """Samples of another step would be averaged, or leave every other step open. Raises InputError."""
    apart = np.diff(np.unique(one.time_s[np.isfinite(one.time_s)]))
    usual = float(np.median(apart)) if len(apart) else float(step_s)
    if not NEAR[0] * step_s <= usual <= NEAR[1] * step_s:
        raise InputError(
            f"its samples come every {in_words(round(usual, 3))}, this model reads one every {in_words(step_s)}: "
            "send such, or ask a model of that step"
        )


def _kept(local: Clock) -> Clock:
    """The same clock, which remembers the grids of one request: most series have the same."""
    grids: dict[tuple[int, int], np.ndarray] = {}

    def told(utc_s: np.ndarray) -> np.ndarray:
        key = (int(utc_s[0]), len(utc_s))
        if key not in grids:
            grids[key] = local(utc_s)
        return grids[key]

    return told


def _told(
    asked: ForecastAsked, series: Sequence[Given], rows: Checked, found: Sequence[Contexts | None], model: Model,
    curves: Curves, numbers: np.ndarray, seen: Any, answer: Attribution | None,
) -> list[Forecast]:  # fmt: skip
    """A message for each series; `numbers (a, 3 h)` of those that were asked."""
    told = [Forecast(one.name, "invalid", why) for one, why in zip(series, rows.reasons, strict=True)]
    window = curves.window
    for k, i in enumerate(rows.good):
        held = found[i]
        assert held is not None
        parts, filled = np.split(numbers[k], 3), round((1 - float(held.measured[0])) * window.context)
        told[i] = forecast_codec.curve(
            series[i].name, int(held.start_s[0]), window.step_s, curves.zone, (parts[0], parts[1], parts[2]), filled,
            _doubt(held.rows[0], model), asked.intervals,
        )  # fmt: skip
        if seen is not None and model.attention is not None:
            told[i].attention = forecast_codec.attention(model.attention, seen, k)
        if answer is not None:
            told[i].attribution = forecast_codec.attribution(answer, k)
    return told


def _doubt(row: np.ndarray, model: Model) -> str:
    """Why an answer is to be doubted, or nothing."""
    values = row.reshape(model.layout.shape)[:, 0]
    return f"every value of its window is {values[0]:g}: there is nothing to learn from" if np.ptp(values) == 0 else ""


def _curves(model: Model, curves: Curves) -> Kind:
    """Forecast, lower and upper side by side, (b, 3 h)."""

    def run(X: np.ndarray, step: Step) -> np.ndarray:
        return np.concatenate([np.asarray(part, dtype=float) for part in curves(X)], axis=1)

    key = (id(model), "curves")
    return Kind(key, run, lambda y, first, end: y[first:end].copy(), np.concatenate, MOST, ROW_S, model)


def _seeing(model: Model) -> Kind:
    """Attention of each layer, (b, heads, q, k)."""
    assert model.attention is not None
    ask = model.attention.weights

    def run(X: np.ndarray, step: Step) -> list[np.ndarray]:
        return [np.asarray(w) for w in ask(X)]

    def join(parts: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
        return [np.concatenate(held) for held in zip(*parts, strict=True)]

    key = (id(model), "attention")
    return Kind(key, run, lambda found, first, end: [w[first:end].copy() for w in found], join, MOST, ROW_S, model)
