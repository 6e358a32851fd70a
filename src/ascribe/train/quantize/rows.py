"""Calibration rows: of a file, or the bundle's own background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.manifest import digest
from ascribe.core.arrays import evenly
from ascribe.core.errors import InputError
from ascribe.core.model import Model
from ascribe.train.adapters.background import Background

__all__ = ["calibration"]

MOST = {"table": 1 << 14, "text": 256, "image": 64}


def calibration(bundle: Bundle, model: Model, path: Path | None) -> tuple[np.ndarray, dict[str, Any]]:
    """Rows (rows, n) that the model can answer, evenly through the file, and where they come from.

    Raises InputError (SchemaError) for a file that holds none.
    """
    if path is None:
        if model.background is None:
            raise InputError("this bundle has no background rows: give rows that the model knows with --calibrate")
        X, told = np.asarray(model.background, dtype=float), {"data": "background"}
    else:
        X, told = _read(Background.at(path), bundle, model), {"data": path.name}
        if path.is_file():
            told["sha256"] = digest(path.read_bytes())
    good = X[model.check(X)[0] != "invalid"]
    good = good[np.isfinite(good).all(axis=1)]
    if not len(good):
        raise InputError(
            f"{path or 'the background'} holds no row that the model can answer: give others with --calibrate"
        )
    good = good[evenly(len(good), MOST[model.layout.kind])]
    return good, told | {"rows": len(good)}


def _read(found: Background, bundle: Bundle, model: Model) -> np.ndarray:
    if model.layout.kind != "table":
        return found.prepared(model.layout, bundle.manifest.preparation)
    own = {f.name: f.categories for f in model.features if f.categories}
    found.features(list(model.names), {}, own, False)  # says which column is not there
    return found.rows(model.features)
