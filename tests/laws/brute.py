"""Shapley values straight from the definition, and games to try them on. Shares no code with the package."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial

import numpy as np

SetValue = Callable[[frozenset[int]], float]


def by_orders(v: SetValue, p: int) -> np.ndarray:
    """phi_i: mean over all p! orders of the gain when i joins those before it."""
    phi = np.zeros(p)
    for order in permutations(range(p)):
        before: frozenset[int] = frozenset()
        for i in order:
            after = before | {i}
            phi[i] += v(after) - v(before)
            before = after
    return phi / factorial(p)


def rough(p: int, seed: int) -> SetValue:
    """A game without any structure: each coalition's value is drawn by itself."""
    table = np.random.default_rng([seed, p]).standard_normal(2**p)
    return lambda members: float(table[sum(1 << i for i in members)])


def smooth(p: int, seed: int) -> SetValue:
    """A game of single effects, products of two, and a saturating sum of them."""
    rng = np.random.default_rng([seed, p, 1])
    single, double = rng.standard_normal(p), np.triu(rng.standard_normal((p, p)), 1)

    def v(members: frozenset[int]) -> float:
        at = np.isin(np.arange(p), list(members)).astype(float)
        pairs = at @ double @ at
        return float(at @ single + 0.3 * pairs + 2 * np.tanh(pairs / 2) + 1.5)

    return v


def on(v: SetValue, S: np.ndarray) -> np.ndarray:
    """The value of each row of `S`."""
    return np.array([v(frozenset(np.flatnonzero(row).tolist())) for row in S])


def sparse(p: int, seed: int, terms: int = 50) -> tuple[SetValue, np.ndarray]:
    """A sum of unanimity games, and its Shapley values: each term's coefficient, shared by its members."""
    rng = np.random.default_rng([seed, p, 2])
    held = [(frozenset(rng.choice(p, rng.integers(1, p + 1), replace=False).tolist()), rng.uniform(-1, 1))
            for _ in range(terms)]  # fmt: skip
    phi = np.array([sum(c / len(T) for T, c in held if i in T) for i in range(p)])
    return lambda members: float(sum(c for T, c in held if members >= T)), phi
