"""How much longer waiting takes than measured latencies say, nearly always.

A queue's seconds are sums of latencies that were measured alone. Threads that share cores, callers that take turns and
requests that come meanwhile make a wait longer. `ratio` follows the 98 % quantile of (took / expected) over requests
that waited: up by a step where one took longer, down by a fiftieth of it where one did not, so that

    P(took <= ratio * expected) = QUANTILE        where it stands still

(Robbins and Monro, 1951, for a quantile, on a logarithmic scale.)
"""

from __future__ import annotations

from math import exp

__all__ = ["Pace"]

QUANTILE, STEP = 0.98, 0.1
LEAST, MOST = 0.25, 16.0


class Pace:
    """
    >>> pace = Pace()
    >>> for _ in range(100):
    ...     pace.learn(expected_s=1.0, took_s=3.0)
    >>> 3.0 < pace.ratio < 3.4
    True
    """

    def __init__(self) -> None:
        self.ratio = 1.0

    def learn(self, expected_s: float, took_s: float) -> None:
        """Of one request that waited; `expected_s` without the ratio."""
        up = took_s > self.ratio * expected_s
        self.ratio *= exp(STEP * (QUANTILE if up else QUANTILE - 1))
        self.ratio = min(MOST, max(LEAST, self.ratio))
