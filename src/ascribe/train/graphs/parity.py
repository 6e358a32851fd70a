"""Does the converted model say what its library says?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ascribe.core.errors import BundleError

__all__ = ["TOLERANCE", "same"]

TOLERANCE = 1e-5  # of the largest value: float32 sums in another order


def same(found: Mapping[str, np.ndarray], told: Mapping[str, np.ndarray], library: str) -> float:
    """Largest difference over all outputs, each relative to its largest value. Raises BundleError above 1e-5, and where
    an answer is not finite or has another shape.
    """
    worst = 0.0
    for name, wanted in told.items():
        wanted, held = np.asarray(wanted, dtype=float), np.asarray(found[name], dtype=float)
        if held.shape != wanted.shape:
            raise BundleError(
                f"the converted model's {name} has shape {held.shape}, {library}'s {wanted.shape}: not kept"
            )
        if not np.isfinite(wanted).all():
            raise BundleError(f"{library} answers a background row with no finite {name}: give rows that it can answer")
        gap = float(np.abs(held - wanted).max(initial=0.0) / max(float(np.abs(wanted).max(initial=0.0)), 1e-12))
        if not gap <= TOLERANCE:
            raise BundleError(
                f"the converted model's {name} differs from {library}'s by {gap:.2g} of its largest value on the "
                f"background rows (allowed: {TOLERANCE:g}): not kept"
            )
        worst = max(worst, gap)
    return worst
