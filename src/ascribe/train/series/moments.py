"""Times as tables write them -> seconds since 1970 UTC; which cannot be read, and what was taken for granted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from ascribe.bundle.zones import UTC, clock
from ascribe.core.errors import SchemaError
from ascribe.core.forecast.calendar import YEARS_S

__all__ = ["Moments", "moments"]

LARGE = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (np.inf, 1e9))  # below: seconds, ms, µs, ns
OFFSET = r"(?:[zZ]|[+-]\d{2}(?::?\d{2})?)$"
NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
US = 1_000_000
WAYS: tuple[Literal["earliest"], Literal["latest"]] = ("earliest", "latest")


@dataclass(frozen=True, eq=False)
class Moments:
    """time_s (rows,): NaN where there is a reason. `twice`: local times that came twice that day; `naive`: rows without
    a zone of their own; `zone`: that the calendar goes by.
    """

    time_s: np.ndarray
    reason: list[str]
    twice: np.ndarray
    naive: np.ndarray
    zone: str


def moments(column: pl.Series, who: pl.Series, zone: str | None) -> Moments:
    """`who`: the series of each row. Times with an offset say themselves when they are. Local times of `zone`:

        an hour that daylight saving left out    no time: the row has a reason
        an hour that came twice                  in the order of the rows of a series: before the times go back, the
                                                 first pass, afterwards the second

    Without a zone local times are taken as UTC. Whole numbers are epoch seconds, milliseconds, µs or ns by their size.

    Raises SchemaError for a column that holds no times.
    """
    if zone is not None:
        clock(zone)  # a wrong name is found here
    rows = len(column)
    if column.dtype.is_numeric():
        number = column.cast(pl.Float64).to_numpy()
        size = np.abs(np.nan_to_num(number, posinf=np.inf))
        time = number / np.select([size < edge for edge, _ in LARGE], [unit for _, unit in LARGE], 1.0)
        time = np.where((time < YEARS_S[0]) | (time > YEARS_S[1]), np.nan, time)  # no calendar says such a year
        no = np.zeros(rows, bool)
        return Moments(time, _reasons(column, time), no, no, zone or UTC)
    if column.dtype == pl.String:
        local, utc = _of_text(column)
    elif column.dtype in (pl.Datetime, pl.Date):
        if getattr(column.dtype, "time_zone", None):
            utc = column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
            local = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, rows)
        else:
            local = column.cast(pl.Datetime("us"))
            utc = pl.Series([None], dtype=pl.Datetime("us", "UTC")).new_from_index(0, rows)
    else:
        raise SchemaError(f"column {column.name} holds no times ({column.dtype}): name another with --time")
    frame = pl.DataFrame({"who": who, "local": local, "utc": utc}).with_row_index("at")
    first, second = (_in_zone(frame["local"], zone or UTC, way) for way in WAYS)
    twice = (first != second).fill_null(False)
    frame = frame.with_columns(first=first, second=second, twice=twice)
    before = pl.col("local").cum_max().shift(1).over("who", pl.col("local").dt.date(), "twice")
    chosen = pl.when(pl.col("twice") & (before >= pl.col("local"))).then("second").otherwise("first")
    frame = frame.with_columns(utc=pl.coalesce("utc", chosen))
    time = frame["utc"].dt.epoch("us").cast(pl.Float64).fill_null(np.nan).to_numpy() / US
    naive = frame["local"].is_not_null().to_numpy()
    reason = _reasons(column, time)
    for i in np.flatnonzero(naive & np.isnan(time)).tolist():
        reason[i] = f"no such time in {zone} ({local[i]}): clocks were put forward"
    return Moments(time, reason, frame["twice"].to_numpy(), naive, zone or UTC)


def _of_text(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Local times, and times with an offset in UTC; null where a text is not the one or the other."""
    text = column.str.strip_chars().str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T")
    offset = text.str.contains(rf"T.*{OFFSET}")
    plain = text.to_frame("t").select(pl.when(~offset).then("t"))["t"]
    local = plain.to_frame("t").select(
        pl.coalesce(pl.col("t").str.to_datetime(form, time_unit="us", strict=False) for form in NAIVE)
    )["t"]
    said = text.str.replace("[zZ]$", "+00:00").to_frame("t").select(pl.when(offset).then("t"))["t"]
    said = said.str.replace(r"([+-]\d{2})$", "${1}:00")  # as PostgreSQL writes whole hours
    seconds = said.str.replace(r"(T\d{2}:\d{2})([+-])", "${1}:00${2}")
    utc = seconds.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False)
    return local, utc


def _in_zone(local: pl.Series, zone: str, ambiguous: Literal["earliest", "latest"]) -> pl.Series:
    return local.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null").dt.convert_time_zone("UTC")


def _reasons(column: pl.Series, time: np.ndarray) -> list[str]:
    reason = [""] * len(time)
    for i in np.flatnonzero(~np.isfinite(time)).tolist():
        reason[i] = "no time" if column[i] is None else f"no time ({str(column[i])[:40]!r})"
    return reason
