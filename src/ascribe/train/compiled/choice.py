"""What a tier's graph is made of, where the caller does not say: value, sizes, law."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.core.energy import EmShap
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.factor_mixture import FactorMixture
from ascribe.core.judge import game_error
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.stack import VALUES
from ascribe.core.tiers import ACCURATE_BUDGET, ACCURATE_SAMPLES

__all__ = ["Wanted", "chosen_law", "chosen_size", "chosen_value"]

READ_BUDGET, READ_PER_PLAYER = 512, 16  # coalitions of values that cost one evaluation each
COMPLETED_BUDGET, SAMPLES, TREE_SAMPLES = 256, 16, 8  # a tree costs ten times a small network
CHEAP = 0.2  # how much more MSE_v the surrogate may leave before completions are worth ten times its cost
ROWS, COALITIONS = 64, 16  # by which a law is chosen


@dataclass(frozen=True)
class Wanted:
    """What a caller may choose of a tier; None: as measured, or by the number of features."""

    tier: str = "balanced"
    value: str | None = None
    budget: int | None = None
    samples: int | None = None
    seed: int = 0


def chosen_value(bundle: Bundle, model: Model, wanted: Wanted) -> str:
    """The value asked for; or for `accurate` what was judged best, for `balanced` the surrogate unless completions are
    much better (`CHEAP`). Raises InputError for an unknown one, CapabilityError for one that the bundle lacks.
    """
    if wanted.value is not None and wanted.value not in VALUES:
        raise InputError(f"unknown value '{wanted.value}': use one of {', '.join(VALUES)}")
    lacking = model.surrogate is None or (wanted.value == "stacked" and model.share is None)
    if wanted.value in ("surrogate", "stacked") and lacking:
        raise CapabilityError(f"value '{wanted.value}' needs a surrogate, which this bundle lacks: use 'completions'")
    if wanted.value is not None:
        return wanted.value
    if wanted.tier == "accurate" or model.surrogate is None:
        return model.value
    judged: Any = bundle.manifest.metrics.get("value", {}).get("mse_v", {})
    better = judged and judged["surrogate"] > (1 + CHEAP) * judged["completions"]
    return "completions" if better else "surrogate"


def chosen_size(predict: bytes, n: int, value: str, wanted: Wanted) -> tuple[int, int]:
    """Coalitions and completions of each."""
    quick = value == "surrogate"
    budget = max(READ_BUDGET, READ_PER_PLAYER * n) if quick else max(COMPLETED_BUDGET, 4 * n)
    samples = TREE_SAMPLES if b"TreeEnsemble" in predict else SAMPLES
    if wanted.tier == "accurate":
        budget, samples = max(budget, ACCURATE_BUDGET), ACCURATE_SAMPLES
    return (
        budget if wanted.budget is None else wanted.budget,
        samples if wanted.samples is None else wanted.samples,
    )


def chosen_law(bundle: Bundle, model: Model, mixture: FactorMixture | None, X: np.ndarray) -> tuple[str, EmShap]:
    """The closed form alone ("mixture"), where the network's correction of it does not lower MSE_v by more than a
    paired standard error or there is none: under fixed coalitions most of it is constant. Else "proposal", as trained.
    """
    law = model.conditional
    if not isinstance(law, EmShap):
        raise CapabilityError("completions need an energy model, which this bundle lacks")
    if mixture is None:
        return "proposal", law
    plain = replace(law, proposal=mixture)
    if not bundle.manifest.metrics.get("conditional", {}).get("network", True):
        return "mixture", plain
    if len(X) < 2:  # no standard error to judge by
        return "proposal", law
    X = X[:ROWS]
    errors = []
    for held in (law, plain):
        game = conditional_game(replace(model, conditional=held), Options(samples=SAMPLES, value="completions"))
        errors.append(game_error(game, X, COALITIONS).rows)
    lost = errors[1] - errors[0]
    worse = lost.mean() > lost.std(ddof=1) / np.sqrt(len(lost))
    return ("proposal", law) if worse else ("mixture", plain)
