"""Rows a second that each caller may ask for: a bucket of tokens that fills again.

    tokens(t) = min(rate burst, tokens + rate (t - t0))        rate: rows a second of this process = rate / workers

A request is let in when the bucket holds its rows, or is full where it has more rows than the bucket: the bucket then
goes below zero, and the next request waits longer. So no size is refused for good, and the rate holds in the long run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import ShedError

__all__ = ["Rates"]

FEW = 1024  # buckets that are kept without looking which are full again


@dataclass
class _Bucket:
    rate: float
    most: float
    tokens: float
    at_s: float

    def fill(self, now_s: float) -> None:
        self.tokens = min(self.most, self.tokens + self.rate * (now_s - self.at_s))
        self.at_s = now_s


class Rates:
    """Buckets by the caller's name. `rate_per_s`: of callers without a rate of their own (None: none); `burst_s`: how
    many seconds' worth may come at once; `workers`: processes that share the rate.
    """

    def __init__(
        self, rate_per_s: float | None = None, burst_s: float = 1.0, workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._rate_per_s, self._burst_s, self._workers, self._clock = rate_per_s, burst_s, workers, clock
        self._buckets: dict[str, _Bucket] = {}
        self._most = FEW

    def take(self, caller: Caller, rows: int) -> None:
        """Count rows against a caller's rate. Raises ShedError with `retry_s`, and then counts nothing."""
        rate = self._rate_per_s if caller.rate_per_s is None else caller.rate_per_s
        if rate is None:
            return
        bucket, now_s = self._bucket(caller.name, rate / self._workers), self._clock()
        bucket.fill(now_s)
        lacking = min(rows, bucket.most) - bucket.tokens
        if lacking > 1e-9:
            text = f"{caller.name} has used up its rate of {rate:g} rows a second"
            raise ShedError(text, lacking / bucket.rate, "rate")
        bucket.tokens -= rows

    def _bucket(self, name: str, rate: float) -> _Bucket:
        most = max(1.0, rate * self._burst_s)
        held = self._buckets.get(name)
        if held is None or held.rate != rate:
            if len(self._buckets) >= self._most:
                self._forget()
            held = self._buckets[name] = _Bucket(rate, most, most, self._clock())
        return held

    def _forget(self) -> None:
        """A full bucket is as good as a new one. What is left doubles the room, so that a look is seldom."""
        now_s = self._clock()
        for bucket in self._buckets.values():
            bucket.fill(now_s)
        self._buckets = {name: b for name, b in self._buckets.items() if b.tokens < b.most}
        self._most = max(FEW, 2 * len(self._buckets))
