"""Which family serves: fitted without some blocks of the training part, and judged on these.

    error of a family = sum over origins and steps of |y - f| / scale of the series, over the same sum of targets

Three blocks lie in the middle of the thirds of the training part. Their targets are hidden from every fit (marked as
not measured), so a family that stops early by blocks of its own never sees them either. The last weeks alone would be
the usual choice; of two months they may be nothing but a holiday.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ascribe.bundle.held_windows import scale_of_training
from ascribe.core.forecast import Series, Window, origins, rows, targets
from ascribe.core.forecast import measures as m
from ascribe.train.forecasting.fitted import FittedForecast

__all__ = ["Choice", "chosen", "hidden", "judged_on"]

BLOCKS, SHARE = 3, 0.2
PERIODS = 4  # origins a day
AT_ONCE = 128

Choice = tuple[Series, np.ndarray]
"""Series whose blocks are hidden, and origins (o, 2) whose targets lie inside them."""


def hidden(series: Series, window: Window, until: int) -> Choice:
    """Blocks are at least two horizons long. Series too short for that hide what there is."""
    span = (until - window.context) / BLOCKS
    length = min(span, max(span * SHARE, 2 * window.horizon))
    observed, at = series.observed.copy(), []
    for k in range(BLOCKS):
        first = round(window.context + (k + 0.5) * span - length / 2)
        last = round(first + length)
        at.append(origins(series, window, first, last, max(1, window.day // PERIODS)))
        observed[first:last] = False
    return replace(series, observed=observed), np.concatenate(at)


def judged_on(
    fitted: FittedForecast, series: Series, window: Window, at: np.ndarray, until: int
) -> dict[str, float | None]:
    """MAE in natural units, MASE over all series, its median by series, share of targets inside the interval."""
    y, scale = targets(series, window, at), scale_of_training(series, window, until)[at[:, 1]]
    told = [fitted.ask(rows(series, window, at[k : k + AT_ONCE])) for k in range(0, len(at), AT_ONCE)]
    f = np.concatenate([one for one, _ in told])
    each = [at[:, 1] == j for j in np.unique(at[:, 1])]
    by = [one for mine in each if np.isfinite(one := float(m.mase(y[mine], f[mine], scale[mine])))]
    found: dict[str, Any] = {"mae": m.mae(y, f), "mase": m.mase(y, f, scale)}
    found["mase_median"] = np.median(by) if by else np.nan
    if told[0][1] is not None:
        q = np.concatenate([one for _, one in told if one is not None])
        found["coverage"] = m.coverage(y, q[:, :, 0], q[:, :, -1])
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def chosen(candidates: Mapping[str, Mapping[str, Any]], served: set[str]) -> str:
    """The least MASE of those that can be served; MAE where no series has a scale; the first of equals."""

    def error(name: str) -> float:
        told = candidates[name]
        return next((told[word] for word in ("mase", "mae") if told.get(word) is not None), np.inf)

    return min((name for name in candidates if name in served), key=error)
