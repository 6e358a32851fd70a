"""`ascribe forecast`: train, backtest, predict, plot."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ascribe.cli.forecast_tables import attended, candidates, judged
from ascribe.cli.options import Seed, listed
from ascribe.cli.series import (
    Column,
    Exogenous,
    Only,
    Query,
    Wanted,
    Zone,
    moment_of,
    opened_forecaster,
    series_asked,
    series_read,
)
from ascribe.cli.spread import spread
from ascribe.console import bars, err, out, watcher
from ascribe.core.errors import InputError, extra

__all__ = ["app"]

PICTURES = (".png", ".svg")
KINDS = ("forecast", "days")

app = typer.Typer(help="Time series: train a forecast, backtest it, forecast, draw.", rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(help="bundle folder that `ascribe forecast train` wrote")]
Data = Annotated[str, typer.Option("--data", help="Parquet, CSV (.gz), Arrow, a Delta table, or an SQLAlchemy URL")]
Last = Annotated[str | None, typer.Option("--last", help="only so much before the newest sample, such as 60d")]
Unit = Annotated[str, typer.Option("--unit", help="of the values, such as Gb/s")]
At = Annotated[str | None, typer.Option("--at", help="forecast from here on, ISO 8601 (default: the data's end)")]
Explained = Annotated[str, typer.Option("--output", help="which number is explained: mean, peak, total, or 'step 12'")]
Method = Annotated[str | None, typer.Option("--method", help="explainer (default: by the gradient, else kernel_shap)")]


@app.command()
def train(
    data: Data,
    time: Annotated[str, typer.Option("--time", help="column of times")],
    value: Annotated[str, typer.Option("--value", help="column of values, or a,b of a wide table")],
    out_dir: Annotated[Path, typer.Option("--out", help="folder of the bundle")],
    step: Annotated[str | None, typer.Option("--step", help="such as 5min (default: that of the data)")] = None,
    context: Annotated[str, typer.Option("--context", help="what is seen, such as 7d")] = "7d",
    horizon: Annotated[str, typer.Option("--horizon", help="what is forecast, such as 1d")] = "1d",
    query: Query = None,
    last: Last = None,
    series: Column = None,
    only: Only = None,
    exogenous: Exogenous = None,
    zone: Zone = None,
    unit: Unit = "",
    test: Annotated[str, typer.Option("--test", help="held out at the end: a share, or a span such as 14d")] = "0.25",
    family: Annotated[str, typer.Option("--family", help="best, or one by name")] = "best",
    preset: Annotated[str, typer.Option("--preset", help="sizes of the network: default or document")] = "default",
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="of the network, at most")] = None,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0, help="of training; then not repeatable")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="file that training leaves after each epoch, and goes on from")
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", help="NAME=VALUE of the network, such as attention=multi-head")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Mend the series, fit every candidate, keep the best of those before the test part as one bundle."""
    with extra("train", "torch"):
        from ascribe.train.forecasting.train import ForecastOptions, train_forecast
        from ascribe.train.series.options import SeriesOptions
    wanted = SeriesOptions(
        data, time, listed(value), series, query, step, last, listed(only), listed(exogenous), zone, unit,
        now_s=clock.time(),
    )  # fmt: skip
    options = ForecastOptions(
        wanted, out_dir, context, horizon, test, family, preset, epochs, max_seconds, seed, checkpoint,
        network=tuple(network or ()),
    )  # fmt: skip
    with bars() as shown:
        report = train_forecast(options, watcher(shown))
    candidates(report)
    out.print(f"bundle {report.version} -> {out_dir}", highlight=False)


@app.command()
@spread
def backtest(
    bundle: Folder,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="REPORT.json")],
    every: Annotated[str, typer.Option("--every", help="between origins")] = "6h",
    test: Annotated[
        str | None, typer.Option("--test", help="share or span at the end (default: after training)")
    ] = None,
    families: Annotated[
        str | None, typer.Option("--families", help="a,b: fitted beside it (default: plain ones)")
    ] = None,
    *,
    wanted: Wanted,
    seed: Seed = 0,
) -> None:
    """Forecast at an origin every so often of the test part, beside what repeats the past; measures as JSON."""
    if output.suffix != ".json":
        raise InputError(f"{output}: the report is JSON, name it .json")
    with extra("train", "torch"):
        from ascribe.train.forecasting.backtest import BacktestOptions, write_report
        from ascribe.train.forecasting.backtest import backtest as judge
    opened = opened_forecaster(bundle)
    usual = BacktestOptions()
    options = BacktestOptions(every, test, listed(families) or usual.families, seed)
    with bars() as shown:
        report = judge(bundle, series_asked(opened, data, wanted), options, watcher(shown))
    write_report(report, output)
    judged(report)
    err.print(f"{report['test']['origins']} origins from {report['test']['from']} on -> {output}", highlight=False)


@app.command()
@spread
def predict(
    bundle: Folder,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="OUT.parquet: time, forecast, lower, upper")],
    explain: Annotated[
        bool, typer.Option("--explain", help="shares by day and input -> OUT.explained.parquet, attention checked")
    ] = False,
    of: Explained = "peak",
    method: Method = None,
    at: At = None,
    *,
    wanted: Wanted,
    last: Last = None,
    seed: Seed = 0,
) -> None:
    """Forecast what follows the data: time, forecast, lower, upper (and series, where there are several)."""
    if output.suffix != ".parquet":
        raise InputError(f"{output}: the forecast is a Parquet file, name it .parquet")
    with extra("train", "polars"):
        import polars as pl
    from ascribe.bundle.written import writing
    from ascribe.forecasted import curves_of, explained, newest

    opened = opened_forecaster(bundle)
    held = series_read(series_asked(opened, data, wanted, last))
    windows = newest(opened, held.series, moment_of(at))
    _left_out(windows.refused)
    curves = curves_of(opened, held.series, windows)
    columns = curves.columns(windows.names if len(held.series.names) > 1 else ())
    with writing(output) as part:
        pl.DataFrame(columns).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC"))).write_parquet(part)
    err.print(f"{len(windows.at)} series x {opened.window.horizon} steps -> {output}", highlight=False)
    if explain:
        from ascribe.bundle.answers import write_answer

        with bars() as shown:
            task = shown.add_task("explaining", total=len(windows.at))
            answer = explained(opened, windows, of, method, step=lambda: shown.advance(task))
        beside = output.with_suffix(".explained.parquet")
        write_answer(answer, beside)
        err.print(f"the {of} explained, a row a series -> {beside} (`ascribe plot {beside.name} --kind days`)")
        attended(opened, held.series, of, output, seed)


@app.command()
@spread
def plot(
    source: Annotated[Path, typer.Argument(help="bundle folder, or REPORT.json of `ascribe forecast backtest`")],
    output: Annotated[Path, typer.Option("-o", "--output", help="PNG or SVG; of --kind days HTML too")],
    data: Annotated[str | None, typer.Option("--data", help="as of predict; a report needs none")] = None,
    kind: Annotated[str, typer.Option("--kind", help="forecast, or days: attention beside shares by day")] = "forecast",
    unit: Annotated[str, typer.Option("--unit", help="to draw in, such as Gb/s (default: as it is)")] = "",
    of: Explained = "peak",
    method: Method = None,
    at: At = None,
    *,
    wanted: Wanted,
    last: Last = None,
) -> None:
    """Draw a forecast after its window, where the network looked beside what came of it, or a backtest's table."""
    if kind not in KINDS:
        raise InputError(f"no kind '{kind}' of picture: use {' or '.join(KINDS)}")
    if kind == "forecast" and output.suffix.lower() not in PICTURES:
        raise InputError(f"{output}: end it in .png or .svg")
    with extra("report", "matplotlib"):
        from ascribe.report import forecast, forecast_table, kinds, plots
    if source.suffix == ".json":
        plots.save(forecast_table.figure(_report(source), unit), output)
        err.print(f"-> {output}")
        return
    if data is None:
        raise InputError("say what the forecast starts from: --data FILE")
    from ascribe.forecasted import drawn, explained, newest

    opened = opened_forecaster(source)
    held = series_read(series_asked(opened, data, wanted, last))
    windows = newest(opened, held.series, moment_of(at))
    _left_out(windows.refused)
    most = forecast.MOST if kind == "forecast" else 1
    if len(windows.at) > most:
        err.print(f"{len(windows.at) - most} more series are not drawn: say which with --only", highlight=False)
    if kind == "days":
        answer = explained(opened, windows, of, method)
        kinds.save(kinds.draw(answer, "days"), answer, output)
    else:
        low, high = opened.curves.levels
        curves = drawn(opened, held.series, windows)
        plots.save(forecast.figure(curves, opened.curves.unit, unit, high - low), output)
    err.print(f"-> {output}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="where everything goes")] = Path("runs/forecast"),
    quick: Annotated[bool, typer.Option("--quick", help="two weeks and a regression, for a first look")] = False,
) -> None:
    """All of it on the bundled series of a backbone; some minutes."""
    from ascribe.demo.traffic import run

    run(folder, quick)


def _left_out(refused: Mapping[str, str]) -> None:
    for name, why in refused.items():
        err.print(f"{name} is left out: {why}", highlight=False)


def _report(place: Path) -> Any:
    no_report = InputError(f"{place} is no report: `ascribe forecast backtest` writes one")
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise no_report from exc
    if not isinstance(found, dict) or not {"models", "data", "window", "test"} <= found.keys():
        raise no_report
    return found
