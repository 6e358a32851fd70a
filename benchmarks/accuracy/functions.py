"""Functions that are explained: sums of simple terms whose means are known, steps, and fitted models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Terms", "boosted", "gam", "least_squares", "linear", "steps"]

BETA = np.array([0.2, -0.8, 1.0, 0.5, -0.8, 0.6, -0.7, -0.6])
GAMMA = np.array([0.8, -1.0])
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Terms:
    """f(x) = a + sum_j beta_j h(x_j) + sum_k gamma_k (x_a x_b + x_a x_b^2 + x_a^2 x_b),   h = cos or the identity.

    Olsen, Glad, Jullum, Aas 2024 (their gam games, with `cosine`). `pairs (k, 2)`, `gamma (k,)`.
    """

    beta: np.ndarray
    cosine: bool = False
    gamma: np.ndarray = field(default_factory=lambda: np.zeros(0))
    pairs: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), dtype=int))
    intercept: float = 0.0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        X = np.asarray(X, dtype=float)
        a, b = X[:, self.pairs[:, 0]], X[:, self.pairs[:, 1]]
        single = np.cos(X) if self.cosine else X
        return self.intercept + single @ self.beta + (a * b * (1 + a + b)) @ self.gamma

    def expected(self, mean: np.ndarray, variance: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """E f for normal x: mean (..., n), variance (..., n), covariance of each pair (..., k).

        E cos x = exp(-v/2) cos m;  E x_a x_b = m_a m_b + c;  E x_a x_b^2 = m_a (m_b^2 + v_b) + 2 m_b c
        """
        a, b = self.pairs.T
        single = np.exp(-variance / 2) * np.cos(mean) if self.cosine else mean
        m_a, m_b = mean[..., a], mean[..., b]
        pair = m_a * m_b + covariance
        pair = pair + m_a * (m_b**2 + variance[..., b]) + 2 * m_b * covariance
        pair = pair + m_b * (m_a**2 + variance[..., a]) + 2 * m_a * covariance
        return self.intercept + single @ self.beta + pair @ self.gamma


def linear(n: int) -> Terms:
    """A sum of the features, with the slopes of Olsen et al. repeated as needed."""
    return Terms(np.resize(BETA, n))


def gam(n: int) -> Terms:
    """Cosines and two interacting pairs ("gam more")."""
    return Terms(np.resize(BETA, n), True, GAMMA, np.array([[0, 1], [2, 3]]), 1.0)


def steps(X: np.ndarray) -> np.ndarray:
    """g1 + g2 + g3 in turn, the last of ten features a dummy; Aas, Jullum, Loland 2021.

    g1 = sign x,   g2 = 2 floor(x/2),   g3 = +1 where |floor(x/2)| is even, else -1
    """
    g = (np.sign, lambda x: 2 * np.floor(x / 2), lambda x: 1.0 - 2 * (np.abs(np.floor(x / 2)) % 2))
    return np.sum([g[j % 3](X[:, j]) for j in range(min(X.shape[1], 9))], axis=0)


def least_squares(X: np.ndarray, y: np.ndarray) -> Terms:
    """The linear model fitted by least squares."""
    found = np.linalg.lstsq(np.column_stack([np.ones(len(X)), X]), y, rcond=None)[0]
    return Terms(found[1:], intercept=float(found[0]))


def boosted(
    X: np.ndarray, y: np.ndarray, rounds: int = 50, eta: float = 0.3, depth: int = 6, logistic: bool = False
) -> Function:
    """Boosted trees of xgboost, as a function of rows; one thread, histograms, no randomness. `logistic`: y is 0 or 1,
    and the function a probability.
    """
    import xgboost

    settings = {"eta": eta, "max_depth": depth, "tree_method": "hist", "nthread": 1, "seed": 0}
    settings |= {"objective": "binary:logistic"} if logistic else {}
    trees = xgboost.train(settings, xgboost.DMatrix(X, y, nthread=1), rounds)

    def predict(Z: np.ndarray) -> np.ndarray:
        return np.asarray(trees.inplace_predict(np.ascontiguousarray(Z, dtype=np.float32)), dtype=float)

    return predict
