"""GET /v1/models/NAME/explainers: what a model can be asked, output by output."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ascribe.core.model import Model
from ascribe.core.repertoire import repertoire
from ascribe.serve.cards import TierCard

__all__ = ["ExplainersCard", "RepertoireCard", "explainers_of"]


class RepertoireCard(msgspec.Struct):
    """Of one output. `tiers`: fastest first, as measured on this server; `value` answers v(S) unless another of
    `values` is asked for.
    """

    output: str
    unit: str
    methods: list[str]
    tiers: dict[str, TierCard]
    values: list[str]
    value: str
    estimators: list[str]


class ExplainersCard(msgspec.Struct):
    """The main output first."""

    model: str
    version: str
    outputs: list[RepertoireCard]


def explainers_of(name: str, version: str, models: Sequence[Model]) -> ExplainersCard:
    """Of a version's models, one an output."""
    found = [repertoire(model) for model in models]
    cards = [
        RepertoireCard(
            r.output, r.unit, list(r.methods), {tier: TierCard.of(held) for tier, held in r.tiers.items()},
            list(r.values), r.value, list(r.estimators),
        )
        for r in found
    ]  # fmt: skip
    return ExplainersCard(name, version, cards)
