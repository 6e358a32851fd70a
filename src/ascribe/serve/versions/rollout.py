"""Following channels: a new pointer becomes a new version that answers, on a thread of its own.

    tag of the pointer -> pointer -> fetch, sha256 -> load, stored example -> warm -> swap one reference

A version that cannot be had changes nothing: the old one answers, and the slot's status says why. The version before
is kept warm until another must be loaded, so that the way back is one swap and a model has two versions at most.
"""

from __future__ import annotations

import queue
import random
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from ascribe.bundle.records import Event
from ascribe.bundle.registry import Registry
from ascribe.core.durations import doubled
from ascribe.core.errors import AscribeError, NotFound, RegistryError
from ascribe.serve import work
from ascribe.serve.faults import UnavailableError
from ascribe.serve.observe import memory
from ascribe.serve.observe.log import Log
from ascribe.serve.versions.leases import Lease, Slot, Status, fetch, now
from ascribe.serve.versions.presence import Presence, held

__all__ = ["Loaded", "Loading", "Rollout"]

JITTER = 0.2  # of the time between polls, so that replicas do not ask together
LONGEST_S = 60.0  # between attempts to load the same version
SETTLE_S = 0.02  # from a model's last lease to its memory being free

Act = Callable[[Slot], None]


class Loading(Protocol):
    """How a version comes to answer; on the rollout's thread. Whatever is raised leaves the slot as it is, and becomes
    the reason of its status.
    """

    def first(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        """What a slot starts with."""

    def bring(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        """Ready to answer the next request."""

    def again(self, lease: Lease) -> Lease:
        """One that was kept warm, if it still can answer."""


class Loaded:
    """Models that need nobody else."""

    def first(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        return fetch(registry, slot.name, slot.channel, event)

    def bring(self, registry: Registry, slot: Slot, event: Event) -> Lease:
        return work.warm(self.first(registry, slot, event))

    def again(self, lease: Lease) -> Lease:
        return lease


@dataclass
class _Watch:
    """What is known of a slot's channel. `seen`: its tag when it was last read; `due_s`, `retry_s`: when to look, and
    when to try a failed version again; `tries`: failures in a row.
    """

    slot: Slot
    spare: bool
    seen: str = ""
    due_s: float = 0.0
    retry_s: float = 0.0
    tries: int = 0


class Rollout:
    """Brings to `slots` what their channels want; `shadows` are slots that keep no version before; `loading`: how.

    Nothing here runs on the event loop or on the threads that explain.
    """

    def __init__(
        self, opened: Callable[[], Registry], slots: Sequence[Slot], shadows: Sequence[Slot], poll_s: float, log: Log,
        loading: Loading | None = None,
    ) -> None:  # fmt: skip
        self._opened, self._poll_s, self._log, self._loading = opened, poll_s, log, loading or Loaded()
        self._watches = [_Watch(s, True) for s in slots] + [_Watch(s, False) for s in shadows]
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="rollout", daemon=True)
        self._stopping = False
        self._presence = Presence(log)

    @cached_property
    def _registry(self) -> Registry:
        return self._opened()

    def first(self, slot: Slot) -> Lease:
        """What a slot starts with, not yet warm. Raises NotFound, BundleError, RegistryError."""
        return self._loading.first(self._registry, slot, self._registry.channel(slot.name, slot.channel).current)

    def start(self) -> None:
        """Follow from now on."""
        for watch in self._watches:
            if watch.slot.lease:
                self._mourn(watch.slot.lease)
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing any more."""
        self._stopping = True
        self._jobs.put(None)

    def join(self, grace_s: float) -> None:
        """Wait for what is being done, at most so long."""
        if self._thread.is_alive():
            self._thread.join(grace_s)

    def refresh(self, slot: Slot) -> Future[None]:
        """Look now, and try again what failed; done when the slot's status says what came of it."""
        return self._ask(slot, lambda _: None)

    def rollback(self, slot: Slot, by: str = "") -> Future[None]:
        """Point the channel back at the version before, for every server, and look now. Fails with NotFound if there is
        none, UnavailableError if the registry cannot be written. `by`: who asks.
        """

        def back(slot: Slot) -> None:
            self._registry.rollback(slot.name, now(), slot.channel, by)

        return self._ask(slot, back)

    def _ask(self, slot: Slot, act: Act) -> Future[None]:
        done: Future[None] = Future()
        if self._stopping:
            raise UnavailableError("this server is stopping: ask another one")
        self._jobs.put(lambda: self._asked(slot, act, done))
        return done

    def _asked(self, slot: Slot, act: Act, done: Future[None]) -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            act(slot)
            for watch in self._watches:
                if watch.slot.name == slot.name:
                    watch.seen, watch.retry_s = "", 0.0
                    self._look(watch)
            self._presence.say(self._registry, held(watch.slot for watch in self._watches))
            done.set_result(None)
        except NotFound as exc:
            done.set_exception(exc)
        except RegistryError as exc:
            done.set_exception(UnavailableError(str(exc)))
        except Exception as exc:
            done.set_exception(exc)

    def _run(self) -> None:
        while not self._stopping:
            due = min((w.due_s for w in self._watches), default=time.monotonic() + self._poll_s)
            try:
                job = self._jobs.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                job = self._poll
            try:
                if job is not None:
                    job()
            except Exception as exc:  # the next channel, or the next look, may go better; this thread must not end
                self._log.event("rollout", state="broken", reason=_why(exc))
        self._presence.end(self._registry)

    def _poll(self) -> None:
        for watch in self._watches:
            if watch.due_s <= time.monotonic() and not self._stopping:
                watch.due_s = time.monotonic() + self._poll_s * random.uniform(1 - JITTER, 1 + JITTER)
                self._look(watch)
        self._presence.say(self._registry, held(watch.slot for watch in self._watches))

    def _look(self, watch: _Watch) -> None:
        """Ask for the pointer's tag; if it changed, or a failed version is due again, for the pointer."""
        slot = watch.slot
        try:
            tag = self._registry.tag(slot.name, slot.channel)
            again = watch.tries > 0 and time.monotonic() >= watch.retry_s
            if tag == watch.seen and not again:
                return
            wanted = self._registry.channel(slot.name, slot.channel).current
        except Exception as exc:  # whatever it is, the next look may go better
            watch.seen = ""
            self._say(slot, "unreachable", slot.status.wanted, _why(exc))
            return
        if tag != watch.seen:
            watch.seen, watch.tries = tag, 0
        self._bring(watch, wanted)

    def _bring(self, watch: _Watch, wanted: Event) -> None:
        slot, start = watch.slot, time.perf_counter()
        if slot.lease and slot.lease.is_of(wanted):
            watch.tries = 0
            self._say(slot, "current", wanted.version)
            return
        warm = self._warm(slot, wanted)
        if warm is None:
            slot.before = None  # two versions at most, and this one is none that the pointer can go back to
            if not watch.tries:  # what has failed says why until it is there
                self._say(slot, "loading", wanted.version)
        try:
            lease = (
                self._loading.again(replace(warm, channel=slot.channel))
                if warm
                else self._loading.bring(self._registry, slot, wanted)
            )
        except Exception as exc:
            watch.tries += 1
            wait = doubled(self._poll_s, watch.tries, LONGEST_S)
            watch.retry_s = time.monotonic() + wait * random.uniform(1 - JITTER, 1 + JITTER)
            self._say(slot, "failed", wanted.version, _why(exc))
            self._jobs.put(memory.trim)
            return
        if warm is None:
            self._mourn(lease)
        self._swap(watch, lease, start, "kept" if warm else "loaded")

    def _swap(self, watch: _Watch, lease: Lease, start: float, how: str) -> None:
        slot, old = watch.slot, watch.slot.lease
        watch.tries = 0
        slot.swap(lease)
        if not watch.spare:
            slot.before = None
        self._log.event(
            "rollout", model=slot.name, channel=slot.channel, state="current", version=lease.version, how=how,
            before=old.version if old else "", took_ms=round((time.perf_counter() - start) * 1000, 1),
        )  # fmt: skip

    def _warm(self, slot: Slot, wanted: Event) -> Lease | None:
        """The wanted version, if any slot of that model holds it: the one before, or the shadow that is promoted."""
        slots = [w.slot for w in self._watches if w.slot.name == slot.name]
        fit = [lease for s in slots for lease in (s.before, s.lease) if lease and lease.is_of(wanted)]
        return fit[0] if fit else None

    def _mourn(self, lease: Lease) -> None:
        """Give memory back once a model's last lease has ended, wherever that is."""
        jobs = self._jobs

        def settled() -> None:
            time.sleep(SETTLE_S)
            memory.trim()

        weakref.finalize(lease.model, jobs.put, settled).atexit = False

    def _say(self, slot: Slot, state: str, wanted: str, reason: str = "") -> None:
        """A status, and a line of the log where it is another one."""
        last = slot.status
        if (last.state, last.wanted, last.reason) == (state, wanted, reason):
            return
        slot.status = Status(state, wanted, reason)
        if state != "loading":
            told = {"reason": reason} if reason else {}
            version = slot.lease.version if slot.lease else ""
            self._log.event(
                "rollout", model=slot.name, channel=slot.channel, state=state, version=version, wanted=wanted, **told
            )


def _why(exc: Exception) -> str:
    """One line for the card and the log."""
    return str(exc) if isinstance(exc, AscribeError) else f"{type(exc).__name__}: {str(exc)[:200]}"
