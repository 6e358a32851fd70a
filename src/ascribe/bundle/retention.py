"""Which versions of a model may go, and how they go while others promote.

Kept: the newest `keep`; what a channel points at; what its rollback would return to; what a running server holds; and
what was written less than `minimum_age_s` ago, since it may be about to be promoted. All else is removed.

A removal is said before it is done (an object `.removing` beside the version), and channels and leases are then read
again; a promotion moves its channel first and then looks whether its version is being removed. Whichever comes second
sees the other.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from ascribe.bundle.records import REMOVING, archive_path, check_name
from ascribe.bundle.registry import SERVING_TTL_S, Registry
from ascribe.core.errors import InputError, NotFound

__all__ = ["Kept", "prune"]

MINIMUM_AGE_S = 3600.0
STOPPED_S = 600.0  # a run that said so long ago that it removes a version does not any more
BESIDE = ("sig", "sha256")  # goes with an archive, after it


@dataclass(frozen=True)
class Kept:
    """`removed`: versions, oldest first. `kept`: why, by version."""

    removed: list[str]
    kept: dict[str, str]


def prune(
    registry: Registry,
    name: str,
    keep: int,
    now: str,
    minimum_age_s: float = MINIMUM_AGE_S,
    ttl_s: float = SERVING_TTL_S,
    dry_run: bool = False,
) -> Kept:
    """Remove old versions of a model; with `dry_run` only say which. `now`: ISO 8601 UTC.

    Raises InputError for a negative number, NotFound where there is no such model, RegistryError for a channel or lease
    that cannot be read: nothing is removed that might be held.
    """
    check_name(name)
    if keep < 0 or minimum_age_s < 0:
        raise InputError(f"--keep and --min-age-s are 0 or more, not {keep} and {minimum_age_s:g}")
    _forget_stopped(registry, name, now)
    versions = registry.versions(name)
    if not versions:
        raise NotFound(f"no model '{name}' in {registry.uri}: `ascribe publish` puts one there")
    kept = dict.fromkeys(versions[len(versions) - keep :], f"one of the newest {keep}") if keep else {}
    kept |= _young(registry, name, now, minimum_age_s) | _held(registry, name, now, ttl_s)
    removed = []
    for version in versions:
        if version in kept:
            continue
        if not dry_run and (held := _removed(registry, name, version, now, ttl_s)):
            kept[version] = held
        else:
            removed.append(version)
    return Kept(removed, {version: kept[version] for version in versions if version in kept})


def _removed(registry: Registry, name: str, version: str, now: str, ttl_s: float) -> str:
    """Remove a version and say ""; or why it is held after all."""
    store, mark = registry.store, archive_path(name, version, uuid4().hex + REMOVING)
    store.put(mark, now.encode())
    try:
        if held := _held(registry, name, now, ttl_s).get(version):
            return held
        for kind in ("zip", *BESIDE):
            store.remove(archive_path(name, version, kind))
        return ""
    finally:
        store.remove(mark)


def _held(registry: Registry, name: str, now: str, ttl_s: float) -> dict[str, str]:
    """Versions that somebody needs, and who."""
    held: dict[str, str] = {}
    for server, versions in registry.serving(name, now, ttl_s).items():
        held |= dict.fromkeys(versions, f"server {server} holds it")
    for channel in registry.channels(name):
        found = registry.channel(name, channel)
        with suppress(NotFound):
            held[found.before().version] = f"{channel} would roll back to it"
        held[found.current.version] = f"{channel} points at it"
    return held


def _forget_stopped(registry: Registry, name: str, now: str) -> None:
    """Take away marks that a run left behind when it was stopped."""
    at = datetime.fromisoformat(now)
    for path, written in registry.store.written(f"{name}/versions").items():
        if path.endswith(REMOVING) and (at - written).total_seconds() > STOPPED_S:
            registry.store.remove(path)


def _young(registry: Registry, name: str, now: str, minimum_age_s: float) -> dict[str, str]:
    """Versions written too short a time ago, by the store's clock."""
    at = datetime.fromisoformat(now)
    return {
        path.rsplit("/", 1)[1].removesuffix(".zip"): f"younger than {minimum_age_s:g} s"
        for path, written in registry.store.written(f"{name}/versions").items()
        if path.endswith(".zip") and minimum_age_s and (at - written).total_seconds() < minimum_age_s
    }
