"""Rows of the usual doors, for a guest: an id that hosts know, and whatever columns the guest has of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ascribe.core.federated.table import Table
from ascribe.core.words import listed, quoted
from ascribe.serve.federated.wire import ID_LIMIT
from ascribe.serve.rows import Row

__all__ = ["Sorted", "sort_out"]


@dataclass(frozen=True)
class Sorted:
    """`good`: places of the rows that can be asked, with their `ids` and `rows`; `reasons (b,)`: why not."""

    good: list[int]
    ids: list[str]
    rows: Table
    reasons: list[str]


def sort_out(rows: Sequence[Row], inputs: Sequence[str]) -> Sorted:
    """Absent columns, null and "" are absent values; a column that the guest does not have is the row's problem."""
    reasons, held = [], []
    for row in rows:
        values, why = _read(row, inputs)
        reasons.append(why)
        held.append(values)
    good = [i for i, why in enumerate(reasons) if not why]
    return Sorted(good, [rows[i].id for i in good], Table.of_rows([held[i] for i in good]), reasons)


def _read(row: Row, inputs: Sequence[str]) -> tuple[dict[str, Any], str]:
    values = row.values
    if row.problem:
        return {}, row.problem
    if not row.id:
        return {}, "id is missing: the hosts of this model find a row by it"
    if len(row.id) > ID_LIMIT:
        return {}, f"id is longer than {ID_LIMIT} characters: send it as the hosts know it"
    if isinstance(values, list | tuple):
        names = list(row.names) if row.names is not None else list(inputs)
        if len(names) != len(values):
            return {}, f"{len(values)} values for {len(names)} columns of the guest: give each value its name"
        if len(set(names)) < len(names):
            return {}, "a column is given twice: give each value once"
        values = dict(zip(names, values, strict=True))
    elif not isinstance(values, dict) or row.names is not None:
        return {}, "values is neither a list nor an object {name: value} without names"
    if unknown := [name for name in values if name not in inputs]:
        return (
            {},
            f"{listed([quoted(n) for n in unknown[:5]])}: no such column of the guest, which has {listed(inputs)}",
        )
    if row.measured_w is not None:
        return {}, "measured_w is in W, this model predicts no watts: leave it out"
    for name, value in values.items():
        if not (value is None or isinstance(value, str | int | float)) or isinstance(value, bool):
            return {}, f"{quoted(name)} is neither a number nor a text"
        if isinstance(value, float) and not isfinite(value):
            return {}, f"{quoted(name)} is not a finite number: leave it out where it is absent"
    return values, ""
