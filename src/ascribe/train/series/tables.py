"""Rows from where they lie, as one table of the columns that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ascribe.bundle.manifest import digest
from ascribe.core.errors import InputError, LakeError, SchemaError
from ascribe.core.words import listed
from ascribe.train.frame import read_frame
from ascribe.train.series.options import SeriesOptions
from ascribe.train.series.sql import is_sql, read_sql, shown

__all__ = ["is_delta", "rows_of"]

DAY_S = 86400


def rows_of(options: SeriesOptions) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The columns of `options`, in the order of the rows, and where they are from, for a bundle's lineage.

    Raises InputError, SchemaError for a column that is not there, LakeError, SourceError.
    """
    origin: dict[str, Any]
    if is_sql(options.data):
        table, origin = read_sql(options.data, options.query), {"data": shown(options.data), "query": options.query}
    elif options.query is not None:
        raise InputError(f"--query is for a database: {options.data} is none")
    elif is_delta(options.data):
        table, version = _delta(options)
        origin = {"data": options.data, "lake_version": version}
    else:
        path = Path(options.data)
        table, origin = read_frame(path), {"data": path.name, "sha256": digest(path.read_bytes())}
    _checked(table.columns, options.columns)
    table = table.select(options.columns)
    if table.is_empty():
        raise InputError(f"{origin['data']} has no rows" + (" for this query" if options.query else ""))
    return table, {**origin, "rows": len(table)}


def is_delta(data: str) -> bool:
    """A directory with a log of Delta, or an object store's URL that is no single file."""
    if data.startswith(("s3://", "file://")):
        return Path(data).suffix not in (".parquet", ".csv", ".gz", ".arrow", ".feather")
    return Path(data).is_dir()


def _delta(options: SeriesOptions) -> tuple[pl.DataFrame, int]:
    """Columns of a Delta table; of one that is parted by day only the days that `last` may reach."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    from ascribe.train.lake.reading import files_of, newest_days, thinned

    uri = options.data.removeprefix("file://").rstrip("/")
    try:
        held = DeltaTable(uri, version=options.version)
        _checked([f.name for f in held.schema().fields], options.columns)
        files = files_of(held)
        if options.last_s is not None and "partition.day" in files.columns:
            files = newest_days(files, int(options.last_s // DAY_S) + 2)
        table = pl.from_arrow(thinned(held, files, options.columns))
    except (DeltaError, OSError) as exc:
        first = str(exc).splitlines()[0]
        raise LakeError(
            f"no Delta table can be read at {uri} ({first}): is it a lake, and has it that version?"
        ) from exc
    assert isinstance(table, pl.DataFrame)
    return table, int(held.version())


def _checked(there: Sequence[str], wanted: Sequence[str]) -> None:
    if missing := [name for name in wanted if name not in there]:
        raise SchemaError(f"there is no column {listed(missing)}; the data has {listed(list(there), 12)}")
