"""A forecast judged as it is used: at an origin every so many hours of the test part, through the file that serves.

bundle -> ONNX -> curves, beside what repeats the past and whatever else is asked for, all fitted before the test part
and compared on the same targets (`judged`). The report is plain JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle import archive
from ascribe.bundle.forecast import Forecaster, open_forecaster
from ascribe.bundle.written import write_whole
from ascribe.core.durations import in_words, steps_in
from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, origins
from ascribe.train.forecasting.families import FORECAST_FAMILIES
from ascribe.train.forecasting.judged import PLAIN, Asked, judged
from ascribe.train.series.options import SeriesOptions
from ascribe.train.series.read import read_series
from ascribe.train.series.split import TEST, parts_of
from ascribe.train.watch import Watcher

__all__ = ["BacktestOptions", "backtest", "data_sha256", "of_series", "write_report"]

BLOCK_HORIZONS = 2  # of a block of the bootstrap: neighbouring origins forecast the same hours


@dataclass(frozen=True)
class BacktestOptions:
    """`test`: share or span at the end of the data that is judged; None: from where the bundle says that its training
    ended, or the last quarter. `every`: between origins. `families`: what is fitted beside the bundle before the test
    part; those that the context is too short for are left out and said.
    """

    every: str = "6h"
    test: str | None = None
    families: tuple[str, ...] = (*PLAIN, "seasonal_mean")
    seed: int = 0


def backtest(
    directory: Path, data: SeriesOptions, options: BacktestOptions | None = None, watch: Watcher | None = None
) -> dict[str, Any]:
    """Of a bundle. Raises InputError for data that do not fit it, BundleError, and as `read_series`."""
    options = options or BacktestOptions()
    bundle = archive.open_directory(directory)
    served = open_forecaster(bundle)
    read = read_series(data)
    series, window = read.series, served.window
    _fits(series, served)
    trained_until = bundle.manifest.origin["forecast"].get("test_from_s")
    until = series.at(trained_until) if options.test is None and trained_until else None
    if until is None:
        until = _begin(series, window, options)
        if trained_until and series.start_s + series.step_s * until < trained_until:
            ended = datetime.fromtimestamp(trained_until, UTC)
            watch = watch or Watcher()
            watch.note(
                f"the bundle was trained until {ended:%Y-%m-%dT%H:%M:%SZ}, after this test part begins: it may be "
                "judged on what it was fitted on, and the others are not; leave --test out"
            )
    of = {bundle.manifest.family: Asked(_ask(served), served.curves.levels)}
    report = of_series(series, window, of, options, until, watch)
    report["bundle"] = {"version": bundle.manifest.version(), "family": bundle.manifest.family}
    report["data"] |= {"name": Path(data.data).name, "sha256": data_sha256(data.data), "found": read.told()}
    return report


def of_series(
    series: Series, window: Window, models: dict[str, Asked], options: BacktestOptions, until: int | None = None,
    watch: Watcher | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`models` and the families of the options on one series in memory; `until`: where the test part begins."""
    watch = watch or Watcher()
    until = _begin(series, window, options) if until is None else until
    every = steps_in(options.every, series.step_s, "--every")
    at = _origins(series, window, until, every)
    held, told, left = dict(models), {}, {}
    for name in _known(options.families):
        if name in held:
            continue
        try:
            fitted = FORECAST_FAMILIES[name](
                series, window, until, seed=options.seed, progress=watch.progress(name), options=None
            )
        except InputError as exc:
            left[name] = str(exc)
            watch.note(f"{name} is left out: {exc}")
            continue
        held[name], told[name] = Asked(fitted.ask, fitted.levels), msgspec.to_builtins(dict(fitted.told))
    moments = np.unique(at[:, 0])
    block = max(1, -(-BLOCK_HORIZONS * window.horizon // every))
    report = judged(series, window, at, until, held, block)
    for name, what in told.items():
        report["models"][name]["told"] = what
    return {
        "data": {"series": list(series.names), "steps": series.steps, "step_s": series.step_s, "unit": series.unit,
                 "from": _at(series, 0), "to": _at(series, series.steps)},
        "window": {"context": window.context, "horizon": window.horizon, "inputs": list(window.inputs),
                   "day": window.day},
        "test": {"from": _at(series, until), "origins": len(at), "moments": len(moments), "every": options.every,
                 "first": _at(series, int(moments[0])), "last": _at(series, int(moments[-1])), "block": block},
        "left_out": left,
    } | report  # fmt: skip


def _begin(series: Series, window: Window, options: BacktestOptions) -> int:
    """The step with which the test part of the options begins."""
    return parts_of(series, window, options.test or TEST).test


def write_report(report: dict[str, Any], place: Path) -> Path:
    """As JSON. Raises InputError for a place that cannot be written."""
    return write_whole(place, msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def data_sha256(data: str) -> str:
    """Of a file; empty for a table or a database, whose rows are not one file."""
    place = Path(data)
    if not place.is_file():
        return ""
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ask(served: Forecaster) -> Any:
    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, low, high = served.forecast(X)
        return f, np.stack([low, high], axis=2)

    return ask


def _origins(series: Series, window: Window, until: int, every: int) -> np.ndarray:
    at = origins(series, window, until, series.steps, every)
    if not len(at):
        raise InputError(
            f"no whole window lies in the test part, which begins {in_words(series.step_s * (series.steps - until))} "
            "before the end of the data: give more data, or a longer --test"
        )
    return at


def _fits(series: Series, served: Forecaster) -> None:
    window = served.window
    if series.step_s != window.step_s:
        raise InputError(
            f"the data has a step of {in_words(series.step_s)}, the model one of {in_words(window.step_s)}: "
            f"--step {in_words(window.step_s)}"
        )
    if missing := [name for name in served.curves.exogenous if name not in series.exogenous_names]:
        raise InputError(f"the model reads {', '.join(missing)}, which the data does not give: --exogenous")


def _known(families: Iterable[str]) -> Iterable[str]:
    for name in families:
        if name not in FORECAST_FAMILIES:
            raise InputError(f"no family '{name}' of forecasts: use {', '.join(FORECAST_FAMILIES)}")
        yield name


def _at(series: Series, step: int) -> str:
    return datetime.fromtimestamp(series.start_s + series.step_s * step, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
