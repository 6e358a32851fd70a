"""Conditional Shapley values in one pass, by a network that learnt them: the fast tier.

`stderr` is each feature's root mean squared error against the accurate answer on held-out rows: a figure of the
network, the same for every row.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.amortized import efficient, in_chunks
from ascribe.core.answered import NOT_A_NUMBER
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["amortized_shap"]


def amortized_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """Estimator, budget, samples and seed of `options` have no say. Raises InputError for a wrong shape, or groups:
    single features are what was learnt.
    """
    assert model.predict is not None and model.amortized is not None
    X = model.rows(X)
    b, n = X.shape
    if options.groups:
        raise InputError("amortized_shap learnt single features: ask conditional_shap for groups")
    held = model.amortized
    values, prediction = np.full((b, n), np.nan), np.full(b, np.nan)
    status, reasons = model.check(X)
    at = np.flatnonzero(status != "invalid")
    if len(at):
        prediction[at] = in_chunks(model.predict, X[at])
        values[at] = efficient(held.explain(X[at]), prediction[at], held.base_value)
    for i in at[~np.isfinite(values[at]).all(axis=1)]:
        values[i] = np.nan
        status[i], reasons[i] = "not_finite", NOT_A_NUMBER
    if step:
        for _ in at:
            step()
    there = np.isfinite(values)
    gap = np.abs(prediction - held.base_value - values.sum(axis=1))[there.all(axis=1)]
    return Attribution(
        values, held.base_value, prediction, np.where(there, held.rmse, np.nan), np.full(b, np.inf), status,
        tuple(reasons), model.names, X, _info(model, options.seed, float(gap.max(initial=0.0))), model.names,
    )  # fmt: skip


def _info(model: Model, seed: int, gap: float) -> Info:
    assert model.amortized is not None
    held = model.amortized
    error = {"amortized_rmse": float(np.sqrt((held.rmse**2).mean())), "amortized_r2": held.r2}
    return Info(
        method="amortized_shap",
        game="conditional",
        value=held.value,
        estimator="amortized",
        budget=0,
        samples=0,
        seed=seed,
        tier="fast",
        unit=model.unit,
        output=model.output,
        version=model.version,
        gaps={"efficiency_gap": gap} | error,
    )
