"""The held-out rows that training leaves in a bundle: judged by, explained for practice, never fitted on."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.feather

from ascribe.bundle.archive import Bundle
from ascribe.core.features import check_rows

__all__ = ["answerable", "holdout"]


def holdout(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Rows `X (rows, n)` in natural units and the target `y (rows,)`; of a classifier the number of the class."""
    table = pyarrow.feather.read_table(io.BytesIO(bundle.read("holdout")))
    names = [f.name for f in bundle.manifest.feature_list]
    X = np.column_stack([table[name].to_numpy() for name in names]).astype(float)
    target = bundle.manifest.origin.get("target") or bundle.manifest.target.name
    return X, table[target].to_numpy().astype(float)


def answerable(bundle: Bundle) -> np.ndarray:
    """Those of the rows (rows, n) that lie in the training range and can be answered; there may be none."""
    X = holdout(bundle)[0]
    return np.asarray(X[check_rows(bundle.manifest.feature_list, X)[0] == "ok"])
