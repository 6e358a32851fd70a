"""Surrogate regressions: one model  g(x_S, S) ~ f(x)  for all coalitions, fitted to squared error under random masks.

Its minimiser is E[f(X) | x_S]. Hidden cells hold the feature's mean, and the mask is given beside them; Frye et al.
2021, Olsen et al. 2024. The size of a mask is uniform on 1 ... n-1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["REGRESSIONS", "Regression", "boosting", "forest"]

MOST = 40_000  # masked rows to fit on


@dataclass(frozen=True, eq=False)
class Regression:
    """v(S) = g(x_S, S)."""

    model: Any
    mean: np.ndarray

    def values(self, X: np.ndarray, S: np.ndarray) -> np.ndarray:
        """Rows X (b, n), coalitions S (m, n) -> (b, m)."""
        V = np.empty((len(X), len(S)))
        for i, x in enumerate(X):
            V[i] = self.model.predict(_masked(np.tile(x, (len(S), 1)), S, self.mean))
        return V


def forest(X: np.ndarray, f: np.ndarray, seed: int = 0) -> Regression:
    """100 trees, a third of the columns at each split, five masked rows to a leaf."""
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(
        100, min_samples_leaf=5, max_features=1 / 3, max_samples=0.5, random_state=seed, n_jobs=1
    )
    return _fitted(model, X, f, seed)


def boosting(X: np.ndarray, f: np.ndarray, seed: int = 0) -> Regression:
    """300 rounds of depth 6, rate .1."""
    from xgboost import XGBRegressor

    model = XGBRegressor(n_estimators=300, max_depth=6, learning_rate=0.1, tree_method="hist", n_jobs=1)
    return _fitted(model, X, f, seed)


def _fitted(model: Any, X: np.ndarray, f: np.ndarray, seed: int) -> Regression:
    rng = np.random.default_rng(seed)
    rows = np.tile(np.arange(len(X)), max(1, MOST // len(X)))
    n = X.shape[1]
    size = rng.integers(1, n, size=len(rows)) if n > 1 else np.zeros(len(rows), int)
    S = rng.random((len(rows), n)).argsort(axis=1).argsort(axis=1) < size[:, None]
    mean = X.mean(axis=0)
    model.fit(_masked(X[rows], S, mean), f[rows])
    return Regression(model, mean)


def _masked(X: np.ndarray, S: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.hstack([np.where(S, X, mean), S]).astype(np.float32)


REGRESSIONS: dict[str, Callable[[np.ndarray, np.ndarray], Regression]] = {"forest": forest, "boosting": boosting}
