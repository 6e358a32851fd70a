"""Components of a federated pipeline as plain values and arrays, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.components import (
    COMPONENTS,
    Binning,
    BoostedTrees,
    DataTransform,
    LinearModel,
    OneHot,
    Passing,
    Scale,
    Selection,
)
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.pipeline import Reporter, Transform
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure

__all__ = ["decoded", "encoded"]

Arrays = dict[str, np.ndarray]
NESTED = {"structure": Structure, "splits": Splits, "leaves": Leaves}


def encoded(component: Transform | Reporter) -> tuple[str, dict[str, Any], Arrays]:
    """Kind (a row of `COMPONENTS`), plain values, arrays."""
    kind = next(name for name, made in COMPONENTS.items() if type(component) is made)
    record, arrays = _told(component, "")
    return kind, record, arrays


def _told(held: Any, prefix: str) -> tuple[dict[str, Any], Arrays]:
    record: dict[str, Any] = {}
    arrays: Arrays = {}
    for f in fields(held):
        value = getattr(held, f.name)
        if isinstance(value, np.ndarray):
            arrays[prefix + f.name] = value
        elif f.name in NESTED and value is not None:
            record[f.name], more = _told(value, f"{prefix}{f.name}.")
            arrays |= more
        else:
            record[f.name] = _plain(value)
    return record, arrays


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(held) for name, held in value.items()}
    return [_plain(held) for held in value] if isinstance(value, tuple | list) else value


def decoded(kind: str, record: dict[str, Any], arrays: Arrays) -> Transform | Reporter:
    """Raises InputError, or what Python raises for values of another kind, where the record is none of the kind."""
    if kind not in COMPONENTS:
        raise InputError(f"'{kind}' is no component: use the version of ascribe that wrote it")
    return MADE[kind](record, arrays)


def _part(cls: type, record: dict[str, Any], arrays: Arrays, prefix: str) -> Any:
    held = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    return cls(**held, **own)


def _trees(record: dict[str, Any], arrays: Arrays) -> BoostedTrees:
    parts = {name: _part(NESTED[name], record[name], arrays, f"{name}.") for name in ("structure", "splits")}
    leaves = None if record["leaves"] is None else _part(Leaves, record["leaves"], arrays, "leaves.")
    return BoostedTrees(str(record["party"]), leaves=leaves, **parts)


def _transform(r: dict[str, Any], _: Arrays) -> DataTransform:
    fills = None if r["fills"] is None else {str(c): str(v) for c, v in r["fills"].items()}
    caps = {str(c): str(v) for c, v in r["caps"].items()}
    words = {name: tuple(str(w) for w in r[name]) for name in ("header", "missing", "outliers")}
    return DataTransform(r["input_format"], words["header"], words["missing"], fills, words["outliers"], caps)


def _scale(r: dict[str, Any], _: Arrays) -> Scale:
    columns = {str(c): tuple(float(x) for x in v) for c, v in r["columns"].items()}
    if any(len(v) != 4 for v in columns.values()):
        raise InputError("scaling of a column takes four numbers")
    return Scale(r["method"], columns, None if r["decimals"] is None else int(r["decimals"]))  # type: ignore[arg-type]


def _one_hot(r: dict[str, Any], _: Arrays) -> OneHot:
    held = {str(c): (tuple(int(x) for x in v[0]), tuple(str(n) for n in v[1])) for c, v in r["columns"].items()}
    if any(len(values) != len(names) for values, names in held.values()):
        raise InputError("one-hot columns do not match their values")
    return OneHot(held)


MADE: dict[str, Callable[[dict[str, Any], Arrays], Transform | Reporter]] = {
    "data_transform": _transform,
    "scale": _scale,
    "binning": lambda r, _: Binning({str(c): np.asarray(p, dtype=float) for c, p in r["points"].items()}),
    "selection": lambda r, _: Selection(tuple(str(c) for c in r["kept"])),
    "one_hot": _one_hot,
    "passing": lambda r, _: Passing(str(r["kind"])),
    "boosted_trees": _trees,
    "linear": lambda r, arrays: _part(LinearModel, r, arrays, ""),
}
