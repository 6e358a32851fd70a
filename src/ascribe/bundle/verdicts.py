"""Verdicts are kept beside the version that they are about: written once, accepted or refused, forced or not."""

from __future__ import annotations

import msgspec

from ascribe.bundle.records import Judged, check_name
from ascribe.bundle.store import Store
from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import Conflict, RegistryError

__all__ = ["keep", "verdicts"]

MOST = 100


def keep(store: Store, name: str, judged: Judged) -> str:
    """Write a verdict under a path of its own, and return it. Raises RegistryError if the store cannot be written."""
    raw = msgspec.json.encode(judged)
    stamp = "".join(c for c in judged.at if c.isalnum())
    for k in range(MOST):
        path = f"{_folder(name, judged.version)}/{stamp}{f'.{k}' if k else ''}-{judged.against or 'nothing'}.json"
        try:
            store.create(path, raw)
        except Conflict:  # judged twice within a second
            continue
        return path
    raise RegistryError(f"{judged.version} of {name} was judged {MOST} times within a second: try again")


def verdicts(store: Store, name: str, version: str) -> list[Judged]:
    """All verdicts on a version, oldest first; none is no error. Raises RegistryError for one that cannot be read."""
    found = []
    for path in store.names(_folder(name, version)):
        try:
            found.append(msgspec.json.decode(store.read(path), type=Judged))
        except UNREADABLE as exc:
            raise RegistryError(f"{path} in {store.uri} is no verdict ({exc}): remove it") from exc
    return sorted(found, key=lambda judged: judged.at)


def _folder(name: str, version: str) -> str:
    check_name(name)
    check_name(version)
    return f"{name}/verdicts/{version}"
