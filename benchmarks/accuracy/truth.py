"""True values and true Shapley values of a function in a world; values are kept as files, since they cost minutes.

v(S) = E[f | x_S] in closed form, or by `draws` quasi-random draws of the exact law;   phi = sum_S W[i, S] v(S)
"""

from __future__ import annotations

import os
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from benchmarks.accuracy.worlds import World

__all__ = ["CACHE", "coalitions", "kept_values", "shapley_matrix", "true_values", "values_by_completions"]

CACHE = Path(__file__).parents[2] / "runs" / "accuracy"
CELLS = 1 << 20


def coalitions(n: int) -> np.ndarray:
    """All 2^n, empty first, grand last."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1


def shapley_matrix(n: int) -> np.ndarray:
    """W (n, 2^n), by the definition; shares no code with the package."""
    S = coalitions(n)
    size = S.sum(axis=1)
    joins = np.array([0.0] + [factorial(k - 1) * factorial(n - k) / factorial(n) for k in range(1, n + 1)])
    stays = np.array([-factorial(k) * factorial(n - k - 1) / factorial(n) for k in range(n)] + [0.0])
    return np.where(S.T, joins[size], stays[size])


def values_by_completions(predict: Any, law: Any, X: np.ndarray, S: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The weighted mean of f over completions, (b, m)."""
    V = np.empty((len(X), len(S)))
    step = max(1, CELLS // (len(noise) * S.shape[1]))
    for k in range(0, len(S), step):
        for i, x in enumerate(X):
            Z, log_w = law.complete(x, S[k : k + step], noise)
            f = np.asarray(predict(Z.reshape(-1, Z.shape[2])), dtype=float).reshape(Z.shape[:2])
            w = np.ones_like(f) if log_w is None else np.exp(log_w - log_w.max(axis=1, keepdims=True))
            V[i, k : k + step] = (w * f).sum(axis=1) / w.sum(axis=1)
    return V


def true_values(world: World, f: Any, X: np.ndarray, draws: int) -> np.ndarray:
    """v(S) of the inner coalitions (b, 2^n - 2)."""
    S = coalitions(world.n)[1:-1]
    if world.expected(f, X[:1], S[:1]) is None:
        law = world.law(X, quasi=True)
        return values_by_completions(f, law, X, S, law.noise(draws, 987))
    return np.vstack([np.asarray(world.expected(f, X[i : i + 10], S)) for i in range(0, len(X), 10)])


def kept_values(name: str, world: World, f: Any, X: np.ndarray, draws: int) -> np.ndarray:
    """`true_values`, from the file if it is of the same rows and function; two processes do not compute it twice."""
    CACHE.mkdir(parents=True, exist_ok=True)
    place = CACHE / f"{name}_{len(X)}x{draws}.npz"
    stamp = np.asarray(f(X), dtype=float)
    with FileLock(f"{place}.lock"):
        if place.exists():
            with np.load(place) as held:
                if held["X"].shape == X.shape and np.array_equal(held["X"], X) and np.allclose(held["f"], stamp):
                    return held["V"]
        V = true_values(world, f, X, draws)
        part = place.with_suffix(".part.npz")
        np.savez(part, X=X, f=stamp, V=V)
        os.replace(part, place)
    return V
