"""Rows as callers have them -> rows as the wire wants them: names and values, and what belongs to a row beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.frames import matrix, named

__all__ = ["Vector", "vectors"]

WHOLE = (str, bytes, Path)


@dataclass(frozen=True)
class Vector:
    """One row with all that may be said of it; `values` by name, or in the order of `names` (None: the model's): a text
    is a category, None a missing value. `whole`: a picture's file or a sentence, in place of values.
    """

    values: Mapping[str, float | str | None] | Sequence[float | str | None] = ()
    id: str = ""
    names: Sequence[str] | None = None
    units: Mapping[str, str] | None = None
    measured_w: float | None = None
    whole: Path | bytes | str | None = None


def vectors(
    X: Any,
    ids: Sequence[str] | None = None,
    measured_w: Sequence[float] | float | None = None,
    features: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """`X`: an array (n,) or (b, n) in the model's order or that of `features`; a mapping {name: number}, or {name:
    numbers} column by column; a pandas or polars frame or an Arrow table, of which `features` chooses columns; a
    Vector; or a list of mappings or Vectors. A text in a mapping is a category, None a missing value. For a model of
    pictures: a file's Path or its bytes, or a list of such; for one of sentences: a text, or a list. `ids` and
    `measured_w` (in W): one a row.

    Raises InputError, SchemaError.

    >>> vectors({"busy": 0.5, "ghz": 2})
    [{'names': ['busy', 'ghz'], 'values': [0.5, 2.0]}]
    >>> vectors(["I loved it"])
    [{'text': 'I loved it'}]
    """
    found = _rows(X, features)
    if ids is not None and len(ids) != len(found):
        raise InputError(f"{len(ids)} ids for {len(found)} rows: give each row one, or none")
    meters = [measured_w] * len(found) if isinstance(measured_w, int | float) else measured_w
    if meters is not None and len(meters) != len(found):
        raise InputError(f"{len(meters)} measured_w for {len(found)} rows: give each row one, or none")
    for i, row in enumerate(found):
        if ids is not None:
            row["id"] = str(ids[i])
        if meters is not None:
            row["measured_w"] = float(meters[i])
        if units is not None and "units" not in row:
            if "names" not in row:
                raise InputError("units name features, so the rows need names too: send mappings, or features=[...]")
            row["units"] = [units.get(name, "") for name in row["names"]]
    return found


def _rows(X: Any, features: Sequence[str] | None) -> list[dict[str, Any]]:
    if isinstance(X, WHOLE):
        return [_vector(Vector(whole=X))]
    if isinstance(X, Sequence) and X and all(isinstance(row, WHOLE) for row in X):
        return [_vector(Vector(whole=row)) for row in X]
    if isinstance(X, Vector):
        return [_vector(X)]
    if isinstance(X, Mapping):
        if any(np.ndim(value) for value in X.values()):
            columns, names = matrix(list(X.values()))[0].T, list(X)
            return [{"names": names, "values": row} for row in columns.tolist()]
        return [_vector(Vector(X))]
    if isinstance(X, Sequence) and X and all(isinstance(row, Mapping | Vector) for row in X):
        return [_vector(row if isinstance(row, Vector) else Vector(row)) for row in X]
    rows, found = matrix(X, features)
    told = {"names": list(found)} if features is not None or named(X) else {}
    return [told | {"values": row} for row in rows.tolist()]


def _number(value: Any) -> float | str | None:
    return value if value is None or isinstance(value, str) else float(value)


def _whole(given: Path | bytes | str) -> dict[str, Any]:
    """A picture as the bytes of its file, or a sentence. Raises InputError for a file that is not there."""
    if isinstance(given, str):
        return {"text": given}
    if isinstance(given, bytes):
        return {"image": given}
    try:
        return {"image": given.read_bytes()}
    except OSError as exc:
        raise InputError(f"{given} cannot be read ({exc.strerror or exc}): give a picture's file") from exc


def _vector(row: Vector) -> dict[str, Any]:
    values = row.values
    if row.whole is not None:
        told = _whole(row.whole)
        return told | ({"id": row.id} if row.id else {})
    try:
        numbers = [_number(v) for v in (values.values() if isinstance(values, Mapping) else values)]
    except (TypeError, ValueError) as exc:
        raise InputError("a row's values are numbers, or texts of categories: {name: number}, or a list") from exc
    names = [str(name) for name in values] if isinstance(values, Mapping) else row.names
    out: dict[str, Any] = {"values": numbers}
    if names is not None:
        out = {"names": list(names), **out}
    if row.units is not None:
        if names is None:
            raise InputError("units name features, so the row needs names too")
        out["units"] = [row.units.get(name, "") for name in names]
    if row.id:
        out["id"] = row.id
    if row.measured_w is not None:
        out["measured_w"] = float(row.measured_w)
    return out
