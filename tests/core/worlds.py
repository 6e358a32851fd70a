"""Laws of x whose conditionals are known, and values of quadratic f under them. Shares no code with the package."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np


def equicorrelated(n: int, rho: float) -> np.ndarray:
    return np.full((n, n), rho) + (1 - rho) * np.eye(n)


def random_covariance(n: int, seed: int) -> np.ndarray:
    A = np.random.default_rng([seed, n]).standard_normal((n, n + 2))
    return A @ A.T / n


def conditional_moments(mean: np.ndarray, cov: np.ndarray, x: np.ndarray, S: np.ndarray) -> tuple:
    """Mean (n,) and covariance (n, n) of a Gaussian given x_S, through the precision matrix P:

    mean_u = mu_u - P_uu^-1 P_uS (x_S - mu_S),   cov_u = P_uu^-1;   observed coordinates: x_S and 0
    """
    u = ~S
    P = np.linalg.inv(cov)
    spread = np.linalg.inv(P[u][:, u])
    m, C = np.where(S, x, 0.0), np.zeros_like(cov)
    m[u] = mean[u] - spread @ P[u][:, S] @ np.where(S, x - mean, 0.0)[S]
    C[np.ix_(u, u)] = spread
    return m, C


@dataclass(frozen=True)
class Quadratic:
    """f(x) = b'x + x'Ax,  with  E f = b'm + m'Am + tr(AC)  for any law of mean m and covariance C."""

    b: np.ndarray
    A: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return X @ self.b + np.einsum("bi,ij,bj->b", X, self.A, X)

    def expected(self, m: np.ndarray, C: np.ndarray) -> float:
        return float(self.b @ m + m @ self.A @ m + np.trace(self.A @ C))


def shapley_of(v, n: int) -> np.ndarray:
    """phi over all orders; `v` takes a boolean row and is asked once per coalition."""
    known: dict[bytes, float] = {}

    def value(S: np.ndarray) -> float:
        if S.tobytes() not in known:
            known[S.tobytes()] = v(S)
        return known[S.tobytes()]

    phi = np.zeros(n)
    for order in permutations(range(n)):
        S = np.zeros(n, dtype=bool)
        low = value(S)
        for i in order:
            S = S.copy()
            S[i] = True
            high = value(S)
            phi[i] += high - low
            low = high
    return phi / factorial(n)


def conditional_truth(f: Quadratic, mean: np.ndarray, cov: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Shapley values of v(S) = E[f(X) | X_S = x_S] for Gaussian X."""
    return shapley_of(lambda S: f.expected(*conditional_moments(mean, cov, x, S)), len(x))


def marginal_truth(f: Quadratic, mean: np.ndarray, cov: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Shapley values of v(S) = E f(x_S, X_u): the hidden part ignores what is observed."""

    def v(S: np.ndarray) -> float:
        return f.expected(np.where(S, x, mean), np.where(np.outer(~S, ~S), cov, 0.0))

    return shapley_of(v, len(x))
