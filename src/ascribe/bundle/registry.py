"""The registry: create-only versions, channels that point at one of them. Where things lie: `bundle/records.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ascribe.bundle import signing
from ascribe.bundle.archive import Bundle, pack, unpack
from ascribe.bundle.manifest import digest
from ascribe.bundle.records import (
    REMOVING,
    Channel,
    Event,
    Lease,
    archive_path,
    channel_path,
    check_name,
    lease_path,
)
from ascribe.bundle.selftest import checked
from ascribe.bundle.store import Store, open_store
from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import Conflict, NotFound, RegistryError, TamperedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["SERVING_TTL_S", "Registry", "split_model"]

SERVING_TTL_S = 900.0  # a server that said nothing for so long holds nothing


class Registry:
    """Versions and channels of named models in one store. With `verify_key`, the place of a public key, a version that
    is not signed by it is refused before anything of it is parsed.
    """

    def __init__(self, uri: str, verify_key: Path | None = None) -> None:
        self.store: Store = open_store(uri)
        self.uri = uri
        self.verify_key = verify_key

    @cached_property
    def _trusted(self) -> Ed25519PublicKey | None:
        return None if self.verify_key is None else signing.public_key(self.verify_key)

    def publish(self, name: str, bundle: Bundle, sign_key: Path | None = None) -> str:
        """Verify a bundle, write it once, and return its version; publishing the same bundle again changes nothing,
        but for a signature by `sign_key`, the place of a private key.

        Raises RegistryError for a store on which several writers cannot be kept apart, Conflict for other content.
        """
        check_name(name)
        checked(self.uri)
        bundle.verify()
        version, raw = bundle.manifest.version(), pack(bundle)
        sha256 = digest(raw)
        signature = None if sign_key is None else signing.sign(sign_key, name, version, sha256)
        place, noted = archive_path(name, version), archive_path(name, version, "sha256")
        try:
            self.store.create(noted, sha256.encode())  # first: an archive that can be seen can be checked
            self.store.create(place, raw)
        except Conflict:
            self._settle(place, noted, raw)
        if signature is not None:
            self.store.put(archive_path(name, version, "sig"), signature)
        return version

    def _settle(self, place: str, noted: str, raw: bytes) -> None:
        """Somebody has published this version before, or began to: its archive decides. Raises Conflict."""
        try:
            self.store.create(place, raw)
        except Conflict:
            if digest(self.store.read(place)) != digest(raw):
                raise
        self.store.put(noted, digest(raw).encode())

    def fetch(self, name: str, version: str, sha256: str | None = None) -> Bundle:
        """A version's bundle. The hash of its archive (`sha256` from a channel, or what was noted at publication) and,
        with a `verify_key`, its signature are checked before the archive is opened.

        Raises NotFound naming what there is, TamperedError.
        """
        return self._fetch(name, version, sha256)[0]

    def _fetch(self, name: str, version: str, sha256: str | None = None) -> tuple[Bundle, str]:
        """The bundle and its archive's hash."""
        try:
            raw = self.store.read(archive_path(name, version))
        except NotFound as exc:
            raise NotFound(self._absent(name, version=version)) from exc
        found, wanted = digest(raw), sha256 or self._noted(name, version)
        if wanted not in (None, found):
            raise TamperedError(f"version {version} of {name} is not what {self.uri} recorded: publish it again")
        if self._trusted is not None:
            signing.verify(self._trusted, self._signature(name, version), name, version, found)
        bundle = unpack(raw, f"{name}@{version}")
        if bundle.manifest.version() != version:
            raise TamperedError(f"version {version} of {name} in {self.uri} holds another bundle: publish it again")
        return bundle, found

    def _noted(self, name: str, version: str) -> str | None:
        """The hash that was noted at publication; None for what an older release published."""
        try:
            return self.store.read(archive_path(name, version, "sha256")).decode(errors="replace")
        except NotFound:
            return None

    def _signature(self, name: str, version: str) -> bytes:
        try:
            return self.store.read(archive_path(name, version, "sig"))
        except NotFound as exc:
            raise TamperedError(
                f"version {version} of {name} is not signed: publish it again with --sign-key, or serve it without "
                "--verify-key"
            ) from exc

    def versions(self, name: str) -> list[str]:
        """All versions, oldest first."""
        check_name(name)
        paths = self.store.names(f"{name}/versions")
        return [p.rsplit("/", 1)[1].removesuffix(".zip") for p in paths if p.endswith(".zip")]

    def channels(self, name: str) -> list[str]:
        """Names of all channels of a model."""
        check_name(name)
        return [p.rsplit("/", 1)[1].removesuffix(".json") for p in self.store.names(f"{name}/channels")]

    def channel(self, name: str, channel: str = "production") -> Channel:
        """Raises NotFound naming what there is."""
        check_name(name)
        try:
            return self._decoded(self.store.read(channel_path(name, channel)), name, channel)
        except NotFound as exc:
            raise NotFound(self._absent(name, channel=channel)) from exc

    def tag(self, name: str, channel: str = "production") -> str:
        """What changes whenever the channel moves; one request, nothing is read or listed. Raises NotFound."""
        return self.store.tag(channel_path(name, channel))

    def resolve(self, name: str, channel: str = "production") -> Bundle:
        """The bundle that a channel points at."""
        current = self.channel(name, channel).current
        return self.fetch(name, current.version, current.sha256)

    def promote(
        self, name: str, version: str, at: str, channel: str = "production", reasons: list[str] | None = None,
        expected: str | None = None, by: str = "",
    ) -> Channel:  # fmt: skip
        """Point a channel at a version. `expected`: the version that the caller judged against (None: nothing yet).
        `by`: who asks, for the channel's history.

        Raises NotFound, BundleError for a version that could not be served, Conflict if the channel has moved since or
        the version is being removed; nothing is then changed.
        """
        checked(self.uri)
        bundle, sha256 = self._fetch(name, version)
        bundle.verify()
        event = Event("promote", version, sha256, at, reasons or [], by)
        self._check_kept(name, version)
        moved = self._move(name, channel, expected, lambda _: event)
        try:
            self._check_kept(name, version)  # retention looks at the channels again after it has said what it removes
        except Conflict:
            if len(moved.history) > 1:
                self.rollback(name, at, channel)
            raise
        return moved

    def rollback(self, name: str, at: str, channel: str = "production", by: str = "") -> Channel:
        """Point a channel back at the version before. Raises NotFound if there is none or it is there no more."""
        checked(self.uri)
        current = self.channel(name, channel).current.version

        def back(held: Channel | None) -> Event:
            assert held is not None
            old = held.before()
            if not self._there(archive_path(name, old.version)):
                raise NotFound(f"the version before, {old.version}, is there no more: promote one of the others")
            return Event("rollback", old.version, old.sha256, at, [f"rolled back from {current}"], by)

        return self._move(name, channel, current, back)

    def announce(self, name: str, server: str, versions: list[str], at: str) -> None:
        """A running server says which versions it holds; said again before `SERVING_TTL_S`, they are not removed."""
        self.store.put(lease_path(name, server), msgspec.json.encode(Lease(versions, at)))

    def withdraw(self, name: str, server: str) -> None:
        """A server that stops holds nothing more."""
        self.store.remove(lease_path(name, server))

    def serving(self, name: str, now: str, ttl_s: float = SERVING_TTL_S) -> dict[str, list[str]]:
        """Versions that running servers hold, by server; `now` in ISO 8601 UTC. A lease that cannot be read raises
        RegistryError: what it holds is not known.
        """
        check_name(name)
        found = {}
        for path in self.store.names(f"{name}/serving"):
            try:
                lease = msgspec.json.decode(self.store.read(path), type=Lease)
                age_s = (datetime.fromisoformat(now) - datetime.fromisoformat(lease.at)).total_seconds()
            except NotFound:  # withdrawn meanwhile
                continue
            except (*UNREADABLE, ValueError, TypeError) as exc:
                raise RegistryError(f"{path} in {self.uri} cannot be read ({exc}): remove it") from exc
            if age_s <= ttl_s:
                found[path.rsplit("/", 1)[1].removesuffix(".json")] = lease.versions
        return found

    def _check_kept(self, name: str, version: str) -> None:
        """Raises Conflict if a version is gone or going."""
        place = archive_path(name, version, "")
        beside = [path for path in self.store.names(f"{name}/versions") if path.startswith(place)]
        if f"{place}zip" not in beside or any(path.endswith(REMOVING) for path in beside):
            raise Conflict(
                f"version {version} of {name} is being removed by retention: publish it again, then promote; if a "
                "`registry prune` was stopped, run it again first"
            )

    def _there(self, path: str) -> bool:
        try:
            self.store.tag(path)
        except NotFound:
            return False
        return True

    def _move(self, name: str, channel: str, expected: str | None, event: Callable[[Channel | None], Event]) -> Channel:
        def change(raw: bytes | None) -> bytes:
            held = None if raw is None else self._decoded(raw, name, channel)
            found = held.current.version if held else None
            if found != expected:
                raise Conflict(f"channel {channel} of {name} moved to {found} meanwhile: judge against that version")
            past = held.history if held else []
            return msgspec.json.encode(Channel([*past, event(held)]))

        return self._decoded(self.store.swap(channel_path(name, channel), change), name, channel)

    def _decoded(self, raw: bytes, name: str, channel: str) -> Channel:
        try:
            found = msgspec.json.decode(raw, type=Channel)
        except UNREADABLE as exc:
            raise RegistryError(f"channel {channel} of {name} in {self.uri} cannot be read ({exc})") from exc
        if not found.history:
            raise RegistryError(f"channel {channel} of {name} in {self.uri} has no history: promote a version again")
        return found

    def _absent(self, name: str, *, version: str = "", channel: str = "") -> str:
        versions = self.versions(name)
        if not versions:
            return f"no model '{name}' in {self.uri}: `ascribe publish DIR --registry {self.uri} --name {name}`"
        if channel:
            todo = f"`ascribe promote {name} {versions[-1]} --registry {self.uri}"
            todo += "`" if channel == "production" else f" --channel {channel}`"
            return f"{name} has no channel '{channel}' in {self.uri}: {todo}"
        return f"{name} has no version {version} in {self.uri}: it has {', '.join(versions[-5:])}"


def split_model(spec: str) -> tuple[str, str]:
    """`NAME[@CHANNEL]` -> name and channel (production by default).

    >>> split_model("node-power@canary")
    ('node-power', 'canary')
    """
    name, _, channel = spec.partition("@")
    return name, channel or "production"
