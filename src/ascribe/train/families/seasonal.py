"""Forecasts that repeat the past and learn nothing but the width of their band.

persistence      the last value, for every step
yesterday        the value at the same time of the last day
last_week        the value at the same time seven days before
seasonal_mean    mean over the days of the context at the same time
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window
from ascribe.train.forecasting.band import LEVELS, Banded, asking, offsets
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.past import Past
from ascribe.train.forecasting.windows import windows
from ascribe.train.loop import Progress

__all__ = ["fit_last_week", "fit_persistence", "fit_seasonal_mean", "fit_yesterday"]

WINDOWS = 4000  # for the band
WEEK = 7


class _Repeated(nn.Module):
    def __init__(self, past: Past, how: Callable[[Past, Tensor], Tensor]) -> None:
        super().__init__()
        self.past, self.how = past, how

    def forward(self, x: Tensor) -> Tensor:
        return self.how(self.past, self.past.values(x))


def _last(past: Past, v: Tensor) -> Tensor:
    return v[:, -1:].expand(v.shape[0], past.window.horizon)


def _yesterday(past: Past, v: Tensor) -> Tensor:
    return past.same_time(v)[:, -1]


def _last_week(past: Past, v: Tensor) -> Tensor:
    return past.same_time(v)[:, -WEEK]


def _mean(past: Past, v: Tensor) -> Tensor:
    return past.same_time(v).mean(dim=1)


def fit_persistence(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None, options: None = None
) -> FittedForecast:
    return _fitted("persistence", _last, series, window, until)


def fit_yesterday(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None, options: None = None
) -> FittedForecast:
    return _fitted("yesterday", _yesterday, series, window, until)


def fit_last_week(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None, options: None = None
) -> FittedForecast:
    """Raises InputError for a context of less than seven days."""
    if window.context < WEEK * window.day:
        raise InputError(f"the same time last week is not in a context of {window.context} steps: --context 7d or more")
    return _fitted("last_week", _last_week, series, window, until)


def fit_seasonal_mean(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None, options: None = None
) -> FittedForecast:
    return _fitted("seasonal_mean", _mean, series, window, until)


def _fitted(
    family: str, how: Callable[[Past, Tensor], Tensor], series: Series, window: Window, until: int
) -> FittedForecast:
    past = Past(window)
    point = _Repeated(past, how)
    seen = windows(series, window, until, WINDOWS)
    with torch.no_grad():
        x = torch.tensor(seen.X)
        missed = (torch.tensor(seen.y) - point(x)) / past.swing(past.values(x))
    module = Banded(point, past, offsets(missed.numpy()), seen.least).eval()
    return FittedForecast(family, asking(module), LEVELS, module, {"windows": len(seen.at)})
