"""`core.scaling.Scores` as operators."""

from __future__ import annotations

import numpy as np

from ascribe.core.scaling import REACH, Scores
from ascribe.train.compiled.sheet import Sheet

__all__ = ["forward", "inverse"]

STRAIGHT = 1e-6  # of its range: a table that is a line as far as single precision tells


def forward(sheet: Sheet, x: str, scores: Scores) -> str:
    """`x (b, n)` float -> scores (b, n) double: as many knots below x, and half of those that equal it."""
    table = scores.table
    n, k = table.shape
    column = sheet.op("Unsqueeze", x, sheet.ints(2))

    def count(above: str) -> str:
        return sheet.op("ReduceSum", sheet.cast(above, "int64"), sheet.ints(2), keepdims=0)

    knots = sheet.const(table[None])
    left = count(sheet.op("Greater", column, knots))
    right = count(sheet.op("GreaterOrEqual", column, knots))
    before = sheet.op("Sub", left, sheet.const(1, np.int64))
    i = sheet.op("Clip", before, sheet.const(0, np.int64), sheet.const(k - 2, np.int64))
    at = sheet.op("Add", i, sheet.const(np.arange(n) * k, np.int64))
    low = sheet.op("Gather", sheet.const(table.ravel()), at)
    width = sheet.op("Gather", sheet.const(np.append(np.diff(table.ravel()), 0)), at)
    flat = sheet.op("LessOrEqual", width, sheet.const(0.0))
    inside = sheet.op("Div", sheet.op("Sub", x, low), sheet.op("Where", flat, sheet.const(1.0), width))
    inside = sheet.cast(sheet.op("Clip", inside, sheet.const(0.0), sheet.const(1.0)), "double")
    between = sheet.op("Clip", sheet.op("Add", sheet.cast(before, "double"), inside), sheet.const(0, np.float64),
                       sheet.const(k - 1, np.float64))  # fmt: skip
    middle = sheet.op("Mul", sheet.cast(sheet.op("Sub", sheet.op("Add", left, right), sheet.const(1, np.int64)),
                                        "double"), sheet.const(0.5, np.float64))  # fmt: skip
    position = sheet.op("Where", sheet.op("Greater", right, left), middle, between)
    z = sheet.op("Sub", sheet.op("Mul", position, sheet.const(scores.step, np.float64)), sheet.const(REACH, np.float64))
    return sheet.op("Where", sheet.op("IsNaN", x), sheet.const(np.nan, np.float64), z)


def inverse(sheet: Sheet, z: str, scores: Scores) -> str:
    """Scores (.., n) float -> natural units (.., n) float."""
    table = scores.table.astype(float)
    n, k = table.shape
    line = table[:, :1] + (table[:, -1:] - table[:, :1]) * np.linspace(0, 1, k)
    if np.all(np.abs(table - line) <= STRAIGHT * (table[:, -1:] - table[:, :1])):
        slope = (table[:, -1] - table[:, 0]) / (2 * REACH)
        clipped = sheet.op("Clip", z, sheet.const(-REACH), sheet.const(REACH))
        return sheet.op("Add", sheet.op("Mul", clipped, sheet.const(slope)), sheet.const(table[:, 0] + REACH * slope))
    shifted = sheet.op("Mul", sheet.op("Add", z, sheet.const(REACH)), sheet.const(1 / scores.step))
    position = sheet.op("Clip", shifted, sheet.const(0.0), sheet.const(k - 1))
    # A score that is no number becomes any integer: it must stay inside the table, or its whole batch fails.
    i = sheet.op("Clip", sheet.op("Cast", position, to=6), sheet.const(0, np.int32), sheet.const(k - 2, np.int32))
    # GatherElements: ONNX Runtime's Gather copies number by number, twelve times slower
    shape = sheet.op("Shape", i)
    at = sheet.op("Reshape", sheet.op("Add", i, sheet.const(np.arange(n) * k, np.int32)), sheet.ints(-1))
    flat = scores.table.ravel()
    low, width = (
        sheet.op("Reshape", sheet.op("GatherElements", sheet.const(held), at), shape)
        for held in (flat, np.append(np.diff(flat), 0))
    )
    return sheet.op("Add", low, sheet.op("Mul", sheet.op("Sub", position, sheet.cast(i, "float")), width))
