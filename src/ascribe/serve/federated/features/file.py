"""Rows of a file, held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from ascribe.bundle.tables import read_table, refuse_repeated
from ascribe.core.errors import InputError
from ascribe.core.federated.table import Table

__all__ = ["ID", "FileFeatures", "read_rows"]

ID = "id"


class FileFeatures:
    """CSV, Parquet or Arrow with a column `id`. Raises InputError for a file without it, or with an id twice."""

    def __init__(self, place: str, columns: Sequence[str] = ()) -> None:
        ids, rows = read_rows(Path(place), columns)
        self._at = {name: i for i, name in enumerate(ids)}
        if len(self._at) < len(ids):
            twice = next(name for i, name in enumerate(ids) if self._at[name] != i)
            raise InputError(f"{place} has the id '{twice}' twice: give each row once")
        wanted = set(columns) or set(rows.columns)
        self._columns = {name: _and_nothing(held) for name, held in rows.columns.items() if name in wanted}
        if columns and not self._columns:
            raise InputError(f"{place} has no column of the model, which wants {', '.join(list(columns)[:5])} ...")

    def find(self, ids: Sequence[str]) -> tuple[Table, np.ndarray]:
        at = np.array([self._at.get(name, -1) for name in ids], np.int64)  # -1: the row of nothing
        found = at >= 0
        return Table(len(ids), {name: held[at] for name, held in self._columns.items()}), found

    def close(self) -> None:
        pass


def _and_nothing(held: np.ndarray) -> np.ndarray:
    """A column with one absent value behind it, for ids that are not there."""
    return np.append(held, np.array([np.nan if held.dtype.kind == "f" else None], held.dtype))


def read_rows(path: Path, wanted: Sequence[str] = ()) -> tuple[list[str], Table]:
    """Ids as they are written ("007" stays so), and the other columns: floats (NaN where a value is absent), or
    texts. One of another kind, such as a date, is left out if it is none of those `wanted`. Raises InputError.
    """
    table = read_table(path, texts=(ID,))
    if ID not in table.column_names:
        raise InputError(f"{path} has no column '{ID}': rows are found by it")
    refuse_repeated(table, table.column_names, path)
    ids = table[ID].cast(pa.string())
    if ids.null_count:
        raise InputError(f"{path} has rows without an id: give each one")
    columns: dict[str, np.ndarray] = {}
    for name in table.column_names:
        if name != ID and (held := _column(table[name])) is not None:
            columns[name] = held
        elif name != ID and (not wanted or name in wanted):
            raise InputError(f"column '{name}' of {path} is {table[name].type}: numbers and texts are read")
    return ids.to_pylist(), Table(len(ids), columns)


def _column(held: pa.ChunkedArray) -> np.ndarray | None:
    """None where it has neither numbers nor texts."""
    kind = held.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        numbers = held.cast(pa.float64()).combine_chunks().to_numpy(zero_copy_only=False)
        return np.asarray(numbers, dtype=float)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return np.array(held.to_pylist(), dtype=object)
    return None
