"""Dependence: the prediction over a grid of one feature, or of two, all else as in the rows; Friedman 2001.

    curves_i(z) = f(x_i with columns j = z)          every row's own curve (ICE; Goldstein et al. 2015)
    mean(z)     = mean_i curves_i(z)                 partial dependence

Rows keep their other features whatever z is, also where that makes a row that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ascribe.core.arrays import Float, evenly, np
from ascribe.core.errors import CapabilityError, InputError, SchemaError
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.perturbations import asked
from ascribe.core.words import listed

__all__ = ["GRID", "Dependence", "dependence", "grid_of"]

GRID = 20


@dataclass(frozen=True, eq=False)
class Dependence:
    """`features`: one or two; `grids`: of each, in its unit. `curves (b, g)` or `(b, g, h)`; `mean` and `stderr`, over
    rows, are of them.
    """

    features: tuple[str, ...]
    grids: tuple[Float[np.ndarray, " g"], ...]
    curves: np.ndarray
    unit: str = ""

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.curves.mean(axis=0))

    @property
    def stderr(self) -> np.ndarray:
        return np.asarray(self.curves.std(axis=0, ddof=1) / np.sqrt(len(self.curves)))


def grid_of(column: Float[np.ndarray, " b"], points: int) -> Float[np.ndarray, " g"]:
    """The values themselves where there are few; else from the 5th to the 95th percentile, evenly."""
    found = np.unique(column[np.isfinite(column)])
    if len(found) <= points:
        return found
    low, high = np.quantile(column[np.isfinite(column)], [0.05, 0.95])
    return np.linspace(low, high, points)


def dependence(
    model: Model,
    X: Float[np.ndarray, "b n"],
    features: Sequence[str],
    grids: Sequence[Float[np.ndarray, " g"]] | None = None,
    points: int = GRID,
) -> Dependence:
    """Of one feature or of two, by name; `grids`: values of each (None: `points` of them, see `grid_of`; of categories
    some that the rows hold, since there is nothing between two of them).

    Raises SchemaError for an unknown feature, InputError for another number of features or a grid without values,
    CapabilityError without `predict`.
    """
    names = tuple(features)
    if len(names) not in (1, 2) or len(set(names)) < len(names):
        raise InputError(f"dependence is of one feature or of two different ones, not {listed(list(names)) or 'none'}")
    if missing := [name for name in names if name not in model.names]:
        raise SchemaError(f"'{missing[0]}' is no feature: use {listed(list(model.names))}")
    if points < 2:
        raise InputError(f"points is at least 2, the ends of a grid, not {points}")
    if model.predict is None:
        raise CapabilityError("dependence needs predict, which this model does not offer")
    X = model.rows(X)
    X = X[model.check(X)[0] != "invalid"]
    if len(X) < 2:
        raise InputError("dependence needs two rows at least that can be answered")
    columns = [model.names.index(name) for name in names]
    held = [np.asarray(g, dtype=float) for g in grids] if grids else [_own(model, X, j, points) for j in columns]
    if len(held) != len(names) or not all(g.ndim == 1 and len(g) for g in held):
        raise InputError(f"grids are values of each of {listed(list(names))}, one at least")
    cells = np.stack(np.meshgrid(*held, indexing="ij"), axis=-1).reshape(-1, len(names))
    m = len(cells)

    def rows(at: slice) -> np.ndarray:
        number = np.arange(len(X) * m)[at]
        Z = X[number // m].copy()
        Z[:, columns] = cells[number % m]
        return Z

    f = asked(model.predict, len(X) * m, X.shape[1], rows)
    return Dependence(names, tuple(held), f.reshape(len(X), *(len(g) for g in held)), model.unit)


def _own(model: Model, X: Float[np.ndarray, "b n"], j: int, points: int) -> Float[np.ndarray, " g"]:
    """The grid of a column for which none was given."""
    column, feature = X[:, j], model.features[j] if j < len(model.features) else Feature(model.names[j])
    found = np.unique(column[np.isfinite(column)])
    if not len(found):
        raise InputError(f"no row holds a number for {feature.name}: give grids= of values to ask for")
    return found[evenly(len(found), points)] if feature.categories else grid_of(column, points)
