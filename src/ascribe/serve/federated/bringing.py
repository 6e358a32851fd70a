"""How a guest follows a channel: a version answers only once every host holds its half of it.

    fetch, sha256 -> open -> every host agrees on the digest -> what explains is prepared -> swap

Where a host does not hold the other half yet, or cannot be asked, the version waits and the one before goes on
answering; the rollout looks again by itself. So hosts move first, and the guest follows.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ascribe.bundle.archive import Bundle
from ascribe.bundle.records import Event
from ascribe.bundle.registry import Registry
from ascribe.core.errors import InputError
from ascribe.serve.faults import UnavailableError
from ascribe.serve.federated.held import GuestLease, lease_of
from ascribe.serve.federated.link import Unanswered
from ascribe.serve.federated.opening import open_guest, prepared
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.observe.log import Log
from ascribe.serve.versions.leases import Lease, Slot

__all__ = ["Bringing"]

T = TypeVar("T")


class Bringing:
    """`hosts`, `by_column`: as `open_guest`; `background`: rows for the cover of versions that have none. `loop` gives
    the loop that answers; but for `agreed`, everything runs on the rollout's thread.
    """

    def __init__(
        self, hosts: Mapping[str, str], parties: PartySettings, by_column: Sequence[str], background: Path | None,
        log: Log, loop: Callable[[], asyncio.AbstractEventLoop],
    ) -> None:  # fmt: skip
        self._hosts, self._parties, self._by_column, self._background = hosts, parties, by_column, background
        self._log, self._loop = log, loop

    def first(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        """The first version answers whether or not its hosts are there: that is the policy's matter."""
        bundle = registry.fetch(slot.name, event.version, event.sha256)
        return self.opened(bundle, slot.name, slot.channel, event.version, event.sha256)

    def bring(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        """Raises UnavailableError while a host does not hold its half."""
        lease = self.opened(registry.fetch(slot.name, event.version, event.sha256), slot.name, slot.channel,
                            event.version, event.sha256)  # fmt: skip
        self._ready(lease)
        return lease

    def again(self, lease: Lease) -> Lease:
        """The version before: its hosts may have moved on. Raises UnavailableError."""
        assert isinstance(lease, GuestLease)
        self._ready(lease)
        return lease

    def opened(self, bundle: Bundle, name: str, channel: str, version: str, sha256: str) -> GuestLease:
        """Not agreed with anybody yet. Raises InputError, BundleError, ServiceError."""
        guest = open_guest(bundle, self._hosts, self._parties, self._by_column)
        lease = lease_of(guest, name, channel, version, sha256, self._loop(), self._parties)
        return replace(lease, labels=_own(bundle.manifest.labels))

    async def agreed(self, lease: GuestLease, anew: bool = False) -> str:
        """Bind every host that is not bound (`anew`: all of them), then prepare what explains. Returns why not; empty:
        everything is ready that ever will be.
        """
        why = ""
        for link in lease.guest.links:
            if link.bound and not anew:
                continue
            try:
                await link.bind(f"bind-{lease.name}-{uuid.uuid4().hex[:8]}"[-128:], self._parties.timeout_s)
                self._log.event("host_bound", host=link.host, address=str(link.address), max_rows=link.max_rows)
            except Unanswered as exc:
                self._log.event("host_not_bound", host=link.host, reason=exc.text)
                why = why or exc.text
        if not why and lease.scorer.explainer is None:
            try:
                lease.scorer.explainer = await prepared(lease.guest, self._parties, self._background)
            except InputError as exc:
                self._log.event("not_explained", reason=str(exc))
                return str(exc)
        return why

    def _ready(self, lease: GuestLease) -> None:
        if why := self._run(self.agreed(lease, anew=True)):
            raise UnavailableError(f"version {lease.version} waits for its hosts: {why}")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop()).result()


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    """Role and party say whose half it is, not whom it is for: requests do not choose by them."""
    return {name: value for name, value in labels.items() if name not in ("role", "party")}
