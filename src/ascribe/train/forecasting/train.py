"""The whole walk: read and mend, fit every candidate, keep the best, write it as a bundle.

Candidates are compared on blocks inside the training part that none of them was fitted on (`choosing`); the winner is
then fitted on all of the training part. The test part is written into the bundle to be judged by and read by nothing
here. Where the network loses, what wins is served, and the numbers of all stand in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ascribe.bundle import manifest
from ascribe.bundle.held_windows import held_arrays
from ascribe.core.arrays import evenly
from ascribe.core.durations import steps_in
from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, origins, rows, window_of
from ascribe.core.words import listed
from ascribe.train.forecasting.backtest import data_sha256
from ascribe.train.forecasting.bundle import Written, write_forecast
from ascribe.train.forecasting.choosing import chosen, hidden, judged_on
from ascribe.train.forecasting.families import FORECAST_FAMILIES
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.options import NetworkOptions, changed, preset
from ascribe.train.quarantine import put_aside
from ascribe.train.series.options import SeriesOptions
from ascribe.train.series.read import Read, read_series
from ascribe.train.series.split import TEST, Parts, parts_of
from ascribe.train.settings import computing
from ascribe.train.watch import Watcher

__all__ = ["BEST", "CANDIDATES", "ForecastOptions", "Report", "train_forecast"]

BEST = "best"
NETWORK = "traffic_seq2seq"
CANDIDATES = ("yesterday", "last_week", "seasonal_mean", "ridge_lags", "boosted_lags", NETWORK)
LEARN, EVERY_S = 256, 6 * 3600


@dataclass(frozen=True)
class ForecastOptions:
    """`data`: where the series lie. `test`: share or span at the end that nothing is fitted on. `family`: `best`, or
    one by name, which is then fitted alone. `preset`, `epochs`, `max_seconds`: of the network; `network`: more of its
    options, NAME=VALUE. `checkpoint`: file that its training leaves and goes on from. `source`: for the lineage.
    """

    data: SeriesOptions
    out: Path
    context: str = "7d"
    horizon: str = "1d"
    test: str | float = TEST
    family: str = BEST
    preset: str = "default"
    epochs: int | None = None
    max_seconds: float | None = None
    seed: int = 0
    checkpoint: Path | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    network: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Report:
    """`family` that serves; `candidates`: measures of each on the blocks; `left_out`: why a family was not fitted."""

    version: str
    family: str
    candidates: dict[str, dict[str, Any]]
    left_out: dict[str, str]
    notes: tuple[str, ...]


def train_forecast(options: ForecastOptions, watch: Watcher | None = None) -> Report:
    """Raises InputError, SchemaError and what `read_series` raises; BundleError where a graph differs from torch."""
    watch = watch or Watcher()
    network = _network(options)
    read = read_series(options.data)
    for line in read.told():
        watch.note(line)
    if len(read.quarantine):
        place = put_aside(read.quarantine, options.out)
        watch.note(f"{len(read.quarantine)} rows put aside, each with its reason -> {place}")
    series = read.series
    window = window_of(
        series, steps_in(options.context, series.step_s, "--context"),
        steps_in(options.horizon, series.step_s, "--horizon"),
    )  # fmt: skip
    parts = parts_of(series, window, options.test)
    with computing() as device:
        name, candidates, left_out = _compared(options, network, series, window, parts, device, watch)
        fitted = _fit(name, options, network, series, window, parts.test, device, watch)
    notes = _notes(name, candidates)
    for line in notes:
        watch.note(line)
    made = write_forecast(
        fitted, series, window, _written(options, read, window, parts, candidates, left_out, fitted), options.out
    )
    return Report(made.manifest.version(), name, candidates, left_out, notes)


def _network(options: ForecastOptions) -> NetworkOptions:
    if options.family not in (BEST, *FORECAST_FAMILIES):
        raise InputError(f"no family '{options.family}' of forecasts: {BEST}, {', '.join(FORECAST_FAMILIES)}")
    held = changed(replace(preset(options.preset), max_seconds=options.max_seconds), options.network)
    return held if options.epochs is None else replace(held, epochs=options.epochs)


def _compared(
    options: ForecastOptions, network: NetworkOptions, series: Series, window: Window, parts: Parts, device: str,
    watch: Watcher,
) -> tuple[str, dict[str, dict[str, Any]], dict[str, str]]:  # fmt: skip
    """The winner, measures of each, and why others are absent. One family by name is not compared."""
    if options.family != BEST:
        return options.family, {}, {}
    before = series.cut(0, parts.test)
    blocks, at = hidden(before, window, parts.test)
    if not len(at):
        raise InputError("no block of the training part has a whole window to choose by: give more data, or --family")
    candidates, left_out, served = {}, {}, set()
    for name in CANDIDATES:
        once = replace(network, refit=False)
        try:
            fitted = _fit(name, options, once, blocks, window, parts.test, device, watch, "choosing")
        except InputError as exc:
            left_out[name] = str(exc)
            watch.note(f"{name} is left out: {exc}")
            continue
        candidates[name] = judged_on(fitted, before, window, at, parts.test)
        if fitted.served:
            served.add(name)
    if not served:
        raise InputError(f"no family can be fitted: {next(iter(left_out.values()))}")
    return chosen(candidates, served), candidates, left_out


def _fit(
    name: str, options: ForecastOptions, network: NetworkOptions, series: Series, window: Window, until: int,
    device: str, watch: Watcher, stage: str = "fitting",
) -> FittedForecast:  # fmt: skip
    more: dict[str, Any] = {}
    if name == NETWORK:
        file = options.checkpoint and options.checkpoint.with_name(f"{options.checkpoint.name}.{stage}")
        more = {"options": network, "device": device, "checkpoint": file}
    progress = watch.progress(f"{stage} {name}")
    return FORECAST_FAMILIES[name](series, window, until, seed=options.seed, progress=progress, **more)


def _notes(name: str, candidates: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    if name == NETWORK or NETWORK not in candidates:
        return ()
    own, other = (candidates[one]["mase"] or candidates[one]["mae"] for one in (name, NETWORK))
    return (f"the network misses {other:.4g} on the blocks held out, {name} {own:.4g}: {name} is served",)


def _written(
    options: ForecastOptions, read: Read, window: Window, parts: Parts, candidates: dict[str, dict[str, Any]],
    left_out: dict[str, str], fitted: FittedForecast,
) -> Written:  # fmt: skip
    series = read.series
    learn = origins(series, window, 0, parts.test, max(1, window.day // 24) | 1)
    test = parts.testing(series, window, min(max(1, EVERY_S // series.step_s), window.horizon))
    asked = {"context": options.context, "horizon": options.horizon, "test": str(options.test),
             "family": options.family, "preset": options.preset}  # fmt: skip
    data = options.data.data
    lineage = manifest.Lineage(
        data=Path(data).name if Path(data).exists() else data.partition("://")[0],
        data_sha256=data_sha256(data),
        code_version=version("ascribe"),
        seed=options.seed,
        options={**asked, "fitted": dict(fitted.told)},
        rows={"training": len(learn), "test": len(test)},
        source={**read.lineage(), **options.source},
    )
    return Written(
        rows(series, window, learn[evenly(len(learn), LEARN)]),
        held_arrays(series, window, test, parts.test),
        zone=read.zone,
        fill=read.rules.in_words(),
        columns={
            "time": options.data.time,
            "value": listed(options.data.value),
            "values": list(options.data.value),
            "by": options.data.series or "",
        },
        test_from_s=int(series.time_s[parts.test]),
        metrics={"candidates": candidates, "left_out": left_out, "losses": fitted.told.get("losses", [])},
        lineage=lineage,
    )
