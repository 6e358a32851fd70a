"""From values to attributions: a plan's matrix, and the standard error that goes with it.

    phi = W v,   se^2 = sum_g ((J_g - W) v)^2 (g - 1)/g  +  floor^2  +  sum_k (W (v^(k) - v))^2 / (s (s - 1))

in double, on v - v(empty): the values are sums of hundreds of terms that nearly cancel. The errors' own matrices, the
largest part of the graph, are single.
"""

from __future__ import annotations

import numpy as np

from ascribe.core.plan import Plan
from ascribe.train.compiled.sheet import Sheet

__all__ = ["attributions"]


def attributions(
    sheet: Sheet, plan: Plan, base: float, prediction: str, v: str, replicates: str | None
) -> tuple[str, str]:
    """Attributions and standard errors (b, n) double, from `prediction (b,)`, inner values `v (b, m)` and their
    replicates `(b, m, s)` or None, all double.
    """
    p = plan.S.shape[1]
    known = sheet.const(base, np.float64)
    T = sheet.op("Unsqueeze", sheet.op("Sub", prediction, known), sheet.ints(1))
    d = sheet.op("Sub", v, known)

    def through(matrix: np.ndarray, inner: str, whole: str, dtype: type) -> str:
        """Rows of `matrix (.., m + 2)` on (v(empty), v, f) less v(empty)."""
        flat = matrix.reshape(-1, matrix.shape[-1])
        product = sheet.op("MatMul", inner, sheet.const(flat[:, 1:-1].T, dtype))
        return sheet.op("Add", product, sheet.op("Mul", whole, sheet.const(flat[:, -1], dtype)))

    phi = through(plan.W, d, T, np.float64)
    square = []
    groups = len(plan.jackknife)
    if not plan.exact and groups < 2:  # too few coalitions to tell their error
        return phi, sheet.op("Mul", phi, sheet.const(np.nan, np.float64))
    if groups:
        matrix = np.sqrt((groups - 1) / groups) * (plan.jackknife - plan.W)
        moved = through(matrix, sheet.cast(d, "float"), sheet.cast(T, "float"), np.float32)
        moved = sheet.op("Reshape", moved, sheet.ints(0, groups, p))
        total = sheet.cast(sheet.op("ReduceSumSquare", moved, sheet.ints(1), keepdims=0), "double")
        square.append(sheet.op("Add", total, sheet.const(plan.floor**2, np.float64)))
    if replicates is not None:
        apart = sheet.op("Sub", replicates, sheet.op("Unsqueeze", v, sheet.ints(2)))
        apart = sheet.op("MatMul", sheet.op("Transpose", apart, perm=[0, 2, 1]),
                         sheet.const(plan.W[:, 1:-1].T, np.float64))  # fmt: skip
        s = sheet.cast(sheet.op("Shape", apart, start=1, end=2), "double")
        pairs = sheet.op("Mul", s, sheet.op("Sub", s, sheet.const(1.0, np.float64)))
        square.append(sheet.op("Div", sheet.op("ReduceSumSquare", apart, sheet.ints(1), keepdims=0), pairs))
    if not square:
        return phi, sheet.op("Sub", phi, phi)  # not phi x 0, which may be -0
    total = square[0] if len(square) == 1 else sheet.op("Add", *square)
    return phi, sheet.op("Sqrt", total)
