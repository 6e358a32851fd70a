"""What a room says of itself while it works, to whoever counts."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Calls", "Meter", "NoMeter"]


class Meter(Protocol):
    """Called from any thread, often; it must return at once and raise nothing."""

    def batch(self, rows: int, waited_s: float, ran_s: float) -> None:
        """One batch was computed: its rows, how long its first row waited, and how long it ran, in seconds."""

    def computed(self, of: object, rows: int, ran_s: float) -> None:
        """One call of the engine for rows of a model `of`, whether or not it counts as a batch above."""

    def queued(self, rows: int) -> None:
        """So many rows wait now."""


class NoMeter:
    """Counts nothing."""

    def batch(self, rows: int, waited_s: float, ran_s: float) -> None:
        pass

    def computed(self, of: object, rows: int, ran_s: float) -> None:
        pass

    def queued(self, rows: int) -> None:
        pass


class Calls(NoMeter):
    """Passes calls of the engine on, and nothing else: for a queue beside the one that the gauges are about."""

    def __init__(self, meter: Meter | None) -> None:
        self._meter = meter or NoMeter()

    def computed(self, of: object, rows: int, ran_s: float) -> None:
        self._meter.computed(of, rows, ran_s)
