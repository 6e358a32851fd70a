"""What may be looked up beside the live rooms, and the one thing that may be moved: versions, runs, bad rows, drift."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from ascribe.core.errors import InputError, NotFound
from ascribe.serve.access.auth import configured, require
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.cards import offline
from ascribe.serve.cards.published import MOST, Published
from ascribe.serve.cards.versions import BadRows, CallerCard, DriftAnswer, PromotionCard, Runs, VersionsCard
from ascribe.serve.observe.log import Entry
from ascribe.serve.settings import Settings
from ascribe.serve.telemetry import Telemetry
from ascribe.serve.versions.leases import Versions
from ascribe.serve.versions.promoting import Promoting

__all__ = ["Shelf"]


class Shelf:
    """Everything here waits on a store and so runs on a thread; nothing of it holds an explanation up."""

    def __init__(
        self, published: Published, promoting: Promoting, versions: Versions, telemetry: Telemetry | None,
        settings: Settings,
    ) -> None:  # fmt: skip
        self._published, self._promoting, self._versions = published, promoting, versions
        self._telemetry, self._settings = telemetry, settings

    def caller(self, caller: Caller) -> CallerCard:
        """Who asks, what it may do, and the limits that hold for all."""
        s = self._settings
        open_to = bool(configured(s) or (s.admin_token and s.admin_token.get_secret_value()))
        return CallerCard(
            caller.name, sorted(caller.scopes), open_to and "admin" in caller.scopes, self._telemetry is not None,
            s.max_rows, s.max_body_bytes, s.max_job_rows, version("ascribe"),
        )  # fmt: skip

    async def versions(self, model: str, most: int | None) -> VersionsCard:
        """Raises NotFound, UnavailableError, InputError."""
        found = await asyncio.to_thread(self._published.versions, model, _most(most, 20, MOST))
        found.promotions = self._promoting.told(found.model)
        return found

    async def drift(self, model: str) -> DriftAnswer:
        """The last comparison; none where there is no lake. Raises NotFound for a model that is not served."""
        name = self._versions.slot(model).name
        if self._telemetry is None:
            return DriftAnswer(name, None)
        return await asyncio.to_thread(offline.drift, self._telemetry.state, name)

    async def runs(self, model: str, most: int | None) -> Runs:
        """Of one model or of all that are served. Raises NotFound, also where this server knows no lake."""
        slots = [self._versions.slot(model)] if model else self._versions.slots
        names = list(dict.fromkeys(slot.name for slot in slots))
        return await asyncio.to_thread(offline.runs, self._state(), names, _most(most, 10, offline.MOST_RUNS))

    async def quarantine(self, most: int | None, caller: Caller = ANYBODY) -> BadRows:
        """Rows as they came are data: for who may explain. Raises ForbiddenError; NotFound where this server knows no
        lake.
        """
        require(caller, "explain")
        return await asyncio.to_thread(offline.quarantine, self._state(), _most(most, 50, offline.MOST_ROWS))

    async def promote(self, model: str, wanted: str, caller: Caller, entry: Entry) -> PromotionCard:
        """As `Promoting.promote`."""
        return await self._promoting.promote(model, wanted, caller, entry)

    async def close(self) -> None:
        await self._promoting.close()

    def _state(self) -> Any:
        if self._telemetry is None:
            raise NotFound("this server knows no lake: start it with --lake URI")
        return self._telemetry.state


def _most(asked: int | None, usual: int, limit: int) -> int:
    if asked is None:
        return usual
    if not 1 <= asked <= limit:
        raise InputError(f"limit is a whole number, 1 to {limit}")
    return asked
