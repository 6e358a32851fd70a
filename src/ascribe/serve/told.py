"""Cards of what is served: a slot and its lease in the words of `cards`."""

from __future__ import annotations

from ascribe.core.explainers import available
from ascribe.core.tiers import offered
from ascribe.serve.cards import ModelCard, OutputCard, RolloutCard, ShadowCard, TierCard
from ascribe.serve.versions import Lease, Slot

__all__ = ["model_card", "rollout_card"]


def model_card(slot: Slot, lease: Lease, ready: bool, shadow: ShadowCard | None) -> ModelCard:
    """Of the version that answers in a slot."""
    m = lease.model
    return ModelCard(
        lease.name, ready, lease.channel, lease.version, lease.sha256, m.output, m.unit, lease.base,
        sorted(m.offers), list(available(m)), [f.to_json() for f in m.features],
        {tier: TierCard.of(m.tiers.get(tier)) for tier in offered(m)},
        [OutputCard(m.output, m.unit), *(OutputCard(name, part.unit) for name, part in lease.outputs.items())],
        dict(lease.labels), rollout_card(slot), shadow, m.layout.kind, list(m.layout.shape) or [len(m.features)],
        list(m.spaces), len(m.outputs),
    )  # fmt: skip


def rollout_card(slot: Slot) -> RolloutCard:
    """How a channel is followed."""
    held, kept = slot.status, slot.before
    return RolloutCard(held.state, held.wanted, held.reason, held.at, kept.version if kept else "")
