"""What a room says of itself while it works, to whoever counts."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Meter", "NoMeter"]


class Meter(Protocol):
    """Called from any thread, often; it must return at once and raise nothing."""

    def batch(self, rows: int, waited_s: float, ran_s: float) -> None:
        """One batch was computed: its rows, how long its first row waited, and how long it ran, in seconds."""

    def queued(self, rows: int) -> None:
        """So many rows wait now."""

    def shed(self, reason: str) -> None:
        """A request was refused for lack of room; `reason`: one word of a small set, such as `queue` or `rate`."""

    def expired(self, stage: str) -> None:
        """A deadline passed before or in a stage: `door`, `queue`, `run`."""


class NoMeter:
    """Counts nothing."""

    def batch(self, rows: int, waited_s: float, ran_s: float) -> None:
        pass

    def queued(self, rows: int) -> None:
        pass

    def shed(self, reason: str) -> None:
        pass

    def expired(self, stage: str) -> None:
        pass
