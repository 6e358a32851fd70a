"""Arrow IPC streams to rows and answers to streams: a column for each feature, `id` and `measured_w` if wanted.

An answer has the columns that `ascribe explain` writes, with `id` first and `measured_w`, `unexplained_w` last where
the request had them; what an answer says beside its rows is JSON in the schema's metadata, under `ascribe`. A number
that does not exist is null.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from ascribe.core.errors import InputError
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.messages import AttributionResponse, PredictionResponse
from ascribe.serve.rows import Row, repeated

__all__ = ["MEDIA", "Rows", "read", "write"]

MEDIA = "application/vnd.apache.arrow.stream"
ID, METER = "id", "measured_w"
HEADER = 2  # Message.fbs: a message's field that holds its header
LENGTH, COMPRESSION = 0, 3  # the same, of a record batch: its rows, its codec
BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, struct.error)


@dataclass(frozen=True)
class Rows:
    """Rows of a table, and whether it named and measured them."""

    rows: list[Row]
    named: bool
    measured: bool


def read(body: bytes, max_rows: int) -> Rows:
    """Raises InputError for what is no uncompressed stream of numbers, TooLargeError for too many rows.

    Rows are counted before any is read; every column is validated before it is read.
    """
    try:
        count = _claimed(body)
        if not count:
            raise InputError("the table has no rows: send at least one")
        codec.check_rows_limit(count, max_rows)
        with pa.ipc.open_stream(pa.BufferReader(body)) as stream:
            schema, batches = stream.schema, list(stream)
        for batch in batches:
            batch.validate(full=True)
        names = list(schema.names)
    except InputError:
        raise
    except BROKEN as exc:
        first = (str(exc).splitlines() or ["no reason given"])[0].rstrip(".")
        raise InputError(f"the body is no Arrow IPC stream ({first[:200]}): is it complete?") from exc
    if again := repeated(names):
        raise InputError(f"column {quoted(again[0])} is given twice: give each column once")
    columns = {field.name: _column(field, pa.chunked_array([b[k] for b in batches])) for k, field in enumerate(schema)}
    ids = [text or "" for text in columns.pop(ID)] if ID in columns else [""] * count
    meter = columns.pop(METER) if METER in names else [None] * count
    if not columns:
        raise InputError("the table has no feature: send a column for each")
    features, vectors = list(columns), zip(*columns.values(), strict=True)
    rows = [Row(i, features, v, None, m) for i, v, m in zip(ids, vectors, meter, strict=True)]
    return Rows(rows, ID in names, METER in names)


def _claimed(body: bytes) -> int:
    """Rows that a stream says to hold, before any is read. Only a schema and uncompressed batches are let through, so
    that whatever is in memory afterwards came over the wire.

    Raises InputError, and pyarrow's errors for what is no stream.
    """
    reader, count = pa.BufferReader(body), 0
    while True:
        try:
            message = pa.ipc.read_message(reader)
        except EOFError:
            return count
        if message.type not in ("schema", "record batch"):
            raise InputError(f"the Arrow stream has a {message.type}: send plain columns, not dictionaries or tensors")
        if message.type == "record batch":
            count += _batch_rows(message.metadata.to_pybytes())


def _batch_rows(flat: bytes) -> int:
    """Rows that a batch's header, a flatbuffer that pyarrow has verified, says to hold. Raises InputError if it names a
    codec.
    """
    header = _field(flat, struct.unpack_from("<I", flat, 0)[0], HEADER)
    if header is None:
        return 0
    batch = header + struct.unpack_from("<I", flat, header)[0]
    if _field(flat, batch, COMPRESSION) is not None:
        raise InputError("the Arrow stream is compressed: write it without compression")
    at = _field(flat, batch, LENGTH)
    rows = 0 if at is None else int(struct.unpack_from("<q", flat, at)[0])
    if rows < 0:
        raise InputError("the Arrow stream has a batch of fewer than no rows: is it complete?")
    return rows


def _field(flat: bytes, table: int, number: int) -> int | None:
    """Where a table's field lies; None where it is left out."""
    words = table - struct.unpack_from("<i", flat, table)[0]
    slot = 4 + 2 * number
    if slot + 2 > struct.unpack_from("<H", flat, words)[0]:
        return None
    offset = struct.unpack_from("<H", flat, words + slot)[0]
    return table + offset if offset else None


def _column(field: pa.Field, held: pa.ChunkedArray) -> list[Any]:
    """A column's numbers (texts for `id`); None where null. Raises InputError for another type."""
    kind = pa.types
    if field.name == ID:
        if not (kind.is_string(field.type) or kind.is_large_string(field.type)):
            raise InputError(f"column id is {quoted(field.type)}: ids are texts")
        return list(held.to_pylist())
    if not (kind.is_integer(field.type) or kind.is_floating(field.type)):
        text = f"column {quoted(field.name)} is {quoted(field.type)}, not numbers"
        raise InputError(f"{text}: leave it out, or convert it")
    return list(held.cast(pa.float64(), safe=False).to_pylist())


def write(answer: AttributionResponse | PredictionResponse, asked: Rows) -> bytes:
    """A stream of one batch."""
    rows: Sequence[Any]
    columns: list[tuple[str, pa.DataType, list[Any]]] = []
    number, text = pa.float64(), pa.string()
    if isinstance(answer, PredictionResponse):
        rows, but = answer.predictions, "predictions"
        columns += [("prediction", number, [row.prediction for row in rows])]
    else:
        rows, but = answer.attributions, "attributions"
        columns += [(name, number, [getattr(row, name) for row in rows]) for name in ("prediction", "base_value")]
        columns += [(name, number, [row.attribution_shares.get(name) for row in rows]) for name in answer.features]
        columns += [(f"stderr_{name}", number, [row.stderr.get(name) for row in rows]) for name in answer.features]
        columns += [("ess", number, [row.ess for row in rows])]
    columns += [(name, text, [getattr(row, name) for row in rows]) for name in ("status", "reason")]
    if asked.named:
        columns.insert(0, (ID, text, [row.id for row in rows]))
    if asked.measured:
        columns += [(name, number, [getattr(row, name) for row in rows]) for name in (METER, "unexplained_w")]
    said = codec.encode({name: getattr(answer, name) for name in answer.__struct_fields__ if name != but})
    schema = pa.schema([(name, kind) for name, kind, _ in columns], metadata={"ascribe": said})
    batch = pa.record_batch([pa.array(values, kind) for _, kind, values in columns], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())
