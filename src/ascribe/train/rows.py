"""Rows that never were, for networks to learn functions on that are known everywhere.

    crossed   each feature from one of two rows, a random share of them from the first
    pushed    a random share of features, at most `SHARE`, anywhere on the table of scores (half of the rows), or moved
              by `STEP` standard normal steps of their score (the other half)

A game f, v(x, S) needs no data to be known, and the rows to come are not quite those that were: features drift beyond
the bulk of the training rows one by one, or meet values of others that they had never met.
"""

from __future__ import annotations

import numpy as np

from ascribe.core.scaling import REACH, Scores

__all__ = ["made_rows"]

SHARE, STEP = 0.3, 0.7
REAL, PUSHED = 0.45, 0.5  # of the rows made: rows that were, and, among all, those that are pushed


def made_rows(X: np.ndarray, count: int, scores: Scores, rng: np.random.Generator) -> np.ndarray:
    """`count` rows from rows `X (rows, n)`, both in natural units, in random order."""
    real = round(REAL * count)
    made = np.concatenate([X[rng.integers(len(X), size=real)], _crossed(X, count - real, rng)])
    far = rng.random(count) < PUSHED
    made[far] = _pushed(made[far], scores, rng)
    return made[rng.permutation(count)]


def _crossed(X: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    a, b = (X[rng.integers(len(X), size=count)] for _ in range(2))
    return np.where(rng.random(a.shape) < rng.random((count, 1)), a, b)


def _pushed(X: np.ndarray, scores: Scores, rng: np.random.Generator) -> np.ndarray:
    """A feature that is not picked keeps its value to the bit."""
    Z = scores.forward(X)
    picked = rng.random(Z.shape) < SHARE * rng.random((len(Z), 1))
    anywhere = rng.random((len(Z), 1)) < 0.5
    new = np.where(anywhere, rng.uniform(-REACH, REACH, Z.shape), Z + STEP * rng.standard_normal(Z.shape))
    return np.where(picked, scores.inverse(new), X)
