"""Prepared trees asked for an attribution: rows checked, one output, margins explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.trees.record import Trees
from ascribe.core.trees.shape import UNITS
from ascribe.core.trees.values import Shares
from ascribe.core.trees.walk import margin

__all__ = ["attributed", "kept"]

Made = Callable[[Trees], Shares]


def attributed(
    model: Model,
    shares: Shares,
    X: np.ndarray,
    method: str,
    game: str,
    options: Options,
    step: Callable[[], None] | None,
) -> Attribution:
    """Exact values of the margin: of what the trees sum to, before a link. `prediction` and `base_value` are margins.

    Estimator, value, budget, samples and target of `options` have no say. Raises InputError for a wrong shape, groups,
    or a model that is asked in the space of probabilities where trees sum to margins.
    """
    if options.groups:
        raise InputError(f"{method} answers single features: ask kernel_shap or conditional_shap for groups")
    link = shares.trees.link
    if model.space == "probability" and link != "identity":
        raise InputError(f"{method} explains margins: choose space 'margin', or ask kernel_shap")

    def ask(rows: np.ndarray) -> Found:
        return Found(shares(rows), margin(shares.trees, rows)[:, 0], ess=np.full(len(rows), np.inf))

    kind = Kind(
        method, game, "trees", "exact", "efficiency_gap", UNITS.get(link), model.space or ("margin" * (link in UNITS)),
        base=shares.base_value, samples=0 if shares.background is None else len(shares.background),
    )  # fmt: skip
    return answered(model, X, kind, replace(options, tier="exact"), step, ask)


def kept(store: WeakKeyDictionary[Model, Shares], model: Model, made: Made) -> Shares:
    """What was prepared for a model, for as long as the model is there. Raises InputError where the trees have several
    outputs and the model names none of them.
    """
    assert model.trees is not None
    found = store.get(model)
    if found is None:
        trees, n = model.trees, len(model.names)
        if len(trees.features) != n:
            raise InputError(f"the trees have {len(trees.features)} features, the model {n}: read the model again")
        store[model] = found = made(trees if len(trees.outputs) == 1 else trees.of_output(model.output))
    return found
