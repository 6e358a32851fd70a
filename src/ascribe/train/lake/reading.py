"""Reading a bounded part of the rows: the newest days, and of those every k-th row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import numpy as np
import polars as pl
import pyarrow as pa

from ascribe.core.errors import LakeError
from ascribe.train.lake.rows import DAY

__all__ = ["files_of", "newest_days", "thinned"]


def files_of(held: Any) -> pl.DataFrame:
    """The files of a Delta table from its log alone: path, rows, bytes, partition, time of writing."""
    frame = pl.from_arrow(pa.table(held.get_add_actions(flatten=True)))
    assert isinstance(frame, pl.DataFrame)
    return frame


def newest_days(files: pl.DataFrame, days: int | None = None, least: int | None = None) -> pl.DataFrame:
    """The files of the last `days` days that have rows, or of as many as hold `least` rows."""
    day = f"partition.{DAY}"
    by_day = files.group_by(day).agg(pl.col("num_records").sum()).sort(day, descending=True)
    if days is not None:
        by_day = by_day.head(days)
    if least is not None:
        by_day = by_day.filter(pl.col("num_records").cum_sum() - pl.col("num_records") < least)
    return files.filter(pl.col(day).is_in(by_day[day].implode()))


def thinned(held: Any, files: pl.DataFrame, columns: Sequence[str], most: int | None = None) -> pa.Table:
    """Rows of some files, all of them or every k-th so that at most `most` are left; one file in memory at a time, in
    an order that depends on the files alone.

    Raises LakeError for a file that is gone, as those of old versions are after a compaction, or that is damaged.
    """
    try:
        return _read(held, files, columns, most)
    except FileNotFoundError as exc:
        raise LakeError(
            f"version {held.version()} of {held.table_uri} is gone, or a file of it: take a newer one"
        ) from exc
    except (pa.ArrowException, OSError) as exc:
        first = str(exc).splitlines()[0].rstrip(".")
        raise LakeError(f"version {held.version()} of {held.table_uri} cannot be read ({first})") from exc


def _read(held: Any, files: pl.DataFrame, columns: Sequence[str], most: int | None) -> pa.Table:
    dataset = held.to_pyarrow_dataset()
    count = int(files["num_records"].sum())
    k = 1 if most is None else max(1, -(-count // most))
    parts, seen = [], 0
    for fragment in _fragments(dataset, files):
        table = fragment.to_table(schema=dataset.schema, columns=list(columns))
        parts.append(table if k == 1 else table.take(np.arange(-seen % k, table.num_rows, k)))
        seen += table.num_rows
    if not parts:
        return pa.schema([dataset.schema.field(name) for name in columns]).empty_table()
    return pa.concat_tables(parts)


def _fragments(dataset: Any, files: pl.DataFrame) -> Iterator[Any]:
    """Of these files, in the order of their paths, which the log quotes once more than the file system does."""
    wanted = {unquote(path) for path in files["path"].to_list()}
    yield from sorted((f for f in dataset.get_fragments() if f.path in wanted), key=lambda f: f.path)
