"""Shapley values in one pass: a network that has learnt them.

    phi(x) = e(x) + 1 (f(x) - v(empty) - 1'e(x))/n        efficiency exact by construction

Its error is what was measured on held-out rows when it was made, not a standard error of this row. Jethani et al.,
ICLR 2022 (FastSHAP); Covert et al., 2401.15866 (noisy labels).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ascribe.core.arrays import Float, Predict, np

__all__ = ["CHUNK", "Amortized", "efficient", "in_chunks"]

CHUNK = 8  # rows of one call: always as many, since a product of another shape rounds otherwise


@dataclass(frozen=True, eq=False)
class Amortized:
    """`network`: rows (b, n) in natural units -> e (b, n) in the output's unit. `base_value`: v(empty), in that unit.

    Against the accurate answer on held-out rows: `rmse (n,)` of each feature in the output's unit, `r2` pooled over
    rows and features, each centred. `value`: the value function that the accurate answer read.
    """

    network: Callable[[np.ndarray], np.ndarray]
    base_value: float
    rmse: Float[np.ndarray, " n"]
    r2: float
    value: str = "surrogate"

    def explain(self, X: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """e of each row; a row alone has the same bits as among others."""
        return in_chunks(self.network, X) if len(X) else np.empty(X.shape)


def in_chunks(run: Predict, X: Float[np.ndarray, "b n"]) -> np.ndarray:
    """`run` of at least one row in calls of exactly `CHUNK` rows; the last one is filled up with the first row.

    >>> in_chunks(lambda rows: rows.sum(axis=1), np.ones((40, 2))).shape
    (40,)
    """
    b = len(X)
    padded = np.concatenate([X, np.repeat(X[:1], -b % CHUNK, axis=0)])
    found = [np.asarray(run(padded[k : k + CHUNK]), dtype=float) for k in range(0, len(padded), CHUNK)]
    return np.concatenate(found)[:b]


def efficient(e: Float[np.ndarray, "b n"], f: Float[np.ndarray, " b"], base_value: float) -> Float[np.ndarray, "b n"]:
    """phi: what e leaves of each row's difference is shared by all features alike.

    >>> efficient(np.array([[1.0, 2.0]]), np.array([5.0]), 1.0).tolist()
    [[1.5, 2.5]]
    """
    return e + ((f - base_value - e.sum(axis=1)) / e.shape[1])[:, None]
