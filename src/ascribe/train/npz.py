"""Arrays as bytes of a bundle; `bundle.npz` reads them."""

from __future__ import annotations

import io

import numpy as np

__all__ = ["npz"]


def npz(**arrays: np.ndarray) -> bytes:
    """Without pickles."""
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()
