"""What this server holds, said in the registry, so that retention leaves it there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping

from ascribe.bundle.registry import SERVING_TTL_S, Registry
from ascribe.core.errors import AscribeError
from ascribe.serve.observe.log import Log
from ascribe.serve.versions.leases import Slot, now

__all__ = ["Presence", "held"]

AGAIN_S = SERVING_TTL_S / 3


def held(slots: Iterable[Slot]) -> dict[str, list[str]]:
    """Versions by model: those that answer, those before them, and shadows."""
    found: dict[str, set[str]] = {}
    for slot in slots:
        versions = {lease.version for lease in (slot.lease, slot.before) if lease}
        found.setdefault(slot.name, set()).update(versions)
    return {name: sorted(versions) for name, versions in found.items()}


class Presence:
    """One server's name in the registry, new with each start."""

    def __init__(self, log: Log) -> None:
        self._log, self._server = log, uuid.uuid4().hex
        self._said: dict[str, list[str]] = {}
        self._at_s = float("-inf")
        self._failing = False

    def say(self, registry: Registry, versions: Mapping[str, list[str]]) -> None:
        """Written when something changed, and before it grows too old. A registry that cannot be written is no reason
        not to serve: it is logged once.
        """
        if versions == self._said and time.monotonic() - self._at_s < AGAIN_S:
            return
        self._said, self._at_s = dict(versions), time.monotonic()
        try:
            for name, these in versions.items():
                registry.announce(name, self._server, these, now())
            self._failing = False
        except AscribeError as exc:
            if not self._failing:
                self._log.event("unannounced", reason=str(exc))
            self._failing = True

    def end(self, registry: Registry) -> None:
        """Hold nothing more."""
        try:
            for name in self._said:
                registry.withdraw(name, self._server)
        except AscribeError as exc:
            self._log.event("unannounced", reason=str(exc))
