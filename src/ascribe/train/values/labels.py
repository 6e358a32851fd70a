"""Values of many (row, coalition) pairs at once, as labels: from the surrogate, or from the value that serves.

Completions of `AT_ONCE` pairs share their noise and the next ones draw fresh noise, so that no network learns it as if
it were the function's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ascribe.core.arrays import Predict
from ascribe.core.control import Control
from ascribe.core.energy import EmShap
from ascribe.core.games import ConditionalGame
from ascribe.core.stack import ValueChoice
from ascribe.core.surrogate import Surrogate
from ascribe.train.families.amortized import Label

__all__ = ["PairLabel", "by_row", "completed_label", "pair_label", "surrogate_label"]

PairLabel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows (p, n) in natural units and a coalition of each, (p, n) -> v (p,) in the output's unit."""

AT_ONCE = 64  # pairs: the parameters of their mixtures stay in the cache
SAMPLES = 8  # an evaluation of the proposal costs as much as thirty of f


def surrogate_label(surrogate: Surrogate) -> Label:
    """Many rows' values in one call."""

    def label(X: np.ndarray, S: np.ndarray) -> np.ndarray:
        known = np.where(S, surrogate.scores.forward(X)[:, None, :], np.float32(0))
        n = X.shape[1]
        return np.asarray(surrogate.network(known.reshape(-1, n), S.reshape(-1, n)), dtype=float).reshape(S.shape[:2])

    return label


def pair_label(
    choice: ValueChoice,
    surrogate: Surrogate | None,
    predict: Predict,
    conditional: EmShap,
    control: Control | None,
    seed: int = 0,
) -> PairLabel:
    """The chosen value function."""
    seeds = np.random.default_rng(seed)
    share = np.array(choice.share)

    def label(X: np.ndarray, S: np.ndarray) -> np.ndarray:
        found = np.empty(len(X))
        for k in range(0, len(X), AT_ONCE):
            game = ConditionalGame(
                predict, conditional, SAMPLES, int(seeds.integers(2**31)), 0.0, surrogate, choice.value, share, control
            )
            found[k : k + AT_ONCE] = game.values(X[k : k + AT_ONCE], S[k : k + AT_ONCE]).v
        return found

    return label


def completed_label(predict: Predict, conditional: EmShap, control: Control | None, seed: int = 0) -> PairLabel:
    """Completions alone."""
    return pair_label(ValueChoice("completions", (), "", {}), None, predict, conditional, control, seed)


def by_row(label: PairLabel) -> Label:
    """The same for rows (r, n) and coalitions (r, k, n)."""

    def rows(X: np.ndarray, S: np.ndarray) -> np.ndarray:
        r, k, n = S.shape
        return label(np.repeat(X, k, axis=0), S.reshape(-1, n)).reshape(r, k)

    return rows
