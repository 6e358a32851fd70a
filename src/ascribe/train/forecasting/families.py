"""Families of forecasters, a row each; apart from those of watts, whose training loads nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ascribe.train.families.ridge_lags import fit_ridge_lags
from ascribe.train.families.seasonal import fit_last_week, fit_persistence, fit_seasonal_mean, fit_yesterday
from ascribe.train.families.traffic_seq2seq import fit_traffic_seq2seq
from ascribe.train.forecasting.fitted import FittedForecast

__all__ = ["FORECAST_FAMILIES"]


def _fit_boosted_lags(*given: Any, **more: Any) -> FittedForecast:
    from ascribe.train.families.boosted_lags import fit_boosted_lags  # LightGBM: a second to import, for who fits it

    return fit_boosted_lags(*given, **more)


# The plain ones first: fit(series, window, until, *, seed, progress, options).
FORECAST_FAMILIES: dict[str, Callable[..., FittedForecast]] = {
    "persistence": fit_persistence,
    "yesterday": fit_yesterday,
    "last_week": fit_last_week,
    "seasonal_mean": fit_seasonal_mean,
    "ridge_lags": fit_ridge_lags,
    "boosted_lags": _fit_boosted_lags,
    "traffic_seq2seq": fit_traffic_seq2seq,
}
