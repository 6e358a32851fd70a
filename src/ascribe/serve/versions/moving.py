"""Admin calls: look at a channel now, or move it back; and wait for what comes of it."""

from __future__ import annotations

import asyncio

from ascribe.core.errors import NotFound
from ascribe.core.words import listed, quoted
from ascribe.serve.access.auth import require_admin
from ascribe.serve.access.callers import Caller
from ascribe.serve.cards.served import RolloutAnswer
from ascribe.serve.cards.told import rollout_card
from ascribe.serve.faults import DeadlineError
from ascribe.serve.observe.log import reached
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import Versions
from ascribe.serve.versions.rollout import Rollout

__all__ = ["moved"]

ADMIN = ("refresh", "rollback")


async def moved(
    rollout: Rollout | None, versions: Versions, verb: str, model: str, caller: Caller, settings: Settings
) -> RolloutAnswer:  # fmt: skip
    """`refresh`: look at the channel now; `rollback`: move it back, then look. `rollout`: None: nothing is followed.

    Raises NotFound (where nobody can be an admin, for an unknown verb or model, with nothing to go back to),
    ForbiddenError, UnavailableError, DeadlineError.
    """
    require_admin(caller, settings)
    if rollout is None or verb not in ADMIN:
        raise NotFound(f"no admin call {quoted(verb, 40)}: use {listed(ADMIN)}")
    slot = versions.slot(model)
    done = rollout.refresh(slot) if verb == "refresh" else rollout.rollback(slot, caller.name)
    reached("run")
    try:
        async with asyncio.timeout(settings.timeout_s):
            await asyncio.wrap_future(done)
    except TimeoutError as exc:
        raise DeadlineError(f"{verb} goes on: GET /v1/models/{slot.name} says what comes of it") from exc
    lease = versions.lease(str(slot))
    return RolloutAnswer(slot.name, slot.channel, lease.version, lease.sha256, rollout_card(slot))
