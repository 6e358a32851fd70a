"""Files: JSON lines as messages are, or tables (Parquet, CSV, Arrow) whose columns are the fields and features.

A file is one stream, named by the sha256 of its bytes: taken twice, it is kept once.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ascribe.bundle.manifest import digest
from ascribe.core.errors import InputError, SchemaError
from ascribe.train.frame import read_frame
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.moments import timestamp_us
from ascribe.train.sources.source import Held
from ascribe.train.vectors import RESERVED, Batch, Places, Vectors

__all__ = ["Columns", "FileSource"]

AT_ONCE = 25_000
MILLISECONDS = {"ms": 1, "s": 1000}
LINES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what. `node`: one, or several that name it together, or `=NAME` for the name itself
    where the file is of one node; `id`: none makes ids from node and row number, but where there is the column, a row
    has its own or is refused; `features`: none takes every numeric column that is left. `time_unit` of a number: ms, s.
    """

    node: tuple[str, ...] = ("node",)
    time: str = "timestamp"
    power: str = "power_w"
    id: str | None = "id"
    features: tuple[str, ...] | None = None
    time_unit: str = "ms"

    def __post_init__(self) -> None:
        if self.time_unit not in MILLISECONDS:
            raise InputError(f"--time-unit is {' or '.join(MILLISECONDS)}, not '{self.time_unit}'")


class FileSource:
    """Raises InputError for a file that cannot be read, SchemaError for one that lacks a column."""

    def __init__(self, path: Path, decoder: Decoder, columns: Columns | None = None) -> None:
        self._path, self._decoder, self._columns = path, decoder, columns or Columns()
        try:
            raw = path.read_bytes()
        except OSError as exc:
            raise InputError(f"{path} cannot be read ({exc.strerror})") from exc
        self._stream = f"file:{digest(raw)}"
        self._left = 0
        name = path.name.removesuffix(".gz")
        self._lines = self._unzipped(raw).splitlines() if name.endswith(LINES) else None

    def batches(self, held: Held) -> Iterator[Batch]:
        start = held(self._stream) or 0
        if self._lines is not None:
            parts: Callable[[int, int], Batch] = self._from_lines
            count = len(self._lines)
        else:
            frame = read_frame(self._path)
            parts, count = self._table(frame), len(frame)
        self._left = max(0, count - start)
        for at in range(start, count, AT_ONCE):
            end = min(at + AT_ONCE, count)
            self._left = count - end
            yield parts(at, end)

    def idle(self) -> bool:
        return not self._left

    def kept(self, ends: Mapping[str, int]) -> None:
        """The lake remembers."""

    def lag(self) -> dict[str, int]:
        return {self._stream: self._left}

    def close(self) -> None:
        """Nothing is held open."""

    def _unzipped(self, raw: bytes) -> bytes:
        if self._path.suffix != ".gz":
            return raw
        try:
            return gzip.decompress(raw)
        except (OSError, EOFError) as exc:
            raise InputError(f"{self._path} cannot be unpacked ({exc}): is it complete?") from exc

    def _from_lines(self, at: int, end: int) -> Batch:
        assert self._lines is not None
        count = end - at
        vectors, dead = self._decoder.decode(
            self._lines[at:end], (self._stream,), np.zeros(count, int), np.arange(at, end)
        )
        return Batch(vectors, {self._stream: end}, dead)

    def _table(self, frame: pl.DataFrame) -> Callable[[int, int], Batch]:
        c = self._columns
        own_names = [name for name in c.node if not name.startswith("=")]
        if missing := [name for name in (*own_names, c.time, *(c.features or ())) if name not in frame.columns]:
            raise SchemaError(
                f"{self._path} has no column {missing[0]}: say which it is with --node, --time or --power"
            )
        taken = {*c.node, c.time, c.power, c.id, *RESERVED}
        names = c.features or tuple(n for n in frame.columns if frame[n].dtype.is_numeric() and n not in taken)
        parts = [pl.lit(name[1:]) if name.startswith("=") else pl.col(name) for name in c.node]
        nodes = frame.with_columns(pl.concat_str(parts, separator="/").fill_null("").alias("node"))["node"]
        times = np.array([_time(self._path, t) for t in _moments(frame[c.time], MILLISECONDS[c.time_unit])], np.int64)
        power = frame[c.power].cast(pl.Float64, strict=False) if c.power in frame.columns else None
        watts = np.full(len(frame), np.nan) if power is None else power.fill_null(np.nan).to_numpy()
        X = frame.select(pl.col(n).cast(pl.Float64, strict=False).fill_null(np.nan) for n in names).to_numpy()
        own = frame[c.id].cast(pl.String).fill_null("").to_list() if c.id in frame.columns else None

        def part(at: int, end: int) -> Batch:
            here = nodes[at:end].to_list()
            ids = own[at:end] if own else [f"{node}#{at + i}" for i, node in enumerate(here)]
            places = Places((self._stream,), np.zeros(end - at, int), np.arange(at, end))
            v = Vectors(ids, here, times[at:end], watts[at:end], names, X[at:end], places)
            return Batch((v,), {self._stream: end})

        return part


def _moments(column: pl.Series, unit_ms: int) -> list[int | float | str | None]:
    """As messages write them: epoch milliseconds or RFC 3339."""
    if column.dtype.is_numeric():  # not in the column's own type: milliseconds of today are beyond 32 bits
        return [None if t is None else t * unit_ms for t in column.to_list()]
    if column.dtype == pl.Datetime or column.dtype == pl.Date:
        return column.dt.epoch("ms").to_list()
    return column.to_list()


def _time(path: Path, said: int | float | str | None) -> int:
    us = None if said is None else timestamp_us(said)
    if us is None:
        raise InputError(f"{path}: time {said!r} is neither epoch milliseconds nor RFC 3339 with an offset")
    return us
