"""How forecasts are judged.  y (o, h): what came; f (o, h): what was forecast; o origins, h steps of the horizon.

A target that is NaN was not measured: it is left out everywhere, and so is nothing else but where a line says so. With
`steps` a measure is an array (h,), one number for each step of the horizon; without, one number over all targets.
Where nothing is left the answer is NaN.

MAE, MAPE, sMAPE, MASE: R. Hyndman and A. Koehler, "Another look at measures of forecast accuracy", 2006; sMAPE as in
the M4 competition. Pinball loss: R. Koenker and G. Bassett, "Regression quantiles", 1978.
"""

from __future__ import annotations

from ascribe.core.arrays import Float, np

__all__ = ["averaged", "coverage", "mae", "mape", "mase", "pinball", "season_scale", "smape", "width", "zeros"]


def mae(y: Float[np.ndarray, "o h"], f: Float[np.ndarray, "o h"], steps: bool = False) -> np.ndarray:
    """mean |y - f|, in the unit of y.

    >>> float(mae(np.array([[1.0, 2.0], [np.nan, 4.0]]), np.array([[2.0, 2.0], [9.0, 1.0]])))
    1.3333333333333333
    """
    return averaged(np.abs(y - f), steps)


def mape(y: Float[np.ndarray, "o h"], f: Float[np.ndarray, "o h"], steps: bool = False) -> np.ndarray:
    """mean |y - f| / |y|, a share. Targets that are 0 have none: they are left out, and `zeros` says how many.

    >>> float(mape(np.array([[0.0, 2.0, 4.0]]), np.array([[5.0, 1.0, 5.0]])))
    0.375
    """
    return averaged(np.abs(y - f) / np.where(y == 0, np.nan, np.abs(y)), steps)


def zeros(y: Float[np.ndarray, "o h"]) -> int:
    """Targets that `mape` leaves out though they were measured."""
    return int((y == 0).sum())


def smape(y: Float[np.ndarray, "o h"], f: Float[np.ndarray, "o h"], steps: bool = False) -> np.ndarray:
    """mean 2 |y - f| / (|y| + |f|), from 0 to 2; where y and f are both 0 the term is 0.

    >>> float(smape(np.array([[0.0, 1.0]]), np.array([[0.0, 3.0]])))
    0.5
    """
    whole = np.abs(y) + np.abs(f)
    return averaged(2 * np.abs(y - f) / np.where(whole == 0, 1.0, whole), steps)


def season_scale(values: Float[np.ndarray, "t s"], season: int) -> Float[np.ndarray, " s"]:
    """mean |y_t - y_{t - season}| of each series over what is given, which must be the training part, in the unit of y.

    0 for a series that repeats itself exactly, NaN where no pair was measured.

    >>> season_scale(np.array([[1.0], [2.0], [4.0], [8.0]]), 2)
    array([4.5])
    """
    return averaged(np.abs(values[season:] - values[:-season]), True)


def mase(
    y: Float[np.ndarray, "o h"], f: Float[np.ndarray, "o h"], scale: Float[np.ndarray, " o"], steps: bool = False
) -> np.ndarray:
    """mean |y - f| / scale, `scale` that of each origin's series (`season_scale`). 1: as far off as a repetition of the
    last season was on the training part. Origins whose scale is 0 or NaN (a series that never changed) are left out.
    """
    held = np.where(scale > 0, scale, np.nan)
    return averaged(np.abs(y - f) / held[:, None], steps)


def pinball(
    y: Float[np.ndarray, "o h"], q: Float[np.ndarray, "o h k"], levels: Float[np.ndarray, " k"], steps: bool = False
) -> np.ndarray:
    """mean over targets and levels of max(a (y - q_a), (a - 1)(y - q_a)), in the unit of y; least for true quantiles.

    >>> float(pinball(np.array([[10.0]]), np.array([[[8.0, 12.0]]]), np.array([0.25, 0.75])))
    0.5
    """
    miss = y[:, :, None] - q
    return averaged(np.maximum(levels * miss, (levels - 1) * miss).mean(axis=2), steps)


def coverage(
    y: Float[np.ndarray, "o h"], low: Float[np.ndarray, "o h"], high: Float[np.ndarray, "o h"], steps: bool = False
) -> np.ndarray:
    """Share of targets with low <= y <= high.

    >>> float(coverage(np.array([[1.0, 5.0, np.nan]]), np.zeros((1, 3)), np.full((1, 3), 2.0)))
    0.5
    """
    inside = ((low <= y) & (y <= high)).astype(float)
    return averaged(np.where(np.isnan(y), np.nan, inside), steps)


def width(
    y: Float[np.ndarray, "o h"], low: Float[np.ndarray, "o h"], high: Float[np.ndarray, "o h"], steps: bool = False
) -> np.ndarray:
    """mean (high - low), in the unit of y, over the targets that coverage counts."""
    return averaged(np.where(np.isnan(y), np.nan, high - low), steps)


def averaged(terms: Float[np.ndarray, "o h"], steps: bool = False) -> np.ndarray:
    """Mean of the terms that are no NaN: of each column with `steps`, else of all; NaN where there is none."""
    axis = 0 if steps else None
    there = ~np.isnan(terms)
    count = there.sum(axis=axis)
    total = np.where(there, terms, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
