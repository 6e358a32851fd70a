"""`ascribe pipeline forecast`: a lake's series to a promoted forecast, once or whenever it is due."""

from __future__ import annotations

import time as clock
from typing import Annotated

import typer

from ascribe.cli.options import Channel, Lake, Registry, Seed, VerifyKey, listed
from ascribe.cli.pipeline import Force, MaxSeconds, Name, SignKey, Work, end_softly, ended, opened_lake
from ascribe.console import bars, watcher
from ascribe.core.durations import span
from ascribe.core.errors import extra

__all__ = ["forecast"]


def forecast(
    lake: Lake, registry: Registry, name: Name,
    value: Annotated[str, typer.Option("--value", help="column to forecast; a,b,c: several series side by side")],
    step: Annotated[str, typer.Option("--step", help="of the series, such as 5min")],
    time: Annotated[str, typer.Option("--time", help="column of times")] = "timestamp",
    series: Annotated[str | None, typer.Option("--series", help="column that names the series, such as node")] = None,
    only: Annotated[str | None, typer.Option("--only", help="a,b: names of the series to take")] = None,
    exogenous: Annotated[str | None, typer.Option("--exogenous", help="a,b: further columns that are read")] = None,
    context: Annotated[str, typer.Option("--context", help="how much of the past is seen")] = "7d",
    horizon: Annotated[str, typer.Option("--horizon", help="how far is forecast")] = "1d",
    last: Annotated[str | None, typer.Option("--last", help="learn from the last 60d only")] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="of the wall's clock, such as Europe/London")] = None,
    unit: Annotated[str, typer.Option("--unit", help="of the values")] = "",
    test: Annotated[str, typer.Option("--test", help="share or span at the end that judges")] = "0.25",
    family: Annotated[str, typer.Option("--family", help="best, or one by name")] = "best",
    preset: Annotated[str, typer.Option("--preset", help="sizes of the network: default or document")] = "default",
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="of the network, at most")] = None,
    max_seconds: MaxSeconds = None, seed: Seed = 0, channel: Channel = "production", force: Force = False,
    work: Work = None, sign_key: SignKey = None, verify_key: VerifyKey = None,
    every: Annotated[str | None, typer.Option("--every", help="go on: train again after 1d if rows are new")] = None,
    poll: Annotated[str, typer.Option("--poll", help="with --every: between looks at the lake")] = "60s",
) -> None:  # fmt: skip
    """Train, judge, promote, and leave the newest context of each series beside the lake, where the service looks."""
    with extra("train", "polars"):
        from ascribe.train.runs.forecast import ForecastTraining
        from ascribe.train.runs.run import RunOptions, run
        from ascribe.train.runs.triggers import Triggers
        from ascribe.train.runs.watching import Looking, watch
        from ascribe.train.series.latest import refresh_latest
        from ascribe.train.series.options import SeriesOptions
    of = SeriesOptions(
        lake, time, listed(value), series, step=step, last=last, only=listed(only), exogenous=listed(exogenous),
        zone=zone, unit=unit,
    )  # fmt: skip
    training = ForecastTraining(of, context, horizon, test, family, preset, epochs, max_seconds, seed)
    options = RunOptions(lake, registry, name, channel, training, work, force, sign_key=sign_key, verify_key=verify_key)
    window = training.window

    def fresh(version: int) -> None:
        refresh_latest(SeriesOptions(**{**vars(of), "version": version, "now_s": clock.time()}), window)

    end_softly()
    with bars() as shown:
        if every is not None:
            triggers = Triggers(None, span(every), drift=False)
            watch(options, opened_lake(lake), Looking(triggers, span(poll), fresh=fresh), watcher(shown))
            return
        record = run(options, opened_lake(lake), ("manual",), watcher(shown))
        fresh(record.lake_version)
    ended(record, channel, name)
