"""Rows and what was measured of them, as every importance takes them."""

from __future__ import annotations

from ascribe.core.arrays import Float, np
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.model import Model

__all__ = ["measured"]


def measured(
    model: Model, X: Float[np.ndarray, "b n"], y: Float[np.ndarray, " rows"] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, y and f(X) of the rows that can be answered and whose y is a number. y None: the predictions themselves, so
    that importance is of what the model uses, right or wrong.

    Raises InputError for another number of y than of rows and where fewer than two rows are left, CapabilityError for a
    model without `predict`.
    """
    if model.predict is None:
        raise CapabilityError("importance needs predict, which this model does not offer")
    X = model.rows(X)
    if y is not None and np.shape(y) != (len(X),):
        raise InputError(f"y is one number a row: got shape {np.shape(y)} for {len(X)} rows")
    good = model.check(X)[0] != "invalid"
    target = None if y is None else np.asarray(y, dtype=float)
    if target is not None:
        good &= np.isfinite(target)
    f = np.full(len(X), np.nan)
    if good.any():
        f[good] = np.asarray(model.predict(X[good]), dtype=float).reshape(-1)
    good &= np.isfinite(f)
    if good.sum() < 2:
        raise InputError("importance needs two rows at least that can be answered and have a measured value")
    return X[good], f[good] if target is None else target[good], f[good]
