"""How long a call takes, by its number of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """What was measured of a tier where the bundle was made or is served: `stderr`, the root mean square over held-out
    rows and features in the output's unit; `latency_ms`, milliseconds of a call by its number of rows.
    """

    stderr: float | None = None
    latency_ms: Mapping[int, float] = field(default_factory=dict)

    def ms(self, rows: int) -> float:
        """A call of so many rows: between two measured sizes along a line, beyond the largest in proportion.

        >>> Measured(latency_ms={1: 1.0, 16: 4.0}).ms(32)
        8.0
        """
        known = sorted(self.latency_ms.items())
        if not known:
            return float("nan")
        below = [pair for pair in known if pair[0] <= rows]
        above = [pair for pair in known if pair[0] > rows]
        if not above:
            return known[-1][1] * rows / known[-1][0]
        if not below:
            return known[0][1]
        (a, at_a), (b, at_b) = below[-1], above[0]
        return at_a + (at_b - at_a) * (rows - a) / (b - a)
