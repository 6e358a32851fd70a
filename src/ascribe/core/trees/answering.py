"""Prepared trees asked for an attribution: rows checked, one output, margins explained."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Info
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
    X = model.rows(X)
    b, n = X.shape
    if options.groups:
        raise InputError(f"{method} answers single features: ask kernel_shap or conditional_shap for groups")
    link = shares.trees.link
    if model.space == "probability" and link != "identity":
        raise InputError(f"{method} explains margins: choose space 'margin', or ask kernel_shap")
    values, stderr, prediction = np.full((b, n), np.nan), np.full((b, n), np.nan), np.full(b, np.nan)
    status, reasons = model.check(X)
    at = np.flatnonzero(status != "invalid")
    values[at], stderr[at], prediction[at] = shares(X[at]), 0.0, margin(shares.trees, X[at])[:, 0]
    if step:
        for _ in at:
            step()
    gap = np.abs(prediction - shares.base_value - values.sum(axis=1))[at]
    info = Info(
        method=method,
        game=game,
        value="trees",
        estimator="exact",
        budget=0,
        samples=0 if shares.background is None else len(shares.background),
        seed=options.seed,
        tier="exact",
        unit=UNITS.get(link, model.unit),
        output=model.output,
        version=model.version,
        space=model.space or ("margin" if link in UNITS else ""),
        gaps={"efficiency_gap": float(gap.max(initial=0.0))},
    )
    return Attribution(
        values, shares.base_value, prediction, stderr, np.where(status == "invalid", np.nan, np.inf), status,
        tuple(reasons), model.names, X, info, model.names,
    )  # fmt: skip


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
