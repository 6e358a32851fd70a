"""Conditional Shapley values: v(S) = E[f(X) | X_S = x_S].

An input that f ignores gets credit when it is correlated with one that f uses. That is what the conditional game asks.
"""

from __future__ import annotations

from ascribe.core.arrays import np
from ascribe.core.games import ConditionalGame
from ascribe.core.model import Model
from ascribe.core.shapley import Options

__all__ = ["conditional_game"]


def conditional_game(model: Model, options: Options) -> ConditionalGame:
    """The model's own conditional; v(empty) is its recorded mean over training rows, or that of the background."""
    assert model.predict is not None and model.conditional is not None
    base = model.base_value
    if base is None:
        base = float(np.mean(model.predict(model.conditional.background)))
    noise = model.conditional.noise(options.samples, options.seed)
    return ConditionalGame(model.predict, model.conditional, noise, base)
