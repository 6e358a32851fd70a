"""A version of the lake as a file to train on: labelled rows, features that were ever measured, their definitions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from ascribe.core.errors import InputError, LakeError, SchemaError
from ascribe.core.features import Feature
from ascribe.core.words import listed
from ascribe.train.definitions import POWER, WATTS, FeatureSet
from ascribe.train.vectors import RESERVED

if TYPE_CHECKING:
    from ascribe.train.lake.lake import Lake

__all__ = ["FILE", "GROUP", "LEAST_ROWS", "TARGET", "TIME", "UNITS", "Snapshot", "take"]

TARGET, TIME, GROUP = POWER, "timestamp", "node"

FILE, UNITS = "rows.parquet", "units.json"
LEAST_ROWS = 100


@dataclass(frozen=True)
class Snapshot:
    """`features` to train on, in their order; counts of the lake's rows; `absent`: features that no row has."""

    features: tuple[str, ...]
    features_version: str
    total: int
    labelled: int
    absent: tuple[str, ...]


def take(
    lake: Lake, version: int, wanted: Sequence[str] | None, folder: Path, days: int | None = None,
    most: int | None = None, also: Sequence[str] = (),
) -> Snapshot:  # fmt: skip
    """Write `rows.parquet` and `units.json` into a folder. `wanted`: names of features; None takes those that are
    defined, or without definitions every other numeric column. `days`, `most`: as `Lake.snapshot`. `also`:
    columns that are further targets, and so no features.

    Raises LakeError where that version is gone, InputError for too few labelled rows, SchemaError for a feature that
    the lake lacks.
    """
    table, defined = lake.snapshot(version, days, most), lake.features()
    known = {f.name: f for f in defined.features} if defined is not None else {}
    columns = [c for c in table.column_names if c not in RESERVED]
    numeric = [c for c in columns if _is_number(table.schema.field(c).type)]
    names = tuple(n for n in wanted or [c for c in known if c in columns] or numeric if n not in also)
    if missing := [name for name in (*names, *also) if name not in numeric]:
        raise SchemaError(f"the lake has no numbers under {listed(missing)}: it has {listed(numeric)}")
    if TARGET not in table.column_names:
        raise LakeError(f"the lake has no column {TARGET}: there is nothing to learn from")
    good = table.filter(pc.fill_null(pc.is_finite(table[TARGET]), False))
    if len(good) < LEAST_ROWS:
        raise InputError(
            f"version {version} of the lake has {TARGET} in {len(good)} of {len(table)} rows, "
            f"{LEAST_ROWS} are the least to train on: ingest more"
        )
    absent = tuple(name for name in names if not _measured(good[name]))
    names = tuple(name for name in names if name not in absent)
    pyarrow.parquet.write_table(good.select(["id", GROUP, TIME, TARGET, *also, *names]), folder / FILE)
    described = (known.get(TARGET, WATTS), *(known[n] for n in (*also, *names) if n in known))
    units = {f.name: _record(f) for f in described}
    (folder / UNITS).write_text(json.dumps(units, indent=2))  # Infinity and all: our own reader takes it
    return Snapshot(names, _version(defined), len(table), len(good), absent)


def _record(f: Feature) -> dict[str, Any]:
    return {"unit": f.unit, "low": f.low, "high": f.high, "group": f.group}


def _version(defined: FeatureSet | None) -> str:
    return "" if defined is None else defined.version


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _measured(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.fill_null(pc.is_finite(column), False)).as_py())
