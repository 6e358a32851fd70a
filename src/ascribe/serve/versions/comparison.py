"""What a candidate answers beside what the champion answered: sums over rows, as numbers for a card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ascribe.serve.messages import Attribution

__all__ = ["Comparison"]

TOP = 3  # largest shares whose names are compared


class Comparison:
    """Of one pair of versions. Predictions and shares in their unit; times in ms.

    `prediction`, `attribution`: |candidate - champion|, a row and a counter of a row each.
    """

    def __init__(self) -> None:
        self.requests = self.rows = self.failures = 0
        self.failure = ""
        self._prediction, self._attribution = _Differences(), _Differences()
        self._overlap, self._rank = _Differences(), _Differences()
        self._ms = [0.0, 0.0]

    def failed(self, rows: int, reason: str) -> None:
        """A request that the candidate could not answer at all."""
        self.requests += 1
        self.failures += rows
        self.failure = reason

    def add(
        self, champion: Sequence[Attribution], candidate: Sequence[Attribution], champion_ms: float, candidate_ms: float
    ) -> None:
        """Rows of one request, the champion's and the candidate's, and the time that each took for a row."""
        self.requests += 1
        self._ms[0] += champion_ms
        self._ms[1] += candidate_ms
        for ours, theirs in zip(champion, candidate, strict=True):
            if ours.prediction is None or not ours.attribution_shares:
                continue
            if theirs.prediction is None or not theirs.attribution_shares:
                self.failures += 1
                self.failure = theirs.reason or theirs.status
                continue
            self.rows += 1
            self._prediction.add(abs(theirs.prediction - ours.prediction))
            both = [name for name in ours.attribution_shares if name in theirs.attribution_shares]
            a, b = (np.array([row.attribution_shares[name] for name in both]) for row in (ours, theirs))
            for difference in np.abs(b - a).tolist():
                self._attribution.add(difference)
            tops = [_top(row.attribution_shares) for row in (ours, theirs)]
            self._overlap.add(len(tops[0] & tops[1]) / len(tops[0]))
            if len(both) > 1:
                self._rank.add(_spearman(np.abs(a), np.abs(b)))

    def numbers(self) -> dict[str, float | int | str | None]:
        """By the fields of `messages.ShadowCard`."""
        return {
            "requests": self.requests,
            "rows": self.rows,
            "failures": self.failures,
            "failure": self.failure,
            "prediction_mean_abs": self._prediction.mean,
            "prediction_max_abs": self._prediction.most,
            "attribution_mean_abs": self._attribution.mean,
            "attribution_max_abs": self._attribution.most,
            "top_overlap": self._overlap.mean,
            "rank_correlation": self._rank.mean,
            "latency_ratio": self._ms[1] / self._ms[0] if self._ms[0] > 0 and self._ms[1] > 0 else None,
        }


class _Differences:
    """Mean and largest of numbers; None before the first."""

    def __init__(self) -> None:
        self._count, self._sum = 0, 0.0
        self.most: float | None = None

    def add(self, number: float) -> None:
        self._count += 1
        self._sum += number
        self.most = number if self.most is None else max(self.most, number)

    @property
    def mean(self) -> float | None:
        return self._sum / self._count if self._count else None


def _top(shares: dict[str, float]) -> set[str]:
    return set(sorted(shares, key=lambda name: -abs(shares[name]))[:TOP])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of ranks, ties in the order of the names; 1 where both agree.

    >>> _spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]))
    -1.0
    """
    n = len(a)
    ranks = [np.argsort(np.argsort(part, kind="stable")) for part in (a, b)]
    return float(1 - 6 * np.sum((ranks[0] - ranks[1]) ** 2) / (n * (n * n - 1)))
