"""Arrays of a bundle's npz files."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.core.errors import BundleError

__all__ = ["array", "arrays", "background_rows", "score_table"]

# the last two: a header that claims more numbers than there is room for
WRONG = (
    ValueError, KeyError, EOFError, OSError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error, MemoryError,
    OverflowError,
)  # fmt: skip


def array(bundle: Bundle, role: str, name: str) -> np.ndarray:
    """One array. Raises as `arrays`."""
    return arrays(bundle, role, (name,))[name]


def arrays(bundle: Bundle, role: str, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an npz without pickles, `names` among them."""
    raw = bundle.read(role)  # verified first
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as held:
            return {name: held[name] for name in {*names, *held.files}}
    except WRONG as exc:
        wanted = f"no array '{', '.join(names)}'" if names else "no arrays"
        raise BundleError(f"{role} of {bundle.origin} holds {wanted} ({exc}): train the bundle again") from exc


def background_rows(bundle: Bundle, n: int) -> np.ndarray:
    """Rows (rows, n) of the role `background`. Raises as `arrays`, also for what is no rows of n numbers."""
    held = array(bundle, "background", "background")
    if held.ndim != 2 or held.shape[1] != n or not len(held) or held.dtype.kind not in "fiub":
        raise BundleError(
            f"background of {bundle.origin} is no rows of {n} numbers ({held.dtype} {held.shape}): train it again"
        )
    return held.astype(float)


def score_table(bundle: Bundle) -> np.ndarray:
    """The table (n, k) of the role `scores` (`core.scaling`). Raises as `arrays`, also for none of all features."""
    table, n = array(bundle, "scores", "table"), len(bundle.manifest.features)
    if table.ndim != 2 or len(table) != n or table.shape[1] < 2 or table.dtype.kind != "f" or np.isnan(table).any():
        raise BundleError(
            f"scores of {bundle.origin} are no table of {n} features ({table.dtype} {table.shape}): train it again"
        )
    return table
