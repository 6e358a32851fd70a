"""Conditional Shapley values by a compiled graph: the plan, the completions and the model in one call.

The same numbers as `conditional_shap` with the same plan and completions, within 1e-5 of a row's largest value: single
precision may move a completion to a neighbouring component. A row's last digits may depend on its neighbours, since
products of other shapes are rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
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
    if options.groups:
        raise InputError("a compiled explanation has single features: ask tier 'accurate' for groups")
    tier = options.tier or (DEFAULT if DEFAULT in model.compiled else next(iter(model.compiled), DEFAULT))
    if tier not in model.compiled:
        raise CapabilityError(f"tier '{tier}' is not compiled: run `ascribe compile DIR --tier {tier}`")
    held = model.compiled[tier]

    def ask(rows: np.ndarray) -> Found:
        found = in_blocks(held.run, rows.astype(np.float32))
        stderr, ess = (np.asarray(found[name], dtype=float) for name in ("stderr", "ess"))
        return Found(
            found["attribution"], found["prediction"], stderr=stderr, ess=ess,
            remarks=_remarks(stderr, ess, held.samples, tier, options.target_stderr),
        )  # fmt: skip

    kind = Kind(
        "compiled_shap",
        "conditional",
        held.value,
        held.estimator,
        "efficiency_gap",
        base=held.base_value,
        budget=held.budget,
        samples=held.samples,
        gaps=held.error,
    )
    return answered(model, X, kind, replace(options, tier=tier, seed=held.seed), step, ask)


def _remarks(
    stderr: np.ndarray, ess: np.ndarray, samples: int, tier: str, target: float | None
) -> dict[int, tuple[str, str]]:
    told: dict[int, tuple[str, str]] = {}
    if target is not None:
        for i in np.flatnonzero(~(stderr.max(axis=1, initial=0.0) <= target)).tolist():  # NaN is missed too
            told[i] = "above_target", f"standard error {stderr[i].max():.3g} by tier {tier}"
    for i in np.flatnonzero(ess < FALLBACK * samples).tolist():
        told[i] = "low_ess", f"{ess[i]:.1f} of {samples} completions would be effective: they count alike instead"
    return told
