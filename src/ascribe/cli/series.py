"""What the commands of forecasts start from: a bundle opened, data asked for as in training, a moment."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ascribe.cli.options import listed
from ascribe.console import err
from ascribe.core.durations import in_words
from ascribe.core.errors import InputError, extra

if TYPE_CHECKING:
    from ascribe.bundle.forecast import Forecaster
    from ascribe.train.series.options import SeriesOptions

__all__ = [
    "Column", "Exogenous", "Only", "Query", "Wanted", "Zone", "moment_of", "opened_forecaster", "series_asked",
    "series_read",
]  # fmt: skip


def opened_forecaster(folder: Path) -> Forecaster:
    from ascribe.bundle.archive import open_directory
    from ascribe.bundle.forecast import open_forecaster

    return open_forecaster(open_directory(folder))


Time = Annotated[str | None, typer.Option("--time", help="column of times (default: as in training)")]
Value = Annotated[str | None, typer.Option("--value", help="column of values, or a,b of a wide table")]
Column = Annotated[str | None, typer.Option("--series", help="column that names the series, where rows are of several")]
Query = Annotated[str | None, typer.Option("--query", help="SQL, where --data is a database")]
Only = Annotated[str | None, typer.Option("--only", help="a,b: these series alone (default: all)")]
Exogenous = Annotated[str | None, typer.Option("--exogenous", help="a,b: further columns that the model reads")]
Zone = Annotated[str | None, typer.Option("--zone", help="of times that say none, and of the calendar: Europe/Paris")]


@dataclass(frozen=True)
class Wanted:
    """Where the series are in the data, an option each."""

    time: Time = None
    value: Value = None
    series: Column = None
    query: Query = None
    only: Only = None
    exogenous: Exogenous = None
    zone: Zone = None


def series_asked(opened: Forecaster, data: str, wanted: Wanted, last: str | None = None) -> SeriesOptions:
    """Columns as they were in training, unless they are named."""
    with extra("train", "polars"):
        from ascribe.train.series.options import SeriesOptions
    told, curves = opened.told, opened.curves
    column = str(told.get("value") or "")
    by = wanted.series or (None if wanted.value else told.get("by") or None)  # other columns: other data
    several = len(curves.series) > 1 and by is None
    trained = tuple(told.get("values") or ())  # an older bundle does not say
    values = listed(wanted.value) or trained or (tuple(curves.series) if several else (column,))
    if several and not wanted.value and not trained and column.replace(" ", "").isidentifier():
        raise InputError(
            f"this model knows {len(curves.series)} series: name the column that tells them with --series, or the one "
            "of values with --value where the data is of one series"
        )
    return SeriesOptions(
        data, wanted.time or str(told.get("time") or ""), values, by, wanted.query,
        in_words(curves.window.step_s), last, listed(wanted.only), listed(wanted.exogenous) or curves.exogenous,
        wanted.zone or curves.zone, curves.unit, now_s=clock.time(),
    )  # fmt: skip


def series_read(options: SeriesOptions) -> Any:
    from ascribe.train.series.read import read_series

    held = read_series(options)
    for line in held.told():
        err.print(line, highlight=False)
    return held


def moment_of(text: str | None) -> float | None:
    """ISO 8601; without an offset it is UTC. Raises InputError."""
    if text is None:
        return None
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InputError(f"--at {text} is no time: write 2026-01-31T12:00:00Z") from exc
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
