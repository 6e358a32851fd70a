"""Arrays of a bundle's npz files."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.core.errors import BundleError

__all__ = ["array", "arrays"]

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
