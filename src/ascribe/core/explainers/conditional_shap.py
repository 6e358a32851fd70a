"""Conditional Shapley values: v(S) = E[f(X) | X_S = x_S].

An input that f ignores gets credit when it is correlated with one that f uses. That is what the conditional game asks.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.games import ConditionalGame
from ascribe.core.model import Model
from ascribe.core.noise import refuse_few
from ascribe.core.options import Options
from ascribe.core.shapley import shapley
from ascribe.core.stack import VALUES

__all__ = ["conditional_game", "conditional_shap"]


def conditional_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By the value function asked for, or the one that training chose for the model."""
    return shapley(model, conditional_game(model, options), X, "conditional_shap", options, step)


def conditional_game(model: Model, options: Options) -> ConditionalGame:
    """The model's own conditional; v(empty) is its recorded mean over training rows, or that of the background.

    Raises InputError for an unknown value or fewer than two completions, CapabilityError for a value that the model
    does not offer.
    """
    assert model.predict is not None and model.conditional is not None
    value = model.value if options.value == "auto" else options.value
    if value not in VALUES:
        raise InputError(f"unknown value '{value}': use one of auto, {', '.join(VALUES)}")
    if value != "completions" and model.surrogate is None:
        raise CapabilityError(f"value='{value}' needs a surrogate, which this model does not offer: use 'completions'")
    if value == "stacked" and model.share is None:
        raise CapabilityError("value='stacked' needs the shares of a stack, which this model does not offer")
    if value != "surrogate":
        refuse_few(options.samples)
    base = model.base_value
    if base is None:
        base = float(np.mean(model.predict(model.conditional.background)))
    return ConditionalGame(
        model.predict, model.conditional, options.samples, options.seed, base, model.surrogate, value, model.share,
        model.control,
    )  # fmt: skip
