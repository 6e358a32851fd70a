"""What a model can be asked: explainers, tiers, values, estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.adjusted import ADJUSTED
from ascribe.core.estimators import ESTIMATORS, MAX_EXACT_PLAYERS
from ascribe.core.explainers import EXPLAINERS, available
from ascribe.core.latency import Measured
from ascribe.core.model import Model
from ascribe.core.tiers import offered

__all__ = ["Repertoire", "repertoire"]


@dataclass(frozen=True)
class Repertoire:
    """Of one output, in `unit`: `methods` by name; `tiers`, fastest first, with what was measured of each (None: not
    yet); `values`, what may answer v(S), and `value`, which of them does unless asked; `estimators`, of plans.
    """

    output: str
    unit: str
    methods: tuple[str, ...]
    tiers: Mapping[str, Measured | None]
    values: tuple[str, ...]
    value: str
    estimators: tuple[str, ...]


def repertoire(model: Model) -> Repertoire:
    """What a request may name for this model.

    >>> from ascribe.core.features import Feature
    >>> repertoire(Model((Feature("x"),), predict=lambda X: X[:, 0])).methods
    ()
    """
    methods = available(model)
    values: tuple[str, ...] = ()
    if "conditional_shap" in methods:
        stacked = model.surrogate is not None and model.share is not None
        values = ("completions", *["surrogate"] * (model.surrogate is not None), *["stacked"] * stacked)
    planned = any(EXPLAINERS[name].planned for name in methods)
    few = len(model.features) <= MAX_EXACT_PLAYERS
    names = [name for name in (*ADJUSTED, *ESTIMATORS) if few or name != "exact"]
    names += ["learnt"] * (model.reading is not None)
    return Repertoire(
        model.output, model.unit, methods, {tier: model.tiers.get(tier) for tier in offered(model)}, values,
        model.value if values else "", tuple(names) if planned else (),
    )  # fmt: skip
