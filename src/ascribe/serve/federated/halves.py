"""What a host holds: the half that guests are to ask for, and the one before it, so that guests can follow in their own
time. A guest names the digest of the model that it wants.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ascribe.bundle.federated.half import open_party
from ascribe.bundle.records import Event
from ascribe.bundle.registry import Registry
from ascribe.core.errors import InputError, NotFound
from ascribe.core.features import Feature
from ascribe.core.federated.fate_names import fate_name
from ascribe.core.federated.party import Party
from ascribe.core.model import Model
from ascribe.serve.federated.features import Features
from ascribe.serve.versions.leases import Lease, Slot, Versions

__all__ = ["Bringing", "HalfLease", "Halves", "consenting", "half_of"]

Open = Callable[[Party], Features]


@dataclass(frozen=True, eq=False)
class HalfLease(Lease):
    """A version of a host: its half, and where its columns are."""

    half: Party = field(kw_only=True)
    features: Features = field(kw_only=True)


def consenting(half: Party, shares: bool | None) -> Party:
    """A host's half, whose columns are shared or not as the host's settings say; None: as the half says."""
    return half if shares is None else replace(half, shares_columns=shares)


def half_of(
    half: Party, features: Features, name: str, channel: str = "production", version: str = "", sha256: str = ""
) -> HalfLease:
    """As a lease. It has columns and predicts nothing."""
    model = Model(tuple(Feature(column, missing=True) for column in half.inputs), version=half.model)
    return HalfLease(name, channel, version, sha256, model, np.zeros((0, 0)), half=half, features=features)


class Halves:
    """The versions of one slot, by digest."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    @property
    def slot(self) -> Slot:
        return self._versions.slots[0]

    @property
    def current(self) -> HalfLease:
        """Raises UnavailableError before there is one."""
        lease = self._versions.lease()
        assert isinstance(lease, HalfLease)
        return lease

    def of(self, digest: str) -> HalfLease:
        """Raises NotFound where a guest asks for another model."""
        for lease in (self.slot.lease, self.slot.before):
            if isinstance(lease, HalfLease) and lease.half.digest == digest:
                return lease
        half = self.current.half
        raise NotFound(
            f"{half.name} holds another model (digest {half.digest[:12]}, not {digest[:12] or 'none'}): load the two "
            "halves of one model"
        )

    def named(self, namespace: str, table: str) -> HalfLease:
        """By FATE's names. Raises NotFound."""
        for lease in (self.slot.lease, self.slot.before):
            if isinstance(lease, HalfLease) and fate_name(lease.half.name, lease.half.model) == (namespace, table):
                return lease
        raise NotFound(
            f"{self.current.half.name} holds no model '{namespace[:100]}', '{table[:40]}': check namespace and table"
        )


class Bringing:
    """How a host follows a channel (`rollout.Loading`): a version answers once its features are open. `opened`: a half
    -> its features; `share_columns`: as `PartySettings`.
    """

    def __init__(self, opened: Open, share_columns: bool | None) -> None:
        self._opened, self._shares, self._name = opened, share_columns, ""

    def first(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        return self.bring(registry, slot, event)

    def bring(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        """Raises BundleError, InputError for the half of another party, SourceError."""
        half = consenting(open_party(registry.fetch(slot.name, event.version, event.sha256), "host"), self._shares)
        if self._name not in ("", half.name):
            raise InputError(f"version {event.version} is the half of {half.name}: this server is {self._name}")
        self._name = half.name
        features = self._opened(half)
        lease = half_of(half, features, slot.name, slot.channel, event.version, event.sha256)
        weakref.finalize(lease.model, features.close).atexit = False
        return lease

    def again(self, lease: Lease) -> Lease:
        return lease
