"""Conditional Shapley values in one pass, by a network that learnt them: the fast tier.

`stderr` is each feature's root mean squared error against the accurate answer on held-out rows: a figure of the
network, the same for every row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ascribe.core.amortized import efficient, in_chunks
from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["amortized_shap"]


def amortized_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """Estimator, budget, samples and seed of `options` have no say. Raises InputError for a wrong shape, or groups:
    single features are what was learnt.
    """
    assert model.predict is not None and model.amortized is not None
    if options.groups:
        raise InputError("amortized_shap learnt single features: ask conditional_shap for groups")
    held, predict = model.amortized, model.predict
    told = {"amortized_rmse": float(np.sqrt((held.rmse**2).mean())), "amortized_r2": held.r2}

    def ask(rows: np.ndarray) -> Found:
        f = in_chunks(predict, rows)
        values = efficient(held.explain(rows), f, held.base_value)
        return Found(values, f, stderr=np.broadcast_to(held.rmse, values.shape))

    kind = Kind(
        "amortized_shap", "conditional", held.value, "amortized", "efficiency_gap", base=held.base_value, gaps=told
    )
    return answered(model, X, kind, replace(options, tier="fast"), step, ask)
