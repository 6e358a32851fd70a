"""What a server is doing at this moment, for whoever looks for a fault: no feature's value, no caller's text."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ascribe.serve.observe.log import Entry, Watch
from ascribe.serve.observe.snapshots import Snapshot
from ascribe.serve.versions.leases import Slot

__all__ = ["Debug"]

KEPT, SHOWN = 512, 20  # requests that are remembered, and the slowest of them
FRAMES = 12


class Debug:
    """A watch that passes everything on, and a page: stacks, versions, queues, the slowest of the last requests."""

    def __init__(self, watch: Watch, slots: Callable[[], Iterable[Slot]], counts: Callable[[], Snapshot]) -> None:
        self._watch, self._slots, self._counts = watch, slots, counts
        self._last: deque[tuple[float, str, dict[str, Any]]] = deque(maxlen=KEPT)
        self.began, self.staged, self.answered, self.told = watch.began, watch.staged, watch.answered, watch.told

    def ended(self, entry: Entry, seconds: float) -> None:
        words = {
            name: getattr(entry, name) for name in ("transport", "verb", "version", "tier", "rows", "code", "trace_id")
        }
        self._last.append((seconds, datetime.now(UTC).isoformat(timespec="milliseconds"), words))
        self._watch.ended(entry, seconds)

    def page(self) -> tuple[str, bytes]:
        gauges = {
            sample.name: sample.value
            for family in self._counts().values()
            if family.kind == "gauge" and family.name != "attribution_model_info"
            for sample in family.samples
        }
        last = tuple(self._last)
        slowest = sorted(last, key=lambda one: -one[0])[:SHOWN]
        found: Mapping[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "process_s": round(time.process_time(), 1),
            "versions": [_version(slot) for slot in self._slots()],
            "gauges": gauges,
            "slowest": [{"ended": at, "duration_ms": round(s * 1000, 3), **words} for s, at, words in slowest],
            "threads": _stacks(),
        }
        return "application/json", msgspec.json.format(msgspec.json.encode(found), indent=2)


def _version(slot: Slot) -> dict[str, Any]:
    lease, before, status = slot.lease, slot.before, slot.status
    return {
        "model": slot.name, "channel": slot.channel, "version": lease.version if lease else "",
        "sha256": lease.sha256 if lease else "", "kept": before.version if before else "",
        "state": status.state, "wanted": status.wanted, "reason": status.reason,
    }  # fmt: skip


def _stacks() -> dict[str, list[str]]:
    """Lines of code by thread, the innermost first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = {}
    for ident, frame in sys._current_frames().items():
        lines = traceback.extract_stack(frame)[-FRAMES:]
        found[f"{names.get(ident, '?')} {ident}"] = [
            f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in reversed(lines)
        ]
    return found
