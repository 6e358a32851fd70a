"""Frames and functions at the door: polars, pandas, Arrow, shap, any `predict`; inside, everything is arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError, MissingExtra, SchemaError
from ascribe.core.features import Feature, numbered
from ascribe.core.words import listed

__all__ = ["checked", "columns", "matrix", "named", "to_frame", "to_shap"]


def columns(a: Attribution) -> dict[str, Any]:
    """An attribution as columns: prediction, base_value, one per player, `stderr_<player>`, ess, status, reason."""
    held: dict[str, Any] = {"prediction": a.prediction, "base_value": a.bases}
    held |= {name: a.values[:, j] for j, name in enumerate(a.features)}
    held |= {f"stderr_{name}": a.stderr[:, j] for j, name in enumerate(a.features)}
    return held | {"ess": a.ess, "status": a.status.tolist(), "reason": list(a.reasons)}


def to_frame(a: Attribution, library: str = "polars") -> Any:
    """A polars or pandas frame, or an Arrow table (`library="arrow"`): one row per explained row, see `columns`.

    Raises InputError for another library, MissingExtra where it is not installed.

    >>> from ascribe.api import explain
    >>> a = explain(lambda X: X[:, 0] + 2 * X[:, 1], [[1.0, 1.0]], background=np.zeros((1, 2)))
    >>> to_frame(a, "arrow").select(["prediction", "base_value", "x0", "x1"]).to_pylist()
    [{'prediction': 3.0, 'base_value': 0.0, 'x0': 1.0, 'x1': 2.0}]
    """
    if library == "arrow":
        import pyarrow

        return pyarrow.table(columns(a))
    if library not in ("polars", "pandas"):
        raise InputError(f"unknown library '{library}': use polars, pandas or arrow")
    try:
        from importlib import import_module

        return import_module(library).DataFrame(columns(a))
    except ImportError as exc:
        raise MissingExtra(f"pip install {library}, or ask for library='arrow'") from exc


def to_shap(a: Attribution) -> Any:
    """A `shap.Explanation`, for shap's own plots. Data is left out where groups were the players. Raises MissingExtra.

    >>> from ascribe.api import explain
    >>> to_shap(explain(lambda X: X[:, 0] + 2 * X[:, 1], [[1.0, 1.0]], background=np.zeros((1, 2)))).values.tolist()
    [[1.0, 2.0]]
    """
    try:
        import shap
    except ImportError as exc:
        raise MissingExtra("pip install shap to have shap.Explanation") from exc
    single = a.data.shape[1] == len(a.features)
    return shap.Explanation(
        values=a.values,
        base_values=a.bases,
        data=a.data if single else None,
        feature_names=list(a.features),
        output_names=a.info.output,
        error_std=a.stderr,
    )


def named(X: Any) -> bool:
    """Whether columns have names: a frame, or Arrow."""
    return hasattr(X, "column_names") or (hasattr(X, "columns") and not isinstance(X, np.ndarray))


def matrix(
    X: Any, wanted: Sequence[str] | None = None, features: Sequence[Feature] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows (b, n) as float64 and the names of their columns; `wanted` chooses and orders named columns. `features`
    whose columns may hold texts: categories become numbers.

    Raises SchemaError for a missing or non-numeric column, InputError for another shape. Missing values become NaN.
    """
    if named(X):
        labels = list(X.column_names if hasattr(X, "column_names") else X.columns)
        at = {str(c): c for c in labels}  # labels may be numbers
        how = {"zero_copy_only": False} if hasattr(X, "column_names") and not hasattr(X, "to_batches") else {}
        have = list(at)
        if len(have) < len(labels):
            raise SchemaError(f"two columns have the same name; the rows have {listed(have)}: rename one")
        names = tuple(wanted or have)
        if missing := [name for name in names if name not in have]:
            raise SchemaError(f"there is no column {listed(missing)}; the rows have {listed(have)}")
        known, held = {f.name: f for f in features}, []
        for name in names:
            cells = np.asarray(X[at[name]].to_numpy(**how))
            try:
                held.append(numbered(known[name], cells) if name in known else cells.astype(float))
            except (TypeError, ValueError) as exc:
                if isinstance(exc, SchemaError):
                    raise
                raise SchemaError(f"column {name} holds no numbers: convert it first") from exc
        return np.column_stack(held) if held else np.empty((0, 0)), names
    try:
        rows = _texts(X, features) if any(f.categories for f in features) else np.asarray(X, dtype=float)
    except (TypeError, ValueError) as exc:
        raise InputError("rows must be numbers: an array (rows, features), a frame, or Arrow") from exc
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or (wanted is not None and rows.shape[1] != len(wanted)):
        shape = "features" if wanted is None else len(wanted)
        raise InputError(f"rows must be (rows, {shape}), got {rows.shape}")
    return rows, tuple(wanted or (f"x{j}" for j in range(rows.shape[1])))


def _texts(X: Any, features: Sequence[Feature]) -> np.ndarray:
    """Rows in order that hold texts here and there."""
    cells = np.asarray(X, dtype=object)
    cells = cells[None] if cells.ndim == 1 else cells
    if cells.ndim != 2 or cells.shape[1] != len(features):
        raise InputError(f"rows must be (rows, {len(features)}), got {cells.shape}")
    return np.column_stack([numbered(f, cells[:, j]) for j, f in enumerate(features)])


@dataclass(frozen=True)
class _Checked:
    """Equal where the functions are, so that what was fitted to one is found again."""

    key: Any
    predict: Callable[[np.ndarray], np.ndarray] = field(compare=False)

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        found = np.asarray(self.predict(Z), dtype=float)
        if found.size != len(Z):
            raise InputError(f"predict must give one number a row: {found.shape} for {len(Z)} rows")
        return found.reshape(len(Z))


def checked(predict: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The function, which raises InputError where it does not give one number a row."""
    try:
        hash(predict)
    except TypeError:  # an object that holds arrays
        return _Checked(id(predict), predict)
    return _Checked(predict, predict)
