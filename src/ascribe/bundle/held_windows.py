"""The windows that training a forecast leaves in a bundle, with what came after them: judged by, never fitted on.

Role `backtest`, an npz:

    x (o, n) float32   rows, natural units        y (o, h)     what was measured, NaN where nothing was
    origins (o, 2)     step of the series that is forecast first, number of the series
    scale (s,)         of each series: mean |y_t - y_(t - a day)| over the training part
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.npz import arrays
from ascribe.core.arrays import evenly
from ascribe.core.errors import BundleError
from ascribe.core.forecast.measures import season_scale
from ascribe.core.forecast.rows import rows, targets
from ascribe.core.forecast.series import Series, Window

__all__ = ["ROLE", "HeldWindows", "held_arrays", "held_windows", "scale_of_training"]

ROLE = "backtest"
MOST_NUMBERS = 1 << 23  # of the rows: 32 MiB


@dataclass(frozen=True, eq=False)
class HeldWindows:
    """`moment (o,)`: steps, `series (o,)`: numbers; `scale (o,)`: that of the series of each row."""

    x: np.ndarray
    y: np.ndarray
    moment: np.ndarray
    series: np.ndarray
    scale: np.ndarray


def held_arrays(series: Series, window: Window, at: np.ndarray, until: int) -> dict[str, np.ndarray]:
    """The arrays of origins `at (o, 2)`, all at or after step `until`, before which everything was for training. Where
    there are too many, moments are left out evenly, and every series keeps its place at those that stay.
    """
    moments = np.unique(at[:, 0])
    rows_of_each = max(1.0, len(at) / max(1, len(moments)))
    most = max(1, int(MOST_NUMBERS / window.n / rows_of_each))
    at = at[np.isin(at[:, 0], moments[evenly(len(moments), most)])]
    return {
        "x": rows(series, window, at).astype(np.float32), "y": targets(series, window, at), "origins": at,
        "scale": scale_of_training(series, window, until),
    }  # fmt: skip


def scale_of_training(series: Series, window: Window, until: int) -> np.ndarray:
    """(s,): `season_scale` of a day, of what was measured before `until`."""
    seen = np.where(series.observed, series.values, np.nan)[:until]
    return season_scale(seen, min(window.day, max(1, len(seen) - 1)))


def held_windows(bundle: Bundle) -> HeldWindows:
    """Raises BundleError where the bundle holds none, or they do not fit one another."""
    if not bundle.has(ROLE):
        raise BundleError(f"{bundle.origin} holds no windows to judge a forecast on: train it again")
    told = arrays(bundle, ROLE, ("x", "y", "origins", "scale"))
    x, y, at, scale = (told[name] for name in ("x", "y", "origins", "scale"))
    fits = (
        at.dtype.kind in "iu"
        and x.ndim == y.ndim == at.ndim == 2
        and 0 < len(x) == len(y) == len(at)
        and at.shape[1] == 2
    )
    if not fits or not (0 <= at[:, 1].min() <= at[:, 1].max() < len(scale)):
        raise BundleError(f"the held-out windows of {bundle.origin} do not fit one another: train it again")
    return HeldWindows(x, y, at[:, 0], at[:, 1], scale[at[:, 1]])
