"""Rows that never were, coalitions of them, and their values by completions: what networks learn a game from.

An evaluation of the proposal costs as much as thirty of f, so these are the dearest numbers of a training. They are
made once, and the surrogate and the one-pass explainer both learn from them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ascribe.core.arrays import Float, Predict
from ascribe.core.control import Control
from ascribe.core.energy import EmShap
from ascribe.core.judge import random_coalitions
from ascribe.core.stack import ValueChoice, stacked
from ascribe.core.surrogate import Surrogate
from ascribe.train.loop import Progress
from ascribe.train.rows import made_rows
from ascribe.train.values.labels import by_row, completed_label, surrogate_label

__all__ = ["Pairs", "PairsOptions", "made_pairs", "valued"]

AT_ONCE = 256  # rows between two words of progress


@dataclass(frozen=True)
class PairsOptions:
    """`masks` coalitions of a row, each with its complement; `each` for a training row, `most` in all."""

    masks: int = 16
    each: int = 32
    most: int = 320_000


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows `X (r, n)` in natural units, `S (r, k, n)`, and `completions (r, k)`: v by completions in the unit of f."""

    X: Float[np.ndarray, "r n"]
    S: np.ndarray
    completions: Float[np.ndarray, "r k"]

    def by(self, choice: ValueChoice, surrogate: Surrogate) -> Float[np.ndarray, "r k"]:
        """v by the value function that was chosen."""
        if choice.value == "completions":
            return self.completions
        label, at = surrogate_label(surrogate), range(0, len(self.X), AT_ONCE)
        g = np.concatenate([label(self.X[k : k + AT_ONCE], self.S[k : k + AT_ONCE]) for k in at])
        if choice.value == "surrogate":
            return g
        return stacked(np.array(choice.share), self.S.sum(axis=2), self.completions, g)


def made_pairs(
    predict: Predict, conditional: EmShap, control: Control | None, X: Float[np.ndarray, "b n"], seed: int = 0,
    progress: Progress | None = None, max_seconds: float | None = None, options: PairsOptions | None = None,
) -> Pairs:  # fmt: skip
    """From training rows `X`; as many as `max_seconds` allow, some at least."""
    options = options or PairsOptions()
    rng = np.random.default_rng(seed)
    count = max(1, min(options.most, options.each * len(X)) // options.masks)
    rows = made_rows(X, count, conditional.scores, rng)
    return valued(predict, conditional, control, rows, rng, progress, max_seconds, options.masks)


def valued(
    predict: Predict, conditional: EmShap, control: Control | None, rows: Float[np.ndarray, "r n"],
    rng: np.random.Generator, progress: Progress | None = None, max_seconds: float | None = None, masks: int = 16,
) -> Pairs:  # fmt: skip
    """Of these rows, or the first of them."""
    count, n = rows.shape
    half = random_coalitions(n, count * masks // 2, rng).reshape(count, masks // 2, n)
    S = np.concatenate([half, ~half], axis=1)
    seed = int(rng.integers(2**31))
    label = by_row(completed_label(predict, conditional, control, seed))
    found: list[np.ndarray] = []
    begin = time.perf_counter()
    for at in range(0, count, AT_ONCE):
        found.append(label(rows[at : at + AT_ONCE], S[at : at + AT_ONCE]))
        spent = (time.perf_counter() - begin) / max_seconds if max_seconds else 0.0
        if progress:
            progress(min(1.0, max((at + AT_ONCE) / count, spent)), "valuing coalitions")
        if spent > 1:
            break
    v = np.concatenate(found)
    if progress:
        progress(1.0, f"{v.size} values")
    return Pairs(rows[: len(v)], S[: len(v)], v)
