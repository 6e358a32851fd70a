"""Bytes to series, and curves to messages; here a series fails alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite, nan
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.attribution import Attribution
from ascribe.core.days import by_player
from ascribe.core.forecast.context import Samples
from ascribe.core.inside import Attention
from ascribe.core.words import quoted
from ascribe.serve.codec import check_rows_limit, unreadable
from ascribe.serve.forecasts import messages as said
from ascribe.serve.observe.log import stage

__all__ = ["Given", "attention", "attribution", "curve", "decode_forecast", "given"]

_body = msgspec.json.Decoder(said.ForecastBody)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_series = msgspec.json.Decoder(said.ForecastSeries)
WHAT = "series"


@dataclass(frozen=True)
class Given:
    """A series as a door hands it over: numbers by sample (NaN: not measured), or a name alone, whose newest steps are
    then `held`. `problem`: why it could not even be read.
    """

    name: str = ""
    time_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    exogenous: dict[str, np.ndarray] = field(default_factory=dict)
    problem: str = ""
    held: Mapping[str, Any] | None = None

    @property
    def latest(self) -> bool:
        """Whether its samples are to be looked up."""
        return not (len(self.time_s) or len(self.values) or self.problem)

    @property
    def samples(self) -> Samples:
        return Samples(self.name or "the series", self.time_s, self.values, self.exogenous)


@stage("decode")
def decode_forecast(body: bytes, max_rows: int) -> tuple[said.ForecastBody, list[Given]]:
    """Raises InputError for a body that is not JSON or has another shape, TooLargeError for too many series."""
    try:
        asked = _body.decode(body)
        raw = bytes(asked.series)
        parts = _raws.decode(raw) if raw[:1] == b"[" else [asked.series]
    except UNREADABLE as exc:
        raise unreadable(exc) from exc
    check_rows_limit(len(parts), max_rows, what=WHAT, field=WHAT)
    return asked, [_read(part) for part in parts]


def _read(raw: msgspec.Raw) -> Given:
    try:
        held = _series.decode(raw)
    except UNREADABLE as exc:
        return Given(problem=f"the series cannot be read: {exc}")
    return given(held.name, held.times, held.epoch_s, held.values, held.exogenous)


def given(
    name: str, times: Sequence[str], epoch_s: Sequence[float], values: Sequence[float | None],
    exogenous: dict[str, list[float | None]],
) -> Given:  # fmt: skip
    """What a message holds as numbers; what cannot be read becomes the series' problem."""
    if len(times) and len(epoch_s):
        return Given(name, problem="give times or epoch_s, not both")
    if (len(times) or len(epoch_s)) and not len(values):
        return Given(name, problem="it has times and no values: give each time its value, or a name alone")
    try:
        time_s = np.array([_second(text) for text in times] if len(times) else epoch_s, dtype=float)
    except ValueError as exc:
        return Given(name, problem=str(exc))
    return Given(name, time_s, _numbers(values), {key: _numbers(held) for key, held in exogenous.items()})


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([nan if v is None else v for v in values], dtype=float)


def _second(text: str) -> float:
    """Raises ValueError with a line for the caller."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"{quoted(text, 40)} is no time: write 2026-01-31T12:00:00Z, or use epoch_s") from exc
    if at.tzinfo is None:
        raise ValueError(f"{quoted(text, 40)} does not say its zone: end it in Z or +02:00, or use epoch_s")
    return at.timestamp()


def curve(
    name: str, start_s: int, step_s: int, zone: str, numbers: tuple[np.ndarray, np.ndarray, np.ndarray], filled: int,
    note: str, intervals: bool,
) -> said.Forecast:  # fmt: skip
    """One series' forecast and bounds, (h,) each."""
    if not all(np.isfinite(part).all() for part in numbers):
        return said.Forecast(name, "not_finite", "the model gave no finite number for this window", filled=filled)
    steps, epochs = _moments(start_s, step_s, len(numbers[0]), zone)
    forecast, lower, upper = (part.tolist() for part in numbers)
    status = "out_of_domain" if note else "ok"
    if not intervals:
        lower = upper = []
    return said.Forecast(name, status, note, list(steps), list(epochs), forecast, lower, upper, filled)


@lru_cache(maxsize=256)
def _moments(start_s: int, step_s: int, count: int, zone: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    epochs, held = tuple(start_s + step_s * k for k in range(count)), ZoneInfo(zone)
    times = (datetime.fromtimestamp(at, UTC).astimezone(held).isoformat() for at in epochs)
    return tuple(text.replace("+00:00", "Z") for text in times), epochs


def attention(held: Attention, weights: Sequence[np.ndarray], row: int) -> list[said.ForecastAttention]:
    """Of one window, by layer."""
    found = []
    for layer, w in zip(held.layers, weights, strict=True):
        mean = np.asarray(w[row], dtype=float).mean(axis=0)
        parts = held.parts.get(layer)
        query, key = (list(parts.query), list(parts.key)) if parts else (list(map(str, range(n))) for n in mean.shape)
        found.append(said.ForecastAttention(layer, query, key, mean.reshape(-1).tolist()))
    return found


def attribution(answer: Attribution, row: int) -> said.ForecastAttribution:
    """Of one window of an answer, by day and input."""
    a, info = by_player(answer), answer.info
    shares, errors = (dict(zip(a.features, held[row].tolist(), strict=True)) for held in (a.values, a.stderr))
    told, base = bool(np.isfinite(a.values[row]).all()), float(a.bases[row])
    prediction = float(a.prediction[row])
    gap = abs(prediction - base - float(a.values[row].sum()))
    return said.ForecastAttribution(
        info.output, info.unit, info.method, info.game, info.estimator, info.budget, info.samples,
        str(a.status[row]), a.reasons[row], a.additive, prediction if isfinite(prediction) else None,
        base if told and isfinite(base) else None, gap if told and info.gap is not None else None,
        shares if told else {}, {name: e for name, e in errors.items() if told and isfinite(e)},
    )  # fmt: skip
