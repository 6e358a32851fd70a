"""One run of a model at a time: a lease in the registry, swapped like a channel.

    <name>/locks/pipeline.json    {token, holder, until, for what}

A lease is taken by compare-and-swap and renewed while the run lasts. It can be taken over once it has run out, or at
once where its process is known to be gone. Who loses it learns of it before the next stage; the channel itself is
safe in any case, since it moves by compare-and-swap against the version that was judged.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

from ascribe.bundle.store import Store
from ascribe.bundle.unreadable import readable
from ascribe.core.errors import AscribeError, Conflict, NotFound
from ascribe.train.runs.process import Process, gone, this_process

__all__ = ["SECONDS", "Held", "Lease", "held", "holder"]

SECONDS = 120.0  # a lease lasts so long without being renewed
RENEWALS = 4  # within a lease
POLL = 1.0  # seconds between looks while waiting

Clock = Callable[[], float]
"""Seconds since 1970 UTC."""


class Lease(msgspec.Struct, frozen=True):
    """`until`: seconds since 1970 UTC; 0 once it was given back."""

    token: str
    process: Process
    until: float
    purpose: str = ""

    def free(self, now: float) -> bool:
        return now >= self.until or gone(self.process)

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.process} until {until}" + f" ({self.purpose})" * bool(self.purpose)


class Held:
    """A lease while it lasts."""

    def __init__(self, store: Store, name: str, lease: Lease, clock: Clock, seconds: float) -> None:
        self._store, self._name, self._lease, self._clock, self._seconds = store, name, lease, clock, seconds
        self._end, self._lost = threading.Event(), ""
        self._thread = threading.Thread(target=self._renewing, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises Conflict if the lease was lost: somebody else may be at work."""
        if not self._lost and self._clock() >= self._lease.until:
            self._lost = "it could not be renewed in time"
        if self._lost:
            raise Conflict(f"the lease on the pipeline of {self._name} was lost ({self._lost}): run it again")

    def give_back(self) -> None:
        """Let the next one in; a lease that is another's by now is left alone."""
        self._end.set()
        self._thread.join()
        try:
            if not self._lost:
                self._write(0.0)
        except AscribeError:
            pass  # it runs out by itself

    def _renewing(self) -> None:
        while not self._end.wait(self._seconds / RENEWALS):
            try:
                self._write(self._clock() + self._seconds)
            except Conflict as exc:
                self._lost = str(exc)
                return
            except AscribeError:
                continue  # the store is away; `check` says when that has lasted too long

    def _write(self, until: float) -> None:
        def change(raw: bytes | None) -> bytes:
            found = readable(raw, Lease)
            if found is None or found.token != self._lease.token:
                raise Conflict(f"it is held by {found}" if found else "it was removed")
            return msgspec.json.encode(renewed)

        renewed = msgspec.structs.replace(self._lease, until=until)
        self._store.swap(_path(self._name), change)
        self._lease = renewed


@contextmanager
def held(
    store: Store, name: str, clock: Clock, purpose: str = "", seconds: float = SECONDS, wait: float = 0.0
) -> Iterator[Held]:
    """The lease on a model's pipeline, if need be after waiting for `wait` seconds.

    Raises Conflict saying who has it and until when.
    """
    last = time.monotonic() + wait
    while True:
        try:
            lease = _taken(store, name, clock, purpose, seconds)
            break
        except Conflict:
            if time.monotonic() >= last:
                raise
            time.sleep(min(POLL, max(0.0, last - time.monotonic())))
    try:
        yield lease
    finally:
        lease.give_back()


def _taken(store: Store, name: str, clock: Clock, purpose: str, seconds: float) -> Held:
    mine = Lease(secrets.token_hex(8), this_process(), clock() + seconds, purpose)

    def change(raw: bytes | None) -> bytes:
        found = readable(raw, Lease)
        if found is not None and not found.free(clock()):
            raise Conflict(f"the pipeline of {name} is run by {found}: wait, or ask `ascribe pipeline status`")
        return msgspec.json.encode(mine)

    try:
        store.swap(_path(name), change)
    except Conflict as exc:
        found = holder(store, name, clock)
        if found is None or found.token == mine.token or str(found) in str(exc):
            raise
        raise Conflict(f"the pipeline of {name} is run by {found}: it came first") from exc
    return Held(store, name, mine, clock, seconds)


def holder(store: Store, name: str, clock: Clock) -> Lease | None:
    """Who holds the lease now."""
    try:
        found = readable(store.read(_path(name)), Lease)
    except NotFound:
        return None
    return None if found is None or found.free(clock()) else found


def _path(name: str) -> str:
    return f"{name}/locks/pipeline.json"
