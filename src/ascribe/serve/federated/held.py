"""A guest's version that answers: a lease with what asks its hosts. A request works with one of them throughout."""

from __future__ import annotations

import asyncio
import uuid
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ascribe.core.federated.records import Ask, HostCall, Reply
from ascribe.core.federated.scoring import as_model
from ascribe.core.model import Model
from ascribe.core.trees.shape import UNITS
from ascribe.serve.federated.link import HostLink
from ascribe.serve.federated.opening import NO_COVER, Guest
from ascribe.serve.federated.scored import Scorer
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.versions.leases import Lease

__all__ = ["GuestLease", "lease_of"]


@dataclass(frozen=True, eq=False)
class GuestLease(Lease):
    """`guest`: the half and its links; `scorer`: what scores and, once its explainer is prepared, explains."""

    guest: Guest = field(kw_only=True)
    scorer: Scorer = field(kw_only=True)


def lease_of(
    guest: Guest, name: str, channel: str, version: str, sha256: str, loop: asyncio.AbstractEventLoop,
    parties: PartySettings,
) -> GuestLease:  # fmt: skip
    """The guest as a model that offers `routes` and `remote_predict`, for threads other than the loop's. Its links are
    closed when nobody holds it any more.
    """
    scorer = Scorer(guest.party, guest.links, parties, None, NO_COVER)
    lease = GuestLease(
        name, channel, version, sha256, _model(guest, loop, parties), np.zeros((0, 0)), guest=guest, scorer=scorer
    )
    weakref.finalize(scorer, _closed, list(guest.links), loop).atexit = False
    return lease


def _closed(links: Sequence[HostLink], loop: asyncio.AbstractEventLoop) -> None:
    """From whatever thread let the last lease go."""

    async def close() -> None:
        await asyncio.gather(*(link.close() for link in links), return_exceptions=True)

    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: loop.create_task(close()))


def _model(guest: Guest, loop: asyncio.AbstractEventLoop, parties: PartySettings) -> Model:
    def blocking(link: HostLink) -> HostCall:
        def call(asked: Ask) -> Reply:
            asking = link.ask(asked, uuid.uuid4().hex, parties.timeout_s)
            return asyncio.run_coroutine_threadsafe(asking, loop).result()

        return call

    component = guest.party.pipeline.last[1]
    labels = component.labels
    model = as_model(guest.party, {link.host: blocking(link) for link in guest.links})
    return replace(
        model, unit=UNITS.get(component.link, ""), outputs=labels, output=labels[0] if labels else "prediction"
    )
