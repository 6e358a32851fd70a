"""The room of what moves and the thread behind it, put together."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from ascribe.serve.now.follower import Follower
from ascribe.serve.now.groups import read_groups
from ascribe.serve.now.hub import Hub
from ascribe.serve.now.room import NowRoom
from ascribe.serve.observe.log import Log
from ascribe.serve.settings import Settings
from ascribe.serve.telemetry import Telemetry
from ascribe.serve.versions.leases import Versions

__all__ = ["opened"]


def opened(
    versions: Versions, telemetry: Telemetry | None, settings: Settings, log: Log, busy: Callable[[], bool],
    registry: CollectorRegistry,
) -> tuple[Follower | None, NowRoom]:  # fmt: skip
    """No follower where there is no lake. Raises ServiceError for a file of groups that cannot be used."""
    groups, hub = read_groups(settings.groups) if settings.groups else {}, Hub(settings.max_listeners)
    follower = Follower(versions, telemetry, settings, groups, hub, log, busy) if telemetry else None
    return follower, NowRoom(versions, follower, hub, registry)
