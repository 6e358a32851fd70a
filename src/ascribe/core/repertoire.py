"""What a model can be asked: explainers, tiers, values, estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ascribe.core.adjusted import ADJUSTED
from ascribe.core.estimators import ESTIMATORS, MAX_EXACT_PLAYERS
from ascribe.core.explainers import EXPLAINERS, Explainer, available
from ascribe.core.latency import Measured
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.tiers import offered

__all__ = ["SERVED", "Asking", "Repertoire", "repertoire"]


EVERYWHERE, OFFLINE = ("cli", "python", "rest", "grpc"), ("cli", "python")
SERVED = 16384  # questions of a row that a service answers unless its operator says otherwise


@dataclass(frozen=True)
class Asking:
    """One method of a model. `needs`: capabilities; `takes`: options of its own; `spends`: how often the model is asked
    for one row, at most, unless the caller says so; `where` it can be asked like that.
    """

    needs: tuple[str, ...]
    takes: tuple[str, ...]
    spends: int
    where: tuple[str, ...]


@dataclass(frozen=True)
class Repertoire:
    """Of one output, in `unit`: `methods` by name, with `details` of each; `tiers`, fastest first, with what was
    measured of each (None: not yet); `values`, what may answer v(S), and `value`, which of them does unless asked;
    `estimators`, of plans.
    """

    output: str
    unit: str
    methods: tuple[str, ...]
    tiers: Mapping[str, Measured | None]
    values: tuple[str, ...]
    value: str
    estimators: tuple[str, ...]
    details: Mapping[str, Asking] = field(default_factory=dict)


def repertoire(model: Model, served: int = SERVED) -> Repertoire:
    """What a request may name for this model. `served`: questions of a row that a service answers, of pictures and
    texts; of a table it answers any.

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
        {name: _asking(EXPLAINERS[name], model, served) for name in methods},
    )  # fmt: skip


def _asking(explainer: Explainer, model: Model, served: int) -> Asking:
    takes = tuple(name for name in explainer.takes if name != "segments" or model.layout.kind != "table")
    spends = explainer.spends(model, Options(), None)
    where = EVERYWHERE if model.layout.kind == "table" or spends <= served else OFFLINE
    return Asking(tuple(sorted(explainer.wants(model))), takes, spends, where)
