"""Where the time of each version's requests went, as counters: what other servers' statistics are made of.

parts         success, fail: whole requests, from the door and back; queue, compute_input, compute_infer,
              compute_output: of those that were answered
batch rows    of one call of the engine, rounded up to a power of two, so that the series stay few
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["BATCHES", "LAST", "PARTS", "Tally", "rounded"]

PARTS = "attribution_request_parts"
BATCHES = "attribution_model_batches"
LAST = "attribution_last_request_timestamp_seconds"
STAGES = {"decode": "compute_input", "check": "compute_input", "queue": "queue", "encode": "compute_output"}

Who = tuple[str, str]


def rounded(rows: int) -> int:
    """The next power of two."""
    return 1 << max(0, rows - 1).bit_length()


class Tally:
    """`who`: model and version, both known to this server. Times in seconds; `clock`: seconds since 1970."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

        def counter(name: str, text: str, label: str) -> Counter:
            return Counter(name, text, ("model", "version", label), registry=registry)

        self._parts = counter(PARTS, "Requests, by what was done for them", "part")
        self._parts_s = counter(f"{PARTS}_seconds", "Seconds of the same", "part")
        self._batches = counter(BATCHES, "Calls of the engine, by rows rounded up to a power of two", "rows")
        self._batches_s = counter(f"{BATCHES}_seconds", "Seconds of the same", "rows")
        self._last = Gauge(LAST, "When a request was last answered", ("model", "version"), registry=registry)
        self._held: dict[Who, dict[tuple[Any, str], tuple[Any, tuple[str, ...]]]] = {}

    def answered(self, who: Who, spent_s: Mapping[str, float]) -> None:
        """An answer's own times by the names that the room gives them; what is none of `STAGES` is the run."""
        parts: dict[str, float] = {}
        for name, seconds in spent_s.items():
            if name != "total":
                part = STAGES.get(name, "compute_infer")
                parts[part] = parts.get(part, 0.0) + seconds
        for part, seconds in parts.items():
            self._spent(who, part, seconds)

    def ended(self, who: Who, good: bool, seconds: float) -> None:
        """One request, whole."""
        self._spent(who, "success" if good else "fail", seconds)
        if good:
            self._of(who, self._last, "").set(self._clock())

    def computed(self, who: Who, rows: int, seconds: float) -> None:
        """One call of the engine."""
        size = str(rounded(rows))
        self._of(who, self._batches, size).inc()
        self._of(who, self._batches_s, size).inc(seconds)

    def forget(self, who: Who) -> None:
        """A version that is long gone."""
        for (family, _), (_, labels) in self._held.pop(who, {}).items():
            with suppress(KeyError):
                family.remove(*labels)

    def _spent(self, who: Who, part: str, seconds: float) -> None:
        self._of(who, self._parts, part).inc()
        self._of(who, self._parts_s, part).inc(max(seconds, 0.0))

    def _of(self, who: Who, family: Any, word: str) -> Any:
        """The series of a version, remembered."""
        held = self._held.setdefault(who, {})
        if (family, word) not in held:
            labels = (*who, word) if word else who
            held[family, word] = family.labels(*labels), labels
        return held[family, word][0]
