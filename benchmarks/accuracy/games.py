"""Games with known Shapley values, for estimators that see coalitions only.

Marginal games: X ~ N(0, .6^|i-j|), d = 12 (50 background rows, 8 explained) or d = 20 (20 and 3),

    y = 2 sin(x1 x2) + x3^2 + 1.5 x4 x5 + max(x6, 0) x7 + linear in x8 ... (slopes 1 to -1) + .8 x9 x10 x11 + noise .3

standardised; f is a network with two layers of 64 tanh units, or boosting with 100 trees of 31 leaves;

    v(S) = mean over background rows z of f(x on S, z elsewhere).

The truth enumerates all 2^d coalitions. Sums of unanimity games: v(S) = sum over 50 terms of c_T 1[T in S], size of T
uniform on 0..n, c_T uniform on [-1, 1];  phi_i = sum over T with i of c_T / |T|.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neural_network import MLPRegressor

__all__ = ["SHAPES", "Game", "marginal_games", "model_of", "shapley_of_table", "sparse_game", "table_of"]

SHAPES = {12: (50, 8), 20: (20, 3)}  # d: background rows, explained rows
TRAIN = 4000
CHUNK = 1 << 19  # model rows at once


@dataclass(frozen=True, eq=False)
class Game:
    """`value` of coalitions (m, p) -> (m,), and the Shapley values `phi (p,)`. Marginal games keep what a peer needs:
    the model, the explained row and the background.
    """

    value: Callable[[np.ndarray], np.ndarray]
    phi: np.ndarray
    predict: Callable[[np.ndarray], np.ndarray] | None = None
    x: np.ndarray | None = None
    background: np.ndarray | None = None


def rows(d: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of N(0, .6^|i-j|)."""
    cov = 0.6 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    return rng.standard_normal((count, d)) @ np.linalg.cholesky(cov).T


def target(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The response of the table above, standardised."""
    x = X.T
    y = 2 * np.sin(x[0] * x[1]) + x[2] ** 2 + 1.5 * x[3] * x[4] + np.maximum(x[5], 0) * x[6]
    y = y + np.linspace(1, -1, len(x) - 7) @ x[7:] + 0.8 * x[8] * x[9] * x[10] + 0.3 * rng.standard_normal(len(X))
    return (y - y.mean()) / y.std()


@lru_cache
def model_of(kind: str, d: int, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """`mlp`: 2 x 64 tanh; `gbm`: 100 trees of 31 leaves."""
    rng = np.random.default_rng([seed, d])
    X = rows(d, TRAIN, rng)
    y = target(X, rng)
    if kind == "gbm":
        return HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=31, random_state=seed).fit(X, y).predict
    net = MLPRegressor(hidden_layer_sizes=(64, 64), activation="tanh", max_iter=300, random_state=seed).fit(X, y)
    (a, b, c), (e, f, g) = net.coefs_, net.intercepts_
    return lambda X: np.tanh(np.tanh(X @ a + e) @ b + f) @ c[:, 0] + g[0]


def value_of(predict: Callable, x: np.ndarray, background: np.ndarray, S: np.ndarray) -> np.ndarray:
    """v(S) of the marginal game, in chunks."""
    step = max(1, CHUNK // len(background))
    parts = [
        predict(np.where(part[:, None, :], x, background).reshape(-1, len(x))).reshape(len(part), -1).mean(axis=1)
        for part in np.split(S, range(step, len(S), step))
    ]
    return np.concatenate(parts)


def codes(p: int, start: int, stop: int) -> np.ndarray:
    """Coalitions start..stop as binary numbers."""
    return (np.arange(start, stop)[:, None] >> np.arange(p)) & 1 == 1


def table_of(game: Game, p: int) -> np.ndarray:
    """All 2^p values, in binary order."""
    return game.value(codes(p, 0, 2**p))


def shapley_of_table(v: np.ndarray, p: int) -> np.ndarray:
    """phi_i = sum over S without i of |S|! (p-|S|-1)! / p! (v(S + i) - v(S)), from all values in binary order."""
    size = np.zeros(1, dtype=int)
    for _ in range(p - 1):
        size = np.concatenate([size, size + 1])
    weight = np.array([factorial(k) * factorial(p - k - 1) / factorial(p) for k in range(p)])[size]
    gains = (np.moveaxis(v.reshape(-1, 2, 2**i), 1, 0) for i in range(p))
    return np.array([weight @ (after - before).reshape(-1) for before, after in gains])


@lru_cache
def marginal_games(kind: str, d: int, seed: int) -> tuple[Game, ...]:
    """The games of one model, one for each explained row."""
    predict = model_of(kind, d, seed)
    background, explained = SHAPES[d]
    rng = np.random.default_rng([seed, d, 1])
    Z, X = rows(d, background, rng), rows(d, explained, rng)
    games = []
    for x in X:

        def value(S: np.ndarray, x: np.ndarray = x) -> np.ndarray:
            return value_of(predict, x, Z, S)

        step = 1 << 16
        v = np.concatenate([value(codes(d, a, min(a + step, 2**d))) for a in range(0, 2**d, step)])
        games.append(Game(value, shapley_of_table(v, d), predict, x, Z))
    return tuple(games)


def sparse_game(n: int, seed: int, terms: int = 50) -> Game:
    """A sum of unanimity games."""
    rng = np.random.default_rng([seed, n, 2])
    c, sizes = rng.uniform(-1, 1, terms), rng.integers(0, n + 1, terms)
    T = np.array([np.isin(np.arange(n), rng.choice(n, size, replace=False)) for size in sizes])

    def value(S: np.ndarray) -> np.ndarray:
        return (~S @ T.T.astype(np.int32) == 0) @ c  # T is in S where no member is missing

    return Game(value, (T * (c / np.maximum(sizes, 1))[:, None]).sum(axis=0))
