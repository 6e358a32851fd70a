"""Forecasts of traffic: python -m benchmarks.forecast [--quick] [--only PREFIX] [--redo]

    b5m        traffic of a backbone every 5 minutes: seven days in, one day out, an origin every six hours of the last
               quarter
    bitbrains  traffic received by 24 virtual machines, the same windows, all in one model

Every forecaster of the house, fitted on the first three quarters, and statsforecast's MSTL (with AutoETS and AutoTheta
for what the seasons leave) and AutoTheta, fitted anew at each origin on the 28 days before it. These meet hourly means
and each hour's forecast stands for its twelve steps: at five minutes one fit takes many seconds. One JSON for each cell
in benchmarks/results/forecast, kept: a run that stops goes on where it was.
`--quick`: six weeks of b5m and of four machines, results apart.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import keep, place_of

DATA = Path(__file__).parents[1] / "examples" / "data"
CONTEXT, HORIZON, EVERY, BLOCK = "7d", "1d", "6h", 8
BACK_DAYS = 28  # what a library's model is fitted on
HOURLY = 12  # steps of an hour
ORIGINS_AT_ONCE = 64


def series_of(name: str, quick: bool) -> Any:
    """The series on its grid, mended as training mends it."""
    import polars as pl

    from ascribe.train.series.options import SeriesOptions
    from ascribe.train.series.read import read_series

    if name == "b5m":
        data = SeriesOptions(str(DATA / "B5M.csv.gz"), "timestamp", ("bits",), step="5min", zone="UTC", unit="bit",
                             last="42d" if quick else None)  # fmt: skip
    else:
        place = DATA / "rnd_24vm_5min.parquet"
        columns = [c for c in pl.scan_parquet(place).collect_schema().names() if c.endswith("_rx_kbs")]
        data = SeriesOptions(str(place), "timestamp_utc", tuple(columns[:4] if quick else columns), step="5min",
                             zone="UTC", unit="kB/s", last="42d" if quick else None)  # fmt: skip
    return read_series(data).series


def cell(name: str, model: str, quick: bool) -> dict[str, Any]:
    """Measures of one forecaster on one data set; sums of scaled errors by moment, so that cells can be paired."""
    from ascribe.core.durations import steps_in
    from ascribe.core.forecast import window_of
    from ascribe.train.forecasting.judged import Asked, judged
    from ascribe.train.series.split import parts_of

    series = series_of(name, quick)
    window = window_of(series, steps_in(CONTEXT, series.step_s), steps_in(HORIZON, series.step_s))
    parts = parts_of(series, window)
    at = parts.testing(series, window, steps_in(EVERY, series.step_s))
    begin = time.process_time()
    if model in LIBRARY:
        told: dict[str, Any] = {"days_before": BACK_DAYS}
        f, q = _by_library(series, window, at, *LIBRARY[model])
        fitted_s = None
        asked = Asked(_given(f, q), (0.05, 0.95))
    else:
        fitted = _families()[model](series, window, parts.test, seed=0)
        fitted_s, told = time.process_time() - begin, dict(fitted.told)
        asked = Asked(fitted.ask, fitted.levels)
    report = judged(series, window, at, parts.test, {model: asked}, BLOCK)
    return {
        "data": name, "model": model, "series": len(series.names), "unit": series.unit, "origins": len(at),
        "moments": len(np.unique(at[:, 0])), "targets": report["targets"], "left_out": report["targets_left_out"],
        "zeros_left_out_of_mape": report["zeros_left_out_of_mape"], "fit_s": fitted_s, "told": told,
        "step_s": series.step_s, **report["models"][model],
    }  # fmt: skip


LIBRARY: dict[str, tuple[str, int]] = {
    "mstl_ets_hourly": ("mstl_ets", HOURLY),
    "mstl_theta_hourly": ("mstl_theta", HOURLY),
    "theta_hourly": ("theta", HOURLY),
}


def _families() -> dict[str, Callable[..., Any]]:
    from ascribe.train.families.traffic_seq2seq import fit_traffic_seq2seq
    from ascribe.train.forecasting.families import FORECAST_FAMILIES

    return {**FORECAST_FAMILIES, "traffic_seq2seq": fit_traffic_seq2seq}


def _by_library(series: Any, window: Any, at: np.ndarray, kind: str, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts (o, h) and bounds (o, h, 2) of means of `fold` steps, each repeated."""
    from statsforecast.models import MSTL, AutoETS, AutoTheta

    day, hours = window.day // fold, window.horizon // fold
    week = 7 * day
    kinds: dict[str, Callable[[], Any]] = {
        "mstl_ets": lambda: MSTL([day, week], trend_forecaster=AutoETS(model="ZZN")),
        "mstl_theta": lambda: MSTL([day, week], trend_forecaster=AutoTheta(season_length=1)),
        "theta": lambda: AutoTheta(season_length=day),
    }
    back = BACK_DAYS * window.day
    f, q = np.empty((len(at), window.horizon)), np.empty((len(at), window.horizon, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k, (i, j) in enumerate(at.tolist()):
            past = series.values[max(0, i - back) : i, j]
            past = past[len(past) % fold :].reshape(-1, fold).mean(axis=1)
            past = past[np.flatnonzero(np.isfinite(past))[0] :]
            if past.min() == past.max():
                told = {name: np.full(hours, past[-1]) for name in ("mean", "lo-90", "hi-90")}
            else:
                told = kinds[kind]().forecast(y=past, h=hours, level=[90])
            f[k] = np.repeat(told["mean"], fold)
            q[k] = np.stack([np.repeat(told["lo-90"], fold), np.repeat(told["hi-90"], fold)], axis=1)
    return f, q


def _given(f: np.ndarray, q: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Forecasts that were made already, handed out in the order in which rows are asked for."""
    place = 0

    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal place
        place += len(X)
        return f[place - len(X) : place], q[place - len(X) : place]

    return ask


def cells(quick: bool) -> dict[str, Callable[[], dict[str, Any]]]:
    """By name, the quick ones first."""
    models = [*_families(), *([] if quick else LIBRARY)]
    return {f"{data}_{model}": partial(cell, data, model, quick) for data in ("b5m", "bitbrains") for model in models}


def main(arguments: list[str] | None = None) -> int:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="six weeks, four machines; results apart")
    parser.add_argument("--only", default="", metavar="PREFIX", help="cells whose name begins so")
    parser.add_argument("--redo", action="store_true", help="also what is there")
    asked = parser.parse_args(arguments)
    for name, run in cells(asked.quick).items():
        there = place_of(f"forecast/{name}", asked.quick).exists()
        if not name.startswith(asked.only) or (there and not asked.redo):
            continue
        found = run()
        print(f"{name}: MAE {found['mae']:.4g}, MASE {found['mase']:.3f}", file=sys.stderr, flush=True)
        keep(f"forecast/{name}", found, asked.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
