"""The registry: create-only versions, channels that point at one of them.

<name>/versions/<version>.zip     a bundle, written once
<name>/channels/<channel>.json    a pointer with its history, swapped as a whole
"""

from __future__ import annotations

import re

import msgspec

from ascribe.bundle.archive import Bundle, pack, unpack
from ascribe.bundle.manifest import digest
from ascribe.bundle.store import Store, open_store
from ascribe.core.errors import Conflict, InputError, NotFound, RegistryError, TamperedError

__all__ = ["Channel", "Event", "Registry", "split_model"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Event(msgspec.Struct, frozen=True):
    """One move of a channel. `sha256` is the archive's; `at` ISO 8601 UTC; `reasons` the gate's words."""

    action: str
    version: str
    sha256: str
    at: str
    reasons: list[str] = []


class Channel(msgspec.Struct, frozen=True):
    """Where a channel points (its last event) and how it came there."""

    history: list[Event]

    @property
    def current(self) -> Event:
        return self.history[-1]

    def before(self) -> Event:
        """The version that rollback returns to: the last one promoted before the current one and not rolled back.

        Raises NotFound if there is none.
        """
        stack: list[Event] = []
        for event in self.history:
            if event.action == "rollback":
                stack.pop()
            elif not stack or stack[-1].version != event.version:
                stack.append(event)
        if len(stack) < 2:
            raise NotFound("there is no earlier version to roll back to")
        return stack[-2]


class Registry:
    """Versions and channels of named models in one store."""

    def __init__(self, uri: str) -> None:
        self.store: Store = open_store(uri)
        self.uri = uri

    def publish(self, name: str, bundle: Bundle) -> str:
        """Verify a bundle, write it once, and return its version; publishing the same bundle again changes nothing."""
        _check_name(name)
        bundle.verify()
        version, raw = bundle.manifest.version(), pack(bundle)
        try:
            self.store.create(_version_path(name, version), raw)
        except Conflict:
            if digest(self.store.read(_version_path(name, version))) != digest(raw):
                raise
        return version

    def fetch(self, name: str, version: str, sha256: str | None = None) -> Bundle:
        """A version's bundle; `sha256` (from a channel) is checked before the archive is opened.

        Raises NotFound naming what there is, TamperedError.
        """
        _check_name(name)
        try:
            raw = self.store.read(_version_path(name, version))
        except NotFound as exc:
            raise NotFound(self._absent(name, f"version {version}")) from exc
        if sha256 is not None and digest(raw) != sha256:
            raise TamperedError(f"version {version} of {name} is not what {self.uri} recorded: publish it again")
        bundle = unpack(raw, f"{name}@{version}")
        if bundle.manifest.version() != version:
            raise TamperedError(f"version {version} of {name} in {self.uri} holds another bundle: publish it again")
        return bundle

    def versions(self, name: str) -> list[str]:
        """All versions, oldest first."""
        _check_name(name)
        paths = self.store.names(f"{name}/versions")
        return [p.rsplit("/", 1)[1].removesuffix(".zip") for p in paths if p.endswith(".zip")]

    def channel(self, name: str, channel: str = "production") -> Channel:
        """Raises NotFound naming what there is."""
        _check_name(name)
        try:
            return self._decoded(self.store.read(_channel_path(name, channel)), name, channel)
        except NotFound as exc:
            raise NotFound(self._absent(name, f"channel '{channel}'")) from exc

    def tag(self, name: str, channel: str = "production") -> str:
        """What changes whenever the channel moves; one request, nothing is read or listed. Raises NotFound."""
        return self.store.tag(_channel_path(name, channel))

    def resolve(self, name: str, channel: str = "production") -> Bundle:
        """The bundle that a channel points at."""
        current = self.channel(name, channel).current
        return self.fetch(name, current.version, current.sha256)

    def promote(
        self, name: str, version: str, at: str, channel: str = "production", reasons: list[str] | None = None,
        expected: str | None = None,
    ) -> Channel:  # fmt: skip
        """Point a channel at a version. `expected`: the version that the caller judged against (None: nothing yet).

        Raises NotFound, BundleError for a version that could not be served, Conflict if the channel has moved since;
        nothing is then changed.
        """
        bundle = self.fetch(name, version)
        bundle.verify()
        event = Event("promote", version, digest(pack(bundle)), at, reasons or [])
        return self._move(name, channel, expected, lambda _: event)

    def rollback(self, name: str, at: str, channel: str = "production") -> Channel:
        """Point a channel back at the version before. Raises NotFound if there is none."""
        current = self.channel(name, channel).current.version

        def back(held: Channel | None) -> Event:
            assert held is not None
            old = held.before()
            return Event("rollback", old.version, old.sha256, at, [f"rolled back from {current}"])

        return self._move(name, channel, current, back)

    def _move(self, name: str, channel: str, expected: str | None, event: object) -> Channel:
        def change(raw: bytes | None) -> bytes:
            held = None if raw is None else self._decoded(raw, name, channel)
            found = held.current.version if held else None
            if found != expected:
                raise Conflict(f"channel {channel} of {name} moved to {found} meanwhile: judge against that version")
            past = held.history if held else []
            return msgspec.json.encode(Channel([*past, event(held)]))  # type: ignore[operator]

        return self._decoded(self.store.swap(_channel_path(name, channel), change), name, channel)

    def _decoded(self, raw: bytes, name: str, channel: str) -> Channel:
        try:
            found = msgspec.json.decode(raw, type=Channel)
        except msgspec.DecodeError as exc:
            raise RegistryError(f"channel {channel} of {name} in {self.uri} cannot be read ({exc})") from exc
        if not found.history:
            raise RegistryError(f"channel {channel} of {name} in {self.uri} has no history: promote a version again")
        return found

    def _absent(self, name: str, what: str) -> str:
        versions = self.versions(name)
        if not versions:
            return f"no model '{name}' in {self.uri}: `ascribe publish DIR --registry {self.uri} --name {name}`"
        if what.startswith("channel"):
            return f"{name} has no {what} in {self.uri}: `ascribe promote {name} {versions[-1]} --registry {self.uri}`"
        return f"{name} has no {what} in {self.uri}: it has {', '.join(versions[-5:])}"


def split_model(spec: str) -> tuple[str, str]:
    """`NAME[@CHANNEL]` -> name and channel (production by default).

    >>> split_model("node-power@canary")
    ('node-power', 'canary')
    """
    name, _, channel = spec.partition("@")
    return name, channel or "production"


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot be a name: use letters, digits, '.', '_' and '-', at most 128")


def _version_path(name: str, version: str) -> str:
    _check_name(version)
    return f"{name}/versions/{version}.zip"


def _channel_path(name: str, channel: str) -> str:
    _check_name(name)
    _check_name(channel)
    return f"{name}/channels/{channel}.json"
