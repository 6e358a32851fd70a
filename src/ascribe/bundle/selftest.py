"""Does a store keep its word? Asked of every store before this process decides anything by it.

create-only    a second create of one key must conflict, or two publishers overwrite one another
swap           S3-compatible storage: a write against a stale e-tag must conflict, or two promoters both win
lock           a directory: whoever asks for a lock that is held must wait, or two promoters both win

Some servers and gateways answer 200 and ignore the condition, so the only way to know is to try. Reading needs none of
this.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from uuid import uuid4

from ascribe.bundle.store import Store, open_store
from ascribe.core.errors import Conflict, NotFound, RegistryError

__all__ = ["checked", "selftest"]

PROBES = ".probe"  # no name of a model begins with a dot


@lru_cache(maxsize=64)
def checked(uri: str) -> None:
    """`selftest` once for a store and process; a store that failed is tried again. Raises RegistryError."""
    selftest(open_store(uri))


def selftest(store: Store) -> list[str]:
    """What holds, in words. Works on a key of its own and leaves nothing behind.

    Raises RegistryError naming what the store ignores.
    """
    key = f"{PROBES}/{uuid4().hex}"
    try:
        return [_created_once(store, key), _swapped(store, key) if store.directory is None else _locked(store, key)]
    finally:
        with suppress(RegistryError):  # what went wrong before says more
            store.remove(key)
        if store.directory is not None:
            store.lock_of(key).unlink(missing_ok=True)


def _created_once(store: Store, key: str) -> str:
    store.create(key, b"first")
    try:
        store.create(key, b"second")
    except Conflict:
        if store.read(key) == b"first":
            return "create-only: a second write of the same key is refused"
    raise _refused(store, "create-only writes (a second create of the same key succeeded)")


def _swapped(store: Store, key: str) -> str:
    stale = store.tag(key)
    store.put(key, b"changed meanwhile")
    try:
        store.replace(key, b"lost update", stale)
    except Conflict:
        pass
    else:
        raise _refused(store, "If-Match (a write against a stale e-tag succeeded)")
    try:
        store.replace(key, b"swapped", store.tag(key))
    except (Conflict, NotFound) as exc:
        raise _refused(store, "e-tags (a write against the newest e-tag was refused)") from exc
    return "swap: a write against a stale e-tag is refused, one against the newest is not"


def _locked(store: Store, key: str) -> str:
    with store.locked(key):
        try:
            with store.locked(key, 0):
                pass
        except Conflict:
            return "lock: whoever asks for a pointer's lock while it is held is kept out"
    raise _refused(store, "file locks (two holders at once)")


def _refused(store: Store, what: str) -> RegistryError:
    return RegistryError(
        f"{store.uri} ignores {what}: several writers would overwrite one another, "
        "so keep the registry on a store with conditional writes or in a directory"
    )
