"""Tensors of the Open Inference Protocol: to rows, and from answers. Both doors read and write here, so they agree.

    x (b, n)                  all features in the model's order, or
    <feature> (b,) or (b, 1)  a tensor for each feature, in any order

Numbers become float64, exactly, but for integers beyond 2^53. A shape is checked against the number of elements before
anything is made of it; at most two axes, so that no product is large.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan, prod
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import InputError
from ascribe.core.words import listed, quoted
from ascribe.serve.codec import check_rows_limit
from ascribe.serve.faults import TooLargeError
from ascribe.serve.messages import AttributionResponse, PredictionResponse
from ascribe.serve.rows import Row, repeated

__all__ = [
    "DATATYPES", "MATRIX", "OUTPUTS", "Tensor", "answered", "checked_outputs", "explained", "from_json", "from_raw",
    "from_values", "raw", "rows_of",
]  # fmt: skip

DATATYPES = {
    "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4",
    "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
MOST_EMPTY = 1 << 60  # numpy counts the bytes of float64 as if no size were 0
MATRIX = "x"
OUTPUTS = ("prediction", "attribution", "base_value", "residual", "stderr", "status")
PREDICTED = {"prediction", "status"}  # what a prediction alone has
NESTED = re.compile(rb"\s*\[\s*\[")

_floats = msgspec.json.Decoder(list[float])
_float_rows = msgspec.json.Decoder(list[list[float]])
_ints = msgspec.json.Decoder(list[int])
_int_rows = msgspec.json.Decoder(list[list[int]])


@dataclass(frozen=True, eq=False)
class Tensor:
    """`data`: numbers of `shape`, float64 once read; texts (row by row) where `datatype` is BYTES."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: np.ndarray | list[str]


def from_json(name: str, datatype: str, shape: Sequence[int], data: bytes) -> Tensor:
    """`data`: JSON, flat or nested as `shape` says. Raises InputError."""
    _check(name, datatype, shape)
    if datatype == "FP16":
        raise InputError(f"tensor {quoted(name)} is FP16 in JSON: send FP16 as binary data, or FP32")
    floating, nested = datatype.startswith("FP"), NESTED.match(data) is not None
    flat: list[Any] = []
    rows: list[list[Any]] = []
    try:
        if nested:
            rows = list((_float_rows if floating else _int_rows).decode(data))
        else:
            flat = list((_floats if floating else _ints).decode(data))
    except UNREADABLE as exc:
        hint = "numbers only, in at most two levels; JSON has no NaN or Infinity"
        raise InputError(f"data of tensor {quoted(name)} cannot be read as {datatype}: {exc}; {hint}") from exc
    if not nested:
        return from_values(name, datatype, shape, flat)
    if len(shape) != 2 or len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
        raise InputError(f"data of tensor {quoted(name)} is nested otherwise than its shape {list(shape)} says")
    return from_values(name, datatype, shape, [value for row in rows for value in row])


def from_values(name: str, datatype: str, shape: Sequence[int], values: Sequence[float]) -> Tensor:
    """Row by row. Raises InputError for another number of values, or one that the datatype cannot hold."""
    expected = _check(name, datatype, shape)
    if len(values) != expected:
        raise InputError(f"tensor {quoted(name)} of shape {list(shape)} has {expected} elements, not {len(values)}")
    try:
        with np.errstate(over="ignore"):  # becomes infinite, which is the row's fault
            held = np.fromiter(values, DATATYPES[datatype], expected)
    except (OverflowError, ValueError, TypeError) as exc:
        raise InputError(f"tensor {quoted(name)} holds a number that is no {datatype}: send a wider type") from exc
    return Tensor(name, datatype, tuple(shape), held.astype(float).reshape(shape))


def from_raw(name: str, datatype: str, shape: Sequence[int], data: bytes | memoryview) -> Tensor:
    """Little-endian, row by row, without padding. Raises InputError for another number of bytes."""
    expected = _check(name, datatype, shape) * np.dtype(DATATYPES[datatype]).itemsize
    if len(data) != expected:
        text = f"of shape {list(shape)} and {datatype} has {expected} bytes, not {len(data)}"
        raise InputError(f"tensor {quoted(name)} {text}")
    held = np.frombuffer(data, DATATYPES[datatype])
    return Tensor(name, datatype, tuple(shape), held.astype(float).reshape(shape))


def _check(name: str, datatype: str, shape: Sequence[int]) -> int:
    """Elements of a shape that can be used. Raises InputError."""
    if datatype in ("BOOL", "BYTES"):
        raise InputError(f"tensor {quoted(name)} is {datatype}: features are numbers, send FP64, FP32 or integers")
    if datatype not in DATATYPES:
        raise InputError(f"tensor {quoted(name)} has datatype {quoted(datatype)}: use {listed(list(DATATYPES))}")
    if not 1 <= len(shape) <= 2:
        raise InputError(f"tensor {quoted(name)} has {len(shape)} axes: send [rows, features], or [rows] by feature")
    if any(size < 0 or size >= 1 << 63 for size in shape):
        raise InputError(f"tensor {quoted(name)} has a size in its shape that no tensor has: sizes are 0 to 2^63 - 1")
    if 0 in shape and max(shape) >= MOST_EMPTY:
        raise InputError(f"tensor {quoted(name)} of shape {list(shape)} has no elements: send at least one row")
    return prod(shape)


def rows_of(tensors: Sequence[Tensor], max_rows: int) -> list[Row]:
    """Rows of `x`, or of a tensor for each feature. Raises InputError, TooLargeError."""
    names = [tensor.name for tensor in tensors]
    if not tensors:
        raise InputError(f"inputs is empty: send '{MATRIX}' [rows, features], or a tensor for each feature")
    if names == [MATRIX] and len(tensors[0].shape) == 2:
        (matrix,) = tensors
        _check_rows(matrix.shape[0], max_rows)
        return [Row(values=values) for values in np.asarray(matrix.data).tolist()]
    if again := repeated(names):
        raise InputError(f"tensor {quoted(again[0])} is given twice: give each feature once")
    b = tensors[0].shape[0]
    for tensor in tensors:
        if tensor.shape[1:] not in ((), (1,)):
            hint = f"a feature's tensor is [rows] or [rows, 1]; all features together are named '{MATRIX}'"
            raise InputError(f"tensor {quoted(tensor.name)} has shape {list(tensor.shape)}: {hint}")
        if tensor.shape[0] != b:
            raise InputError(f"tensor {quoted(tensor.name)} has {tensor.shape[0]} rows, {quoted(names[0])} has {b}")
    _check_rows(b, max_rows)
    columns = np.column_stack([np.ravel(np.asarray(tensor.data)) for tensor in tensors])
    return [Row(names=names, values=values) for values in columns.tolist()]


def _check_rows(count: int, max_rows: int) -> None:
    if not count:
        raise InputError("the tensors have no rows: send at least one")
    check_rows_limit(count, max_rows)


def checked_outputs(names: Iterable[str]) -> tuple[str, ...]:
    """Outputs asked for; none means all. Raises InputError for an unknown one, or one named twice."""
    asked = tuple(names) or OUTPUTS
    if len(asked) > len(OUTPUTS):
        raise TooLargeError(f"{len(asked)} outputs are asked for: there are {listed(OUTPUTS)}")
    for name in asked:
        if name not in OUTPUTS:
            raise InputError(f"no output {quoted(name)}: ask for {listed(OUTPUTS)}")
        if asked.count(name) > 1:
            raise InputError(f"output {quoted(name)} is asked for twice: name each once")
    return asked


def explained(names: Iterable[str]) -> bool:
    """Whether outputs need an explanation; prediction and status alone do not."""
    return not PREDICTED.issuperset(names)


def answered(names: Sequence[str], answer: AttributionResponse | PredictionResponse) -> list[Tensor]:
    """Outputs of an answer in the asked order; NaN where a row has no such number.

    prediction, base_value, residual (b, 1); attribution, stderr (b, p); status (b, 1) of texts.
    residual = prediction - base_value - sum(attribution).
    """
    if isinstance(answer, PredictionResponse):
        held = {"prediction": _column(row.prediction for row in answer.predictions)}
        status = [row.status for row in answer.predictions]
    else:
        held = _explained(answer)
        status = [row.status for row in answer.attributions]
    words = Tensor("status", "BYTES", (len(status), 1), status)
    return [words if name == "status" else Tensor(name, "FP64", held[name].shape, held[name]) for name in names]


def _explained(answer: AttributionResponse) -> dict[str, np.ndarray]:
    rows, players = answer.attributions, answer.features
    f, base = _column(row.prediction for row in rows), _column(row.base_value for row in rows)
    if answer.layout != "table":
        n = prod(answer.shape)
        phi, stderr = (_flat([getattr(row, name) for row in rows], n) for name in ("values", "stderr_values"))
    else:
        phi = _table([row.attribution_shares for row in rows], players)
        stderr = _table([row.stderr for row in rows], players)
    return {
        "prediction": f,
        "attribution": phi,
        "base_value": base,
        "residual": f - base - phi.sum(axis=1, keepdims=True),
        "stderr": stderr,
    }


def _flat(rows: Sequence[list[float]], n: int) -> np.ndarray:
    """(b, n) of pictures or texts; a row that has none becomes NaN."""
    return np.array([row or [nan] * n for row in rows], dtype=float)


def _column(numbers: Iterable[float | None]) -> np.ndarray:
    """(b, 1); None becomes NaN."""
    return np.array([[nan if number is None else number] for number in numbers])


def _table(rows: Sequence[dict[str, float]], names: Sequence[str]) -> np.ndarray:
    """(b, p); a name that a row lacks becomes NaN."""
    flat = (row.get(name, nan) for row in rows for name in names)
    return np.fromiter(flat, float, len(rows) * len(names)).reshape(len(rows), len(names))


def raw(tensor: Tensor) -> bytes:
    """Little-endian, row by row; a text is its length in four bytes, then UTF-8."""
    if isinstance(tensor.data, list):
        texts = [text.encode() for text in tensor.data]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return tensor.data.astype(DATATYPES[tensor.datatype]).tobytes()
