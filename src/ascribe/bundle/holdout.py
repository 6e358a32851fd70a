"""The held-out rows that training leaves in a bundle: judged by, explained for practice, never fitted on."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.feather

from ascribe.bundle.archive import Bundle
from ascribe.core.errors import BundleError
from ascribe.core.features import check_rows

__all__ = ["answerable", "holdout"]


def holdout(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Rows `X (rows, n)` in natural units and the target `y (rows,)`; of a classifier the number of the class.

    Raises BundleError for what is no table of such rows, or one without any.
    """
    raw = bundle.read("holdout")  # verified first
    names = [f.name for f in bundle.manifest.feature_list]
    target = bundle.manifest.origin.get("target") or bundle.manifest.target.name
    try:
        table = pyarrow.feather.read_table(io.BytesIO(raw))
        X = np.column_stack([table[name].to_numpy() for name in names]).astype(float)
        y = table[target].to_numpy().astype(float)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as exc:
        raise BundleError(f"holdout of {bundle.origin} holds no such rows ({_first(exc)}): train it again") from exc
    if not len(y):
        raise BundleError(f"holdout of {bundle.origin} holds no rows, so it cannot be judged: train it again")
    if (classes := len(bundle.manifest.outputs)) and not np.isin(y, np.arange(classes)).all():
        raise BundleError(f"holdout of {bundle.origin} holds classes that are not among its {classes}: train it again")
    return X, y


def answerable(bundle: Bundle) -> np.ndarray:
    """Those of the rows (rows, n) that lie in the training range and can be answered; there may be none."""
    X = holdout(bundle)[0]
    return np.asarray(X[check_rows(bundle.manifest.feature_list, X)[0] == "ok"])


def _first(exc: Exception) -> str:
    return str(exc).strip("\"'").splitlines()[0].rstrip(".")
