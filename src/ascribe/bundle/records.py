"""What a registry writes beside archives, and where.

<name>/versions/<version>.zip                  a bundle, written once
<name>/versions/<version>.sha256               the archive's hash, written before it
<name>/versions/<version>.sig                  a detached signature, if there is one
<name>/versions/<version>.<id>.removing        there while a run of retention removes the version
<name>/channels/<channel>.json                 a pointer with its history, swapped as a whole
<name>/verdicts/<version>/<time>-<against>.json  what the gate said, written once
<name>/serving/<server>.json                   versions that a running server holds, renewed by it
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ascribe.core.errors import InputError, NotFound

__all__ = [
    "REMOVING", "Channel", "Event", "Judged", "Lease", "archive_path", "channel_path", "check_name", "lease_path",
]  # fmt: skip

REMOVING = ".removing"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Event(msgspec.Struct, frozen=True):
    """One move of a channel. `sha256` is the archive's; `at` ISO 8601 UTC; `reasons` the gate's words; `by`
    who moved it, where a server was asked to."""

    action: str
    version: str
    sha256: str
    at: str
    reasons: list[str] = []
    by: str = ""


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
                stack[-1:] = []  # of nothing: a history whose beginning somebody cut off
            elif not stack or stack[-1].version != event.version:
                stack.append(event)
        if len(stack) < 2:
            raise NotFound("there is no earlier version to roll back to")
        return stack[-2]


class Judged(msgspec.Struct, frozen=True):
    """A verdict as it is kept: on `version`, `against` what the channel pointed at ("" for nothing). `forced`: the
    channel was to move although the gate refused.
    """

    version: str
    against: str
    channel: str
    at: str
    accepted: bool
    forced: bool
    reasons: list[str]
    numbers: dict[str, Any] = {}


class Lease(msgspec.Struct, frozen=True):
    """Versions that a server holds, as it said `at` (ISO 8601 UTC)."""

    versions: list[str]
    at: str


def check_name(name: str) -> None:
    """Raises InputError for what could be a path."""
    if not NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot be a name: use letters, digits, '.', '_' and '-', at most 128")


def archive_path(name: str, version: str, kind: str = "zip") -> str:
    check_name(name)
    check_name(version)
    return f"{name}/versions/{version}.{kind}"


def channel_path(name: str, channel: str) -> str:
    check_name(name)
    check_name(channel)
    return f"{name}/channels/{channel}.json"


def lease_path(name: str, server: str) -> str:
    check_name(name)
    check_name(server)
    return f"{name}/serving/{server}.json"
