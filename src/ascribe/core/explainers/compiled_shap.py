"""Conditional Shapley values by a compiled graph: the plan, the completions and the model in one call.

The same numbers as `conditional_shap` with the same plan, within 1e-5 of a row's largest value; a row's last digits
may depend on its neighbours, since products of other shapes are rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.by_rows import NOT_FINITE
from ascribe.core.compiled import in_blocks
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.games import FALLBACK
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["compiled_shap"]

DEFAULT = "balanced"


def compiled_shap(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By the graph of `options.tier` (balanced if none is named); estimator, value, budget, samples and seed were
    decided when it was compiled. Raises InputError for a wrong shape or groups, CapabilityError for a tier without a
    graph.
    """
    assert model.compiled is not None
    X = model.rows(X)
    b, n = X.shape
    if options.groups:
        raise InputError("a compiled explanation has single features: ask tier 'accurate' for groups")
    tier = options.tier or (DEFAULT if DEFAULT in model.compiled else next(iter(model.compiled), DEFAULT))
    if tier not in model.compiled:
        raise CapabilityError(f"tier '{tier}' is not compiled: run `ascribe compile DIR --tier {tier}`")
    held = model.compiled[tier]
    values, stderr = np.full((b, n), np.nan), np.full((b, n), np.nan)
    prediction, ess = np.full(b, np.nan), np.full(b, np.nan)
    status, reasons = model.check(X)
    at = np.flatnonzero(status != "invalid")
    if len(at):
        found = in_blocks(held.run, X[at].astype(np.float32))
        prediction[at], values[at] = found["prediction"], found["attribution"]
        stderr[at], ess[at] = found["stderr"], found["ess"]
    for i in at[~np.isfinite(values[at]).all(axis=1)].tolist():
        values[i], stderr[i] = np.nan, np.nan
        status[i], reasons[i] = "not_finite", NOT_FINITE
    for i in at[(status[at] == "ok") & (ess[at] < FALLBACK * held.samples)].tolist():
        reason = f"{ess[i]:.1f} of {held.samples} completions would be effective: they count alike instead"
        status[i], reasons[i] = "low_ess", reason
    if options.target_stderr is not None:
        missed = ~(stderr[at].max(axis=1, initial=0.0) <= options.target_stderr)  # NaN is missed too
        for i in at[(status[at] == "ok") & missed].tolist():
            status[i], reasons[i] = "above_target", f"standard error {stderr[i].max():.3g} by tier {tier}"
    if step:
        for _ in at:
            step()
    gap = np.abs(prediction - held.base_value - values.sum(axis=1))
    info = Info(
        method="compiled_shap",
        game="conditional",
        value=held.value,
        estimator=held.estimator,
        budget=held.budget,
        samples=held.samples,
        seed=held.seed,
        tier=tier,
        unit=model.unit,
        output=model.output,
        version=model.version,
        gaps={"efficiency_gap": float(gap[np.isfinite(gap)].max(initial=0.0))} | dict(held.error),
    )
    return Attribution(
        values, held.base_value, prediction, stderr, ess, status, tuple(reasons), model.names, X, info, model.names
    )
