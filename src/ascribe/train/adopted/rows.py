"""Rows that an adopted bundle keeps: a background sample, held-out rows with their labels, and how the model does."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather

from ascribe.core.arrays import evenly
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.judge import class_error, power_error
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.words import listed
from ascribe.train.adapters.adopted import Asked

__all__ = ["held_rows", "kept_rows", "labelled_rows", "scored"]

ROWS = {"table": 256, "text": 64, "image": 16}
HOLDOUT_ROWS = 2000


def kept_rows(layout: Layout, X: np.ndarray) -> np.ndarray:
    """Positions of the background sample among all rows. Raises InputError where there are none."""
    if not len(X):
        raise InputError("the background has no rows")
    return evenly(len(X), ROWS[layout.kind])


def labelled_rows(
    asked: Asked, X: np.ndarray, good: np.ndarray, outputs: Sequence[str]
) -> tuple[tuple[np.ndarray, np.ndarray] | None, str]:
    """Of the background rows `X (rows, n)`, which `good` are of all, those with an answer, and it `y (rows,)`: of a
    classifier the number of the class. Or None; and why there are none, or which are left out.
    """
    table = asked.background.table
    if table is None or not asked.target:
        return None, "no --target names a column of the background: the bundle has no held-out rows to be judged by"
    if asked.target not in table.column_names:
        return None, f"the background has no column {asked.target}: the bundle has no held-out rows to be judged by"
    told, why = np.asarray(table[asked.target].to_pylist(), dtype=object)[good], ""
    if outputs:
        place = {label: float(k) for k, label in enumerate(outputs)}
        y = np.array([place.get(str(held), place.get(_label(held), np.nan)) for held in told])
        if np.isnan(y).all():
            return None, (
                f"no {asked.target} of the background is one of the classes ({listed(outputs, 4)}): name them as "
                "it does with --labels to have held-out rows"
            )
        strange = {
            str(held) for held, k in zip(told, y, strict=True) if np.isnan(k) and held == held and held is not None
        }
        if strange:
            why = f"rows whose {asked.target} is none of the classes are not held out: {listed(sorted(strange), 4)}"
    else:
        try:
            y = np.array([np.nan if held is None else float(held) for held in told])
        except (TypeError, ValueError) as exc:
            raise InputError(f"column {asked.target} holds no numbers, and the model predicts one") from exc
    at = np.flatnonzero(np.isfinite(y))
    at = at[evenly(len(at), HOLDOUT_ROWS)]
    return ((X[at], y[at]) if len(at) else None), why


def _label(held: object) -> str:
    return str(int(held)) if isinstance(held, float) and held.is_integer() else str(held)


def held_rows(features: Sequence[Feature], rows: tuple[np.ndarray, np.ndarray], target: str) -> bytes:
    """The file `holdout.arrow`; its `row` is the position, but for a model that has a feature of that name."""
    X, y = rows
    columns = {"row": np.arange(len(y))} | {f.name: X[:, j] for j, f in enumerate(features)} | {target: y}
    out = io.BytesIO()
    pyarrow.feather.write_feather(pa.table(columns), out, compression="uncompressed")
    return out.getvalue()


def scored(model: Model, X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Of a classifier accuracy and log loss, else R2, MAE and MAPE."""
    if model.scores is None:
        assert model.predict is not None
        return asdict(power_error(y, np.asarray(model.predict(X), dtype=float)))
    chosen = model.choose(space="probability") if "probability" in model.spaces else model
    assert chosen.scores is not None
    return asdict(class_error(y, chosen.scores(X), chosen.space == "probability"))
