"""Promotions that are asked of a server: the gate judges on a thread of its own, then the channel is followed at once.

The gate opens two bundles and measures both, which may take longer than a caller waits: a promotion goes on without
him, one at a time, and `told` says how it stands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from ascribe.bundle.gate.verdict import judge_and_promote
from ascribe.bundle.registry import Registry
from ascribe.core.errors import Conflict, NotFound, RegistryError
from ascribe.core.words import quoted
from ascribe.serve.access.audit import audited
from ascribe.serve.access.auth import require_admin
from ascribe.serve.access.callers import Caller
from ascribe.serve.cards.versions import PromotionCard
from ascribe.serve.faults import ShedError, UnavailableError, problem_of
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.priority import give_way
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import Versions, now
from ascribe.serve.versions.rollout import Rollout

__all__ = ["JUDGING", "Promoting"]

JUDGING = "judging"
KEPT = 20
FOLLOW_S = 60.0  # for the new version to be loaded and warm, before the promotion is told without it


class Promoting:
    """`opened`: the registry, `rollout`: what brings the promoted version here."""

    def __init__(
        self, opened: Callable[[], Registry], versions: Versions, rollout: Rollout, settings: Settings, log: Log
    ) -> None:
        self._opened, self._versions, self._rollout = opened, versions, rollout
        self._settings, self._log = settings, log
        self._pool = ThreadPoolExecutor(1, "gate", give_way)
        self._told: deque[PromotionCard] = deque(maxlen=KEPT)
        self._tasks: set[asyncio.Task[None]] = set()

    @cached_property
    def _registry(self) -> Registry:
        return self._opened()

    def told(self, model: str) -> list[PromotionCard]:
        """Of a model, newest first, since this server started."""
        return [card for card in reversed(self._told) if card.model == model]

    async def promote(self, model: str, version: str, caller: Caller, entry: Entry) -> PromotionCard:
        """Judge a version against what the channel of `model` points at and move the channel if it is accepted; the
        card, in whatever state after as long as a request may take.

        Raises NotFound (no such model or version, or nobody can be an admin), ForbiddenError, UnavailableError,
        ShedError while another promotion of this server is being judged.
        """
        with audited(self._log, "promote", caller, entry):
            require_admin(caller, self._settings)
            slot = self._versions.slot(model)
            await asyncio.to_thread(self._check, slot.name, version)
            if any(card.state == JUDGING for card in self._told):
                raise ShedError("another promotion is being judged: ask again when it is done", retry_s=5)
        card = PromotionCard(slot.name, slot.channel, version, JUDGING, caller.name, now())
        self._told.append(card)
        task = asyncio.create_task(self._followed(card, entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait((task,), timeout=self._settings.timeout_s)
        return card

    async def close(self) -> None:
        """Begin nothing any more; what the gate is judging is left, and its channel stays where it is."""
        for task in list(self._tasks):
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _followed(self, card: PromotionCard, entry: Entry) -> None:
        """The promotion to its end, whoever waits."""
        try:
            run = asyncio.get_running_loop().run_in_executor
            verdict = await run(
                self._pool,
                lambda: judge_and_promote(
                    self._registry, card.model, card.version, now(), card.channel, by=card.by
                ),
            )  # fmt: skip
            card.reasons = verdict.reasons
            if verdict.accepted:
                slot = self._versions.slot(f"{card.model}@{card.channel}")
                async with asyncio.timeout(FOLLOW_S):
                    await asyncio.wrap_future(self._rollout.refresh(slot))
                card.serving = slot.lease.version if slot.lease else ""
            card.state = "promoted" if verdict.accepted else "refused"
        except TimeoutError:
            card.state = "promoted"
        except Exception as exc:
            card.state, card.reasons = "failed", [_why(exc)]
        except BaseException:
            card.state, card.reasons = "failed", ["the server stopped while the gate was judging"]
            raise
        finally:
            self._log.event(
                "promotion", model=card.model, channel=card.channel, version=card.version, state=card.state,
                caller=card.by, reason=card.reasons[0] if card.reasons else "", request_id=entry.request_id,
            )  # fmt: skip

    def _check(self, name: str, version: str) -> None:
        try:
            held = self._registry.versions(name)
        except RegistryError as exc:
            raise UnavailableError(str(exc)) from exc
        if version not in held:
            raise NotFound(f"{name} has no version {quoted(version, 80)}: GET /v1/models/{name}/versions lists them")


def _why(exc: Exception) -> str:
    """For the card: what the house says to anybody."""
    return str(exc) if isinstance(exc, Conflict | RegistryError) else problem_of(exc).text
