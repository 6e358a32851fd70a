"""Rows, checked one by one: names, order, numbers, units, physical bounds. Here a row fails alone.

A row that cannot be used becomes a row of NaN with a reason; nothing is converted and nothing is guessed.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, isnan, nan
from typing import Any

import numpy as np

from ascribe.core.features import Feature, out_of_bounds
from ascribe.core.words import listed, quoted

__all__ = ["Checked", "Row", "check", "repeated"]


NUMBERS = frozenset((float, int))


@dataclass
class Row:
    """A row as a door hands it over: `values`, or the file of an `image`, or a `text`. `problem`: why it could not
    even be read.
    """

    id: str = ""
    names: Sequence[str] | None = None
    values: Any = None
    units: Any = None
    measured_w: Any = None
    problem: str = ""
    image: bytes | None = None
    text: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, bytes in base64."""
        held = {name: value for name, value in vars(self).items() if value is not None}
        return held if self.image is None else held | {"image": base64.b64encode(self.image).decode()}

    @classmethod
    def from_json(cls, held: dict[str, Any]) -> Row:
        image = held.get("image")
        return cls(**held) if image is None else cls(**{**held, "image": base64.b64decode(image)})


@dataclass(frozen=True)
class Checked:
    """`X (b, n)` in the model's order and units, NaN in rows with a reason; `measured_w` None where not given.

    `good (a,)`: numbers of the rows that a model is asked about, `asked (a, n)` those rows: NaN may mean missing.
    """

    X: np.ndarray
    reasons: list[str]
    measured_w: list[float | None]
    ids: list[str]

    @cached_property
    def good(self) -> list[int]:
        return [i for i, reason in enumerate(self.reasons) if not reason]

    @property
    def asked(self) -> np.ndarray:
        return self.X if len(self.good) == len(self.X) else self.X[self.good]


class _RowError(Exception):
    """Why one row cannot be used."""


def check(rows: Sequence[Row], features: Sequence[Feature], unit: str) -> Checked:
    """Rows against features; `unit` is the model's output unit (a meter's W can be compared with W only)."""
    X = np.full((len(rows), len(features)), nan)
    reasons = [""] * len(rows)
    measured: list[float | None] = [None] * len(rows)
    easy = _easy(rows, features, X)
    position = {f.name: j for j, f in enumerate(features)} if len(easy) < len(rows) else {}
    for i, row in enumerate(rows):
        if i in easy and row.measured_w is None:
            continue
        try:
            if row.problem:
                raise _RowError(row.problem)
            if i not in easy:
                X[i] = _ordered(row, features, position)
            measured[i] = _measured(row.measured_w, unit)
        except _RowError as exc:
            X[i] = nan
            reasons[i] = str(exc)
    return Checked(X, reasons, measured, [row.id for row in rows])


def _easy(rows: Sequence[Row], features: Sequence[Feature], X: np.ndarray) -> set[int]:
    """Rows that are right at first sight, put into X all at once: numbers in the model's order, no units. What is
    wrong with any other is found out one by one.
    """
    names = [f.name for f in features]
    tried, values = [], []
    for i, row in enumerate(rows):
        given = row.values
        if row.units is not None or row.problem:
            continue
        if type(given) is dict:
            if row.names is not None or list(given) != names:
                continue
            given = list(given.values())
        elif type(given) is not list or not (row.names is None or row.names == names):
            continue
        if len(given) == len(names) and NUMBERS.issuperset(map(type, given)):
            tried.append(i)
            values.append(given)
    if not tried:
        return set()
    try:
        found = np.array(values, float)
    except OverflowError:  # a whole number beyond any float
        return set()
    good = ~np.asarray(out_of_bounds(features, found).any(axis=1))
    kept = np.array(tried)[good]
    X[kept] = found[good]
    return set(kept.tolist())


def _ordered(row: Row, features: Sequence[Feature], position: dict[str, int]) -> list[float]:
    """The row's numbers in the model's order."""
    names, values = _named(row, features)
    if len(names) != len(values):
        raise _RowError(f"{len(names)} names but {len(values)} values: give each value its name")
    order = [position.get(name, -1) for name in names]
    if -1 in order:
        unknown = [name for name, j in zip(names, order, strict=True) if j < 0]
        raise _RowError(f"{_names(unknown)}: no such feature of this model, which has {_names(list(position))}")
    if len(set(order)) < len(order):
        raise _RowError(f"{_names(repeated(names))} given twice: give each value once")
    if len(order) < len(features):
        missing = [f.name for j, f in enumerate(features) if j not in order]
        raise _RowError(f"{_names(missing)} missing: a row has a value for each of the {len(features)} features")
    _check_units(row.units, names, features, order)
    out = [nan] * len(features)
    for j, value in zip(order, values, strict=True):
        out[j] = _number(features[j], value)
        _bounded(features[j], out[j])
    return out


def repeated(names: Sequence[str]) -> list[str]:
    """Names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _named(row: Row, features: Sequence[Feature]) -> tuple[list[str], list[Any]]:
    """Names and values, whichever way they were sent."""
    if row.image is not None or row.text is not None:
        raise _RowError("this model reads values, one for each feature: send no image or text")
    if isinstance(row.values, dict):
        if row.names is not None:
            raise _RowError("values is an object, which has its own names: leave names out")
        return list(row.values), list(row.values.values())
    if not isinstance(row.values, list | tuple):
        raise _RowError("values is neither a list of numbers nor an object {name: number}")
    if row.names is not None:
        return list(row.names), list(row.values)
    if len(row.values) != len(features):
        raise _RowError(f"{len(row.values)} values without names: this model has {len(features)} features")
    return [f.name for f in features], list(row.values)


def _number(feature: Feature, value: Any) -> float:
    name = feature.name
    if value is None:
        if feature.missing:
            return nan
        raise _RowError(f"{name} is null: a value that was not measured cannot be explained")
    if isinstance(value, str) and feature.categories:
        if value not in feature.categories:
            raise _RowError(f"{name} is {quoted(value)}, which is none of its categories: {listed(feature.categories)}")
        return float(feature.categories.index(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _RowError(f"{name} is {_kind(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = inf
    if isnan(number) and feature.missing:
        return nan
    if not isfinite(number):
        raise _RowError(f"{name} is not a finite number")
    return number


def _bounded(feature: Feature, value: float) -> None:
    if isnan(value) and feature.missing:
        return
    if feature.low <= value <= feature.high:
        return
    side = f"below {feature.low:g}" if value < feature.low else f"above {feature.high:g}"
    raise _RowError(f"{feature.name} = {value:g}{feature.after} is physically impossible: {side}{feature.after}")


def _check_units(units: Any, names: list[str], features: Sequence[Feature], order: list[int]) -> None:
    """Each stated unit is the model's; None and empty text state nothing."""
    if units is None:
        return
    if isinstance(units, list | tuple):
        if len(units) != len(names):
            raise _RowError(f"{len(units)} units for {len(names)} values: give each value its unit, or name them")
        stated = dict(zip(names, units, strict=True))
    elif isinstance(units, dict):
        stated = units
    else:
        raise _RowError("units is neither a list nor an object {name: unit}")
    wanted = {features[j].name: features[j].unit for j in order}
    for name, unit in stated.items():
        if name not in wanted:
            raise _RowError(f"units names {quoted(name)}, which is no feature of this model")
        if unit is None or unit == "":
            continue
        if unit != wanted[name]:
            want = f"in '{wanted[name]}'" if wanted[name] else "without a unit"
            raise _RowError(f"{name} is in {quoted(unit)}, this model wants it {want}: convert it")


def _measured(value: Any, unit: str) -> float | None:
    if value is None:
        return None
    if unit != "W":
        raise _RowError(f"measured_w is in W, this model predicts {unit or 'no unit'}: leave it out")
    return _number(Feature("measured_w"), value)


def _kind(value: Any) -> str:
    words = {bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return words.get(type(value), "something else")


def _names(names: Sequence[str]) -> str:
    return listed([quoted(name) for name in names])
