"""`core.control.Control` as operators: h of completions and its known mean."""

from __future__ import annotations

import numpy as np

from ascribe.core.control import Control
from ascribe.train.compiled.sheet import Sheet

__all__ = ["above_mean", "spread_of"]


def above_mean(sheet: Sheet, control: Control, z: str, pi: str | None, m: str, spread: str, bend: str | None) -> str:
    """h(z) - E h (.., s) of completions `z (.., s, n)`, for components of mean `m (.., c, n)` and weight `pi (.., c)`
    (None: one); `spread`, `bend`: see `spread_of`.
    """
    own = _polynomial(sheet, control, z)
    mean = sheet.op("Add", _polynomial(sheet, control, m), spread)
    if bend is not None:
        mean = sheet.op("Add", mean, sheet.op("ReduceSum", sheet.op("Mul", m, bend), sheet.ints(-1), keepdims=0))
    if pi is not None:
        mean = sheet.op("ReduceSum", sheet.op("Mul", mean, pi), sheet.ints(-1), keepdims=1)
    return sheet.op("Sub", own, mean)


def spread_of(control: Control, factor: np.ndarray, diag: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """What covariances C = F F' + diag D (0 at observed features) add to E h: <A, C> (..) and, of the cubic part,
    3 <T_k, C> (.., n), which the mean multiplies.
    """
    C = factor @ np.swapaxes(factor, -1, -2)
    C[..., np.arange(C.shape[-1]), np.arange(C.shape[-1])] += diag
    bend = None if control.T is None else 3 * np.einsum("...ij,ijk->...k", C, control.T)
    return (C * control.A).sum(axis=(-1, -2)), bend


def _polynomial(sheet: Sheet, control: Control, z: str) -> str:
    """b'z + z'Az + T(z, z, z) of (.., n)."""
    n = len(control.b)
    inner = sheet.op("Add", sheet.op("MatMul", z, sheet.const(control.A)), sheet.const(control.b))
    if control.T is not None:
        # monomials of degree two once each: T is symmetric
        i, j = np.triu_indices(n)
        both = np.where(i == j, 1.0, 2.0)[:, None] * control.T[i, j]  # (pairs, n)
        pick = np.eye(n)  # products by a 0/1 matrix: a gather copies number by number
        pairs = sheet.op("Mul", *(sheet.op("MatMul", z, sheet.const(pick[:, a])) for a in (i, j)))
        inner = sheet.op("Add", inner, sheet.op("MatMul", pairs, sheet.const(both)))
    return sheet.op("ReduceSum", sheet.op("Mul", inner, z), sheet.ints(-1), keepdims=0)
