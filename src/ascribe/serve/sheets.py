"""CSV and Parquet to rows, and an answer to either: the files that people have, at the door.

A file is not trusted: its rows and columns are counted before they are read, a column of texts is read by its
dictionary (a few bytes may stand for gigabytes otherwise), and only plain columns are taken. `id` and `measured_w` are
what they are in an Arrow request; columns that the model does not take are left out, as `ascribe explain` does.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from ascribe.bundle.answers import table_of
from ascribe.core.answer import Answer
from ascribe.core.errors import InputError
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.faults import TooLargeError
from ascribe.serve.rows import Row, repeated

__all__ = ["CSV", "PARQUET", "READERS", "Sheet", "listed_rows", "rows_of", "written"]

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
ID, METER = "id", "measured_w"
LONGEST = 1000  # characters of a text in a table
LONGEST_NAME = 200  # bytes of a column's name where rows say it again and again
NUMBER_BYTES = 8  # about, of one as JSON
COLUMNS = 1 << 15
AS_WRITTEN = pyarrow.csv.ConvertOptions(column_types={ID: pa.string()})  # 007 is no number
BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of plain columns, and the names of those that could not be read as such."""

    table: pa.Table
    left_out: tuple[str, ...] = ()


def read_csv(body: bytes, max_rows: int, wanted: Sequence[str] | None = None) -> Sheet:
    """UTF-8 with a line of names; `wanted`: columns to take, all where None. Raises InputError, TooLargeError."""
    head = body.partition(b"\n")[0]
    if head.count(b",") >= COLUMNS:
        raise TooLargeError(f"the CSV has more than {COLUMNS} columns")
    codec.check_rows_limit(max(1, body.count(b"\n") - 1), max_rows)  # at least; a line break may stand in a quoted text
    try:
        table = pyarrow.csv.read_csv(io.BytesIO(body), convert_options=AS_WRITTEN)
    except BROKEN as exc:
        raise InputError(f"the body is no CSV ({_first(exc)}): send UTF-8 with a line of names first") from exc
    return _sheet(table, max_rows, wanted)


def read_parquet(body: bytes, max_rows: int, wanted: Sequence[str] | None = None) -> Sheet:
    """As `read_csv`."""
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(body))
        schema = file.schema_arrow
        codec.check_rows_limit(max(1, file.metadata.num_rows), max_rows)
        if len(schema) > COLUMNS:
            raise TooLargeError(f"the Parquet file has more than {COLUMNS} columns")
        names = [f.name for f in schema if _plain(f.type) and (wanted is None or f.name in (*wanted, ID, METER))]
        texts = [f.name for f in schema if f.name in names and _text(f.type)]
        file = pyarrow.parquet.ParquetFile(io.BytesIO(body), read_dictionary=texts)
        table = file.read(columns=names, use_threads=False)
    except InputError:
        raise
    except BROKEN as exc:
        raise InputError(f"the body is no Parquet file ({_first(exc)}): is it complete?") from exc
    gone = tuple(f.name for f in schema if f.name not in names)
    return _sheet(table, max_rows, wanted, gone)


READERS = {CSV: read_csv, PARQUET: read_parquet}


def rows_of(sheet: Sheet) -> list[Row]:
    """A row each: numbers and texts by name. What fits no feature is that row's problem."""
    table = sheet.table
    ids = _texts(table[ID]) if ID in table.column_names else [""] * table.num_rows
    meter = table[METER].to_pylist() if METER in table.column_names else [None] * table.num_rows
    names = [name for name in table.column_names if name not in (ID, METER)]
    columns = [table[name].to_pylist() for name in names]
    vectors = zip(*columns, strict=True) if columns else [()] * table.num_rows
    return [Row(i, names, list(v), None, m) for i, v, m in zip(ids, vectors, meter, strict=True)]


def listed_rows(sheet: Sheet, most_bytes: int) -> list[dict[str, Any]]:
    """Values by name, row by row, of at most about so many bytes as JSON: every row says every name again, and a text
    that a file has once may stand in all of them. Raises InputError for a long name, TooLargeError.
    """
    table, size = sheet.table, 0
    for name in table.column_names:
        if len(name.encode()) > LONGEST_NAME:
            raise InputError(
                f"column {quoted(name, 20)} has a name of more than {LONGEST_NAME} bytes: give it a shorter one"
            )
        size += table.num_rows * (len(name.encode()) + NUMBER_BYTES) + _text_bytes(table[name])
    if size > most_bytes:
        raise TooLargeError(
            f"the rows would take about {size} bytes with a name at every value, the limit of this server is "
            f"{most_bytes}: send fewer rows or columns"
        )
    return list(table.to_pylist())


def written(answer: Answer, media: str, more: Mapping[str, Sequence[Any]]) -> bytes:
    """The table that `ascribe explain` writes, with `more` columns at its end."""
    table = table_of(answer)
    for name, values in more.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.array(values, pa.float64()))
    out = io.BytesIO()
    if media == PARQUET:
        pyarrow.parquet.write_table(table, out, compression="zstd")
    else:
        pyarrow.csv.write_csv(table.replace_schema_metadata(None), out)
    return out.getvalue()


def _sheet(table: pa.Table, max_rows: int, wanted: Sequence[str] | None, gone: tuple[str, ...] = ()) -> Sheet:
    if not table.num_rows:
        raise InputError("the table has no rows: send at least one")
    codec.check_rows_limit(table.num_rows, max_rows)
    if again := repeated(table.column_names):
        raise InputError(f"column {quoted(again[0])} is given twice: give each column once")
    kept = [
        f.name for f in table.schema if _plain(f.type) and (wanted is None or f.name in (*wanted, ID, METER))
    ]  # fmt: skip
    for name in kept:
        if _text(table[name].type):
            _check_texts(name, table[name])
    left = tuple(name for name in table.column_names if name not in kept)
    return Sheet(table.select(kept), (*gone, *left))


def _check_texts(name: str, column: pa.ChunkedArray) -> None:
    for chunk in column.chunks:
        held = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        longest = pc.max(pc.binary_length(held)).as_py()
        if longest is not None and longest > LONGEST:
            raise TooLargeError(f"column {quoted(name)} has a text of {longest} bytes, the limit is {LONGEST}")


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Of a column of texts, laid out; 0 of numbers."""
    if not _text(column.type):
        return 0
    return sum(pc.sum(_lengths(chunk)).as_py() or 0 for chunk in column.chunks)


def _lengths(chunk: pa.Array) -> pa.Array:
    """Bytes of each text; of a dictionary without laying its texts out."""
    if pa.types.is_dictionary(chunk.type):
        return pc.take(pc.binary_length(chunk.dictionary), chunk.indices)
    return pc.binary_length(chunk)


def _plain(kind: pa.DataType) -> bool:
    t = pa.types
    empty = t.is_null(kind)  # a column of nothing but empty cells
    return empty or t.is_integer(kind) or t.is_floating(kind) or t.is_boolean(kind) or _text(kind)


def _text(kind: pa.DataType) -> bool:
    t = pa.types
    held = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_string(held) or t.is_large_string(held))


def _texts(column: pa.ChunkedArray) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _first(exc: BaseException) -> str:
    return (str(exc).splitlines() or ["no reason given"])[0].rstrip(".")[:200]
