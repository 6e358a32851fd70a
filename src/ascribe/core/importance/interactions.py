"""How much of the joint dependence of two features is no sum of theirs; Friedman & Popescu 2008.

    H_jk^2 = sum_i (F_jk(x_i) - F_j(x_i) - F_k(x_i))^2 / sum_i F_jk(x_i)^2

F: partial dependence at the rows themselves, centred over them. 0: the two add up; 1: all of it is joint. In the
output's unit instead: root mean square of the difference, which does not grow where both hardly matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ascribe.core.arrays import Float, evenly, np
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.model import Model
from ascribe.core.perturbations import asked

__all__ = ["ROWS", "interactions"]

ROWS = 100  # b^2 rows are asked for each pair
SINGLE, DOUBLE = 1e-6, 1e-14  # of the largest prediction, by its precision: what differs by less does not differ


def interactions(
    model: Model,
    X: Float[np.ndarray, "b n"],
    features: Sequence[str] | None = None,
    rows: int = ROWS,
    relative: bool = True,
    step: Callable[[], None] | None = None,
) -> Float[np.ndarray, "k k"]:
    """H of each pair of `features` (None: all), symmetric, 0 on the diagonal; not `relative`: in the output's unit.
    `step` is called after each pair. At most `rows` of the rows, evenly spread.

    Raises InputError for unknown features, and for fewer than two rows.
    """
    if rows < 2:
        raise InputError(f"rows is at least 2, not {rows}")
    if model.predict is None:
        raise CapabilityError("interactions need predict, which this model does not offer")
    names = tuple(features) if features is not None else model.names
    if unknown := [name for name in names if name not in model.names]:
        raise InputError(f"'{unknown[0]}' is no feature of this model")
    X = model.rows(X)
    X = X[model.check(X)[0] != "invalid"]
    if len(X) < 2:
        raise InputError("interactions need two rows at least that can be answered")
    X = X[evenly(len(X), rows)]
    at = [model.names.index(name) for name in names]
    single = [_centred(model, X, [j]) for j in at]
    out = np.zeros((len(at), len(at)))
    for a in range(len(at)):
        for b in range(a + 1, len(at)):
            joint = _centred(model, X, [at[a], at[b]])
            rest = float(((joint - single[a] - single[b]) ** 2).mean())
            whole = float((joint**2).mean())
            out[a, b] = out[b, a] = np.sqrt(rest / whole if whole > 0 else 0.0) if relative else np.sqrt(rest)
            if step:
                step()
    return out


def _centred(model: Model, X: Float[np.ndarray, "b n"], columns: list[int]) -> Float[np.ndarray, " b"]:
    """F at each row: columns of row i in every row k. Exactly 0 where it does not move but for rounding, which would be
    all of a joint dependence that is not there.
    """
    assert model.predict is not None
    b = len(X)

    def rows(at: slice) -> np.ndarray:
        number = np.arange(b * b)[at]
        Z = X[number % b].copy()
        Z[:, columns] = X[number // b][:, columns]
        return Z

    f = asked(model.predict, b * b, X.shape[1], rows)
    F = f.reshape(b, b).mean(axis=1)
    apart, digits = F - F.mean(), SINGLE if (f == f.astype(np.float32)).all() else DOUBLE
    return np.where(np.abs(apart) > digits * np.abs(f).max(), apart, 0.0)
