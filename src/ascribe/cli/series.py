"""What the commands of forecasts start from: a bundle opened, data asked for as in training, a moment."""

from __future__ import annotations

import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ascribe.cli.options import extra, listed
from ascribe.console import err
from ascribe.core.durations import in_words
from ascribe.core.errors import InputError

if TYPE_CHECKING:
    from ascribe.bundle.forecast import Forecaster
    from ascribe.train.series.options import SeriesOptions

__all__ = ["moment_of", "open_bundle", "series_asked", "series_read"]


def open_bundle(folder: Path) -> Forecaster:
    from ascribe.bundle.archive import open_directory
    from ascribe.bundle.forecast import open_forecaster

    return open_forecaster(open_directory(folder))


def series_asked(
    opened: Forecaster, data: str, time: str | None, value: str | None, series: str | None, query: str | None,
    last: str | None, only: str | None, exogenous: str | None, zone: str | None,
) -> SeriesOptions:  # fmt: skip
    """Columns as they were in training, unless they are named."""
    with extra("train", "polars"):
        from ascribe.train.series.options import SeriesOptions
    told, curves = opened.told, opened.curves
    column = str(told.get("value") or "")
    by = series or told.get("by") or None
    several = len(curves.series) > 1 and by is None
    values = listed(value) or (tuple(curves.series) if several else (column,))
    if several and not value and column.replace(" ", "").isidentifier():
        raise InputError(
            f"this model knows {len(curves.series)} series: name the column that tells them with --series, or the one "
            "of values with --value where the data is of one series"
        )
    return SeriesOptions(
        data, time or str(told.get("time") or ""), values, by, query,
        in_words(curves.window.step_s), last, listed(only), listed(exogenous) or curves.exogenous, zone or curves.zone,
        curves.unit, now_s=clock.time(),
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
