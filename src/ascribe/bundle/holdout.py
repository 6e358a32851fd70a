"""The held-out rows that training leaves in a bundle: judged by, explained for practice, never fitted on."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.feather

from ascribe.bundle.archive import Bundle

__all__ = ["holdout"]


def holdout(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Rows `X (rows, n)` in natural units and the target `y (rows,)`."""
    table = pyarrow.feather.read_table(io.BytesIO(bundle.read("holdout")))
    names = [f.name for f in bundle.manifest.feature_list]
    X = np.column_stack([table[name].to_numpy() for name in names]).astype(float)
    return X, table[bundle.manifest.target.name].to_numpy().astype(float)
