"""Explainers: one file and one row of `EXPLAINERS` each; `needs <= offers` decides who can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.explainers.kernel_shap import marginal_game
from ascribe.core.games import Game
from ascribe.core.model import Model
from ascribe.core.shapley import Options, shapley

__all__ = ["EXPLAINERS", "Explainer", "Options", "available", "explain"]


@dataclass(frozen=True)
class Explainer:
    """What an explainer needs of a model, the game it plays, and which value function it reads."""

    needs: frozenset[str]
    game: Callable[[Model, Options], Game]
    value: str


EXPLAINERS: dict[str, Explainer] = {
    "conditional_shap": Explainer(frozenset({"predict", "conditional"}), conditional_game, "completions"),
    "kernel_shap": Explainer(frozenset({"predict", "background"}), marginal_game, "background"),
}


def available(model: Model) -> tuple[str, ...]:
    """Explainers whose needs the model offers, in the table's order."""
    return tuple(name for name, e in EXPLAINERS.items() if e.needs <= model.offers)


def explain(
    model: Model,
    X: np.ndarray,
    method: str = "conditional_shap",
    options: Options | None = None,
    step: Callable[[], None] | None = None,
) -> Attribution:
    """Attributions of rows `X (b, n)` by name of method; `step` is called after each row (progress).

    Raises InputError for an unknown method or shape, CapabilityError where the model lacks what the method needs.
    """
    if method not in EXPLAINERS:
        raise InputError(f"unknown method '{method}': use one of {', '.join(EXPLAINERS)}")
    explainer = EXPLAINERS[method]
    if missing := explainer.needs - model.offers:
        can = ", ".join(available(model)) or "none"
        raise CapabilityError(
            f"{method} needs {', '.join(sorted(missing))}, which this model does not offer; it can be asked for: {can}"
        )
    options = options or Options()
    game = explainer.game(model, options)
    return shapley(model, game, X, method, explainer.value, options, step)
