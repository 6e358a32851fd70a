"""How alike two methods rank: Spearman's correlation of their values, row by row."""

from __future__ import annotations

from collections.abc import Sequence

from ascribe.core.arrays import Float, np

__all__ = ["agreement", "rank_correlation"]


def rank_correlation(one: Float[np.ndarray, " u"], two: Float[np.ndarray, " u"]) -> float:
    """Spearman's rho, ties at their mean rank; NaN where one of both is constant.

    >>> round(rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), 6)
    0.5
    """
    from scipy.stats import rankdata  # half a second to import: paid by who asks, not at every start

    a, b = (rankdata(v) - (len(v) + 1) / 2 for v in (one, two))
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else float("nan")


def agreement(values: Sequence[Sequence[Float[np.ndarray, " u"] | None]]) -> Float[np.ndarray, "k k"]:
    """Mean correlation over the rows that both methods answered; `values`: by method, by row (None: not answered)."""
    k = len(values)
    out = np.full((k, k), np.nan)
    for i in range(k):
        for j in range(i, k):
            pairs = zip(values[i], values[j], strict=True)
            found = [rank_correlation(a, b) for a, b in pairs if a is not None and b is not None]
            held = [rho for rho in found if np.isfinite(rho)]
            out[i, j] = out[j, i] = np.mean(held) if held else np.nan
    return out
