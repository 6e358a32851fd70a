"""What `ascribe federated score --explain` writes, as a Parquet file that can be drawn like any answer.

    id  margin  score  base_value  <column of the guest> ...  <host> ...  warnings

The columns are those and no others. What a picture needs besides is in the file's schema: JSON under `ascribe` (method,
unit, players), and under `ascribe.data` the guest's own values of the rows, as packed numbers in base64. Of more than
`MOST` numbers none are kept: pictures of that file have no colours.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ascribe.bundle.tables import write_parquet
from ascribe.core.answer import Answer
from ascribe.core.attribution import Attribution, Info
from ascribe.core.features import Feature

__all__ = ["FORMAT", "KEY", "scored_of", "write_scored"]

KEY, DATA = b"ascribe", b"ascribe.data"
FORMAT = 1
MOST = 1_000_000


def write_scored(columns: Mapping[str, object], explained: Attribution | None, path: Path) -> None:
    """`columns` by name, in order; `explained`: of the same rows, its players among the columns. Raises InputError if
    the place cannot be written.
    """
    table = pa.table(dict(columns))
    if explained is not None:
        told = {
            "format": FORMAT, "scored": True, "players": list(explained.features), "columns": list(explained.columns),
            "info": asdict(replace(explained.info, timings={})), "base_value": float(explained.base_value),
        }  # fmt: skip
        held = {KEY: json.dumps(told, allow_nan=False, default=dict).encode()}
        if explained.data.size <= MOST:
            packed = io.BytesIO()
            np.savez_compressed(packed, data=explained.data.astype(np.float32))
            held[DATA] = base64.b64encode(packed.getvalue())
        table = table.replace_schema_metadata(held)
    write_parquet(table, path)


def scored_of(table: pa.Table, told: Mapping[str, Any]) -> Answer:
    """The file as an answer: margins shared out among the guest's columns and its hosts. Raises what Python raises for
    a table that lacks what is told, and for data that cannot be read.
    """
    players, names, b = tuple(told["players"]), tuple(told["columns"]), table.num_rows

    def column(name: str) -> np.ndarray:
        return np.asarray(table[name].to_numpy(), dtype=float)

    values = np.column_stack([column(name) for name in players]) if players else np.empty((b, 0))
    data = np.full((b, len(names)), np.nan)
    raw = (table.schema.metadata or {}).get(DATA)
    if raw is not None:
        with np.load(io.BytesIO(base64.b64decode(raw)), allow_pickle=False) as held:
            data = held["data"].astype(float)
        if data.shape != (b, len(names)):
            raise ValueError(f"data of {data.shape[0]} rows")
    good = np.isfinite(values).all(axis=1)
    a = Attribution(
        values, float(told["base_value"]), column("margin"), np.where(np.isfinite(values), 0.0, np.nan),
        np.where(good, np.inf, np.nan), np.where(good, "ok", "invalid").astype("<U13"),
        tuple(table["warnings"].to_pylist()), players, data, Info(**told["info"]), names,
    )  # fmt: skip
    return Answer(a, tuple(Feature(name, missing=True) for name in names), tuple(table["id"].to_pylist()))
