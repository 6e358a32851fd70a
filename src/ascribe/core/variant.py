"""How far one model's answers and attributions are from another's, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, np
from ascribe.core.faithfulness.agreement import rank_correlation

__all__ = ["Drift", "PredictionError", "drift", "prediction_error"]

LOW = 0.05  # of the rows have a lower rank correlation than `rank_low`


@dataclass(frozen=True)
class PredictionError:
    """`most`, `rms` of the difference in the output's unit; `share`: rms over the standard deviation of the original's
    answers; `agreement`: share of rows put into the same class, where there are classes.
    """

    rows: int
    most: float
    rms: float
    share: float
    agreement: float | None = None


def prediction_error(told: Float[np.ndarray, "b k"], found: Float[np.ndarray, "b k"], classes: bool) -> PredictionError:
    """`told`: of the original; rows that it cannot answer are left out, no number of the variant is infinitely far.

    >>> prediction_error(np.array([[0.0], [2.0]]), np.array([[0.0], [2.5]]), False).most
    0.5
    """
    there = np.isfinite(told).all(axis=1)
    told, found = told[there], found[there]
    away = np.nan_to_num(np.abs(found - told), nan=np.inf, posinf=np.inf)
    rms = float(np.sqrt((away**2).mean()))
    same = float((told.argmax(axis=1) == found.argmax(axis=1)).mean()) if classes else None
    return PredictionError(len(told), float(away.max()), rms, rms / max(float(told.std()), np.finfo(float).tiny), same)


@dataclass(frozen=True)
class Drift:
    """Of one method. Spearman's correlation of the two rankings of a row: its median over rows, and the least but for
    5 %. `mae`: mean |difference of values| in the output's unit; `share`: over the mean |value| of the original;
    `efficiency_gap`: the variant's own, where the method claims a sum.
    """

    method: str
    rows: int
    rank: float
    rank_low: float
    mae: float
    share: float
    efficiency_gap: float | None = None


def drift(
    method: str, told: Float[np.ndarray, "b p"], found: Float[np.ndarray, "b p"], gap: float | None = None
) -> Drift:
    """`told`: of the original; rows that it does not answer are left out, rows that only the variant leaves unanswered
    count as infinitely far.
    """
    there = np.isfinite(told).all(axis=1)
    told, found = told[there], found[there]
    ranks = np.array([_spearman(a, b) for a, b in zip(told, found, strict=True)])
    away = np.nan_to_num(np.abs(found - told), nan=np.inf, posinf=np.inf)
    mae, size = (float(away.mean()), float(np.abs(told).mean())) if len(told) else (np.inf, 1.0)
    middle, low = (float(np.median(ranks)), float(np.quantile(ranks, LOW))) if len(ranks) else (0.0, 0.0)
    return Drift(method, len(told), middle, low, mae, mae / max(size, np.finfo(float).tiny), gap)


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Ties share their rank; 1 of two rows without order, 0 where one of them has none or is not a number."""
    if not np.isfinite(b).all():
        return 0.0
    rho = rank_correlation(a, b)
    return rho if np.isfinite(rho) else float(np.ptp(a) == 0 and np.ptp(b) == 0)
