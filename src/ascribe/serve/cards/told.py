"""Cards of what is served: a slot and its lease in the words of `cards`."""

from __future__ import annotations

from ascribe.core.explainers import available, usual
from ascribe.core.repertoire import repertoire
from ascribe.core.tiers import offered
from ascribe.serve.cards.repertoire import AskingCard, ExplainersCard, RepertoireCard
from ascribe.serve.cards.served import ForecastCard, ModelCard, OutputCard, RolloutCard, ShadowCard, TierCard
from ascribe.serve.versions.leases import Lease, Slot

__all__ = ["explainers_of", "model_card", "rollout_card"]


def model_card(slot: Slot, lease: Lease, ready: bool, shadow: ShadowCard | None) -> ModelCard:
    """Of the version that answers in a slot."""
    m = lease.model
    return ModelCard(
        lease.name, ready, lease.channel, lease.version, lease.sha256, m.output, m.unit, lease.base,
        sorted(m.offers), list(available(m)), [f.to_json() for f in m.features],
        {tier: TierCard.of(m.tiers.get(tier)) for tier in offered(m)},
        [OutputCard(m.output, m.unit), *(OutputCard(name, part.unit) for name, part in lease.outputs.items())],
        dict(lease.labels), rollout_card(slot), shadow, m.layout.kind, list(m.layout.shape) or [len(m.features)],
        list(m.spaces), len(m.outputs), ForecastCard.of(m.curves, m.attention),
    )  # fmt: skip


def rollout_card(slot: Slot) -> RolloutCard:
    """How a channel is followed."""
    held, kept = slot.status, slot.before
    return RolloutCard(held.state, held.wanted, held.reason, held.at, kept.version if kept else "")


def explainers_of(lease: Lease, served: int) -> ExplainersCard:
    """Of a version's models, one an output; `served`: questions of a row that this server answers."""
    models = (lease.model, *lease.outputs.values())
    found = [(repertoire(model, served), usual(model)) for model in models]
    cards = [
        RepertoireCard(
            r.output, r.unit, list(r.methods), {tier: TierCard.of(held) for tier, held in r.tiers.items()},
            list(r.values), r.value, list(r.estimators),
            {m: AskingCard(list(d.needs), list(d.takes), d.spends, list(d.where)) for m, d in r.details.items()}, first,
        )
        for r, first in found
    ]  # fmt: skip
    return ExplainersCard(lease.name, lease.version, cards, list(models[0].outputs), list(models[0].spaces))
