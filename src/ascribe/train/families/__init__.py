"""Model families: one file and one row of a table each. Families do not import one another."""

from __future__ import annotations

from collections.abc import Callable

from ascribe.train.families.additive import fit_additive
from ascribe.train.families.boosted_lags import fit_boosted_lags
from ascribe.train.families.linear import fit_linear
from ascribe.train.families.power_mlp import fit_power_mlp
from ascribe.train.families.power_xgboost import fit_power_xgboost
from ascribe.train.families.ridge_lags import fit_ridge_lags
from ascribe.train.families.seasonal import fit_last_week, fit_persistence, fit_seasonal_mean, fit_yesterday
from ascribe.train.families.traffic_seq2seq import fit_traffic_seq2seq
from ascribe.train.fitted import FittedPower
from ascribe.train.forecasting.fitted import FittedForecast

__all__ = ["ADDITIVE_FAMILIES", "FORECAST_FAMILIES", "POWER_FAMILIES"]

# In order of preference: a later family serves only if it is better beyond chance (`pipeline._fit_power`).
POWER_FAMILIES: dict[str, Callable[..., FittedPower]] = {"power_xgboost": fit_power_xgboost, "power_mlp": fit_power_mlp}

# Models whose own terms are the explanation, exactly; by name only: they give up accuracy for being read.
ADDITIVE_FAMILIES: dict[str, Callable[..., FittedPower]] = {"additive": fit_additive, "linear": fit_linear}

# Forecasters, the plain ones first: fit(series, window, until, *, seed, progress, options).
FORECAST_FAMILIES: dict[str, Callable[..., FittedForecast]] = {
    "persistence": fit_persistence,
    "yesterday": fit_yesterday,
    "last_week": fit_last_week,
    "seasonal_mean": fit_seasonal_mean,
    "ridge_lags": fit_ridge_lags,
    "boosted_lags": fit_boosted_lags,
    "traffic_seq2seq": fit_traffic_seq2seq,
}
