"""Events for whoever listens: bounded for each listener, and a little kept for those who come back.

An event is written once, whoever hears it. Anybody may publish, from any thread; listeners live on one event loop.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from ascribe.serve.faults import ShedError, UnavailableError

__all__ = ["Hub", "Listener"]

KEPT = 1024  # events, for who comes back
WAITING = 1024  # events of one listener
LOST = b"event: lost\ndata: {}\n\n"


@dataclass(eq=False)
class Listener:
    """`kinds`: what it hears (empty: everything). `next` until it says None."""

    loop: asyncio.AbstractEventLoop
    kinds: frozenset[str]
    waiting: deque[bytes] = field(default_factory=deque)
    there: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    closed: bool = False

    async def next(self, within_s: float) -> list[bytes] | None:
        """Events in order; none of them after so many seconds without any; None once there will be none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.there.wait()
        self.there.clear()
        found: list[bytes] = []
        while self.waiting:
            found.append(self.waiting.popleft())
        if found:
            return found
        return None if self.lost or self.closed else []

    def put(self, events: Iterable[tuple[str, bytes]]) -> bool:
        """Whether there was room: one that has none hears `lost`, and no more."""
        if self.lost or self.closed:
            return True
        heard = [event for kind, event in events if not self.kinds or kind in self.kinds]
        if len(self.waiting) + len(heard) > WAITING:
            self.lost = True
            self.waiting.clear()
            heard = [LOST]
        self.waiting.extend(heard)
        self.wake()
        return not self.lost

    def wake(self) -> None:
        with suppress(RuntimeError):  # its loop has ended
            self.loop.call_soon_threadsafe(self.there.set)


class Hub:
    """`most` listeners at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._start, self._number = uuid.uuid4().hex[:6], 0
        self._kept: deque[tuple[int, str, bytes]] = deque(maxlen=KEPT)
        self._closed = False
        self.lost, self.sent = 0, 0

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, events: Iterable[tuple[str, object]]) -> None:
        """Kinds and what is said, in order."""
        with self._lock:
            if self._closed:
                return
            fresh = []
            for kind, said in events:
                self._number += 1
                head = f"id: {self._start}-{self._number}\nevent: {kind}\ndata: ".encode()
                event = head + msgspec.json.encode(said) + b"\n\n"
                self._kept.append((self._number, kind, event))
                fresh.append((kind, event))
            self.sent += len(fresh)
            for listener in list(self._listeners):
                if not listener.put(fresh):
                    self._listeners.discard(listener)
                    self.lost += 1

    def listen(self, last: str = "", kinds: frozenset[str] = frozenset()) -> Listener:
        """On the loop at hand. `last`: the id heard last. Raises ShedError, UnavailableError where all is ending."""
        listener = Listener(asyncio.get_running_loop(), kinds)
        with self._lock:
            if self._closed:
                raise UnavailableError("this server is leaving: listen to another one")
            if len(self._listeners) >= self._most:
                raise ShedError(f"{self._most} listen already (ASCRIBE_MAX_LISTENERS): come again later", 10.0)
            missed = self._missed(last)
            if missed is None:
                listener.waiting.append(LOST)
            elif missed:
                listener.put(missed)
            if listener.waiting:
                listener.there.set()
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Every stream ends once its listener has heard what was said."""
        with self._lock:
            self._closed = True
            for listener in self._listeners:
                listener.closed = True
                listener.wake()

    def _missed(self, last: str) -> list[tuple[str, bytes]] | None:
        """Events after an id; None where they are not all at hand."""
        if not last:
            return []
        start, _, number = last.partition("-")
        if start != self._start or not (number.isascii() and number.isdigit() and len(number) < 16):
            return None
        after = int(number)
        oldest = self._kept[0][0] if self._kept else self._number + 1
        if after > self._number or after + 1 < oldest:
            return None
        return [(kind, event) for k, kind, event in self._kept if k > after]
