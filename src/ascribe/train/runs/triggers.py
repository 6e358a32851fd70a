"""When a run is due, decided from what is known; and what is waited for otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.drifted import Drift
from ascribe.core.words import listed
from ascribe.train.runs.record import Run, moment

__all__ = ["Seen", "Triggers", "awaited", "due"]

REST_S = 3600.0  # after a run, drift is no reason for so long
RETRY_S = 600.0  # after a failed run, nothing is


@dataclass(frozen=True)
class Triggers:
    """`min_new_rows`: since the last run (None: volume is no reason); `every_s`: seconds between runs, if there are new
    rows at all (None: no schedule); `drift`, `code`: whether they are reasons.
    """

    min_new_rows: int | None = 10_000
    every_s: float | None = None
    drift: bool = True
    code: bool = True


@dataclass(frozen=True)
class Seen:
    """The lake's version and count of rows now, the code that would run, and the version in production ("": none)."""

    lake_version: int | None
    count: int
    code: str
    production: str = ""


def due(now: float, last: Run | None, seen: Seen, settings: Triggers, drift: Drift | None = None) -> tuple[str, ...]:
    """The reasons for a run at `now` (seconds since 1970), none where nothing is due.

    A run that was killed or stopped is due at once. Drift is a reason where it was measured for the version in
    production and there are rows that the last run has not seen.
    """
    if seen.lake_version is None or not seen.count:
        return ()
    if last is None:
        least = 0 if settings.every_s is not None else settings.min_new_rows or 0  # the time for a first run has come
        return ("first run",) if seen.count >= least else ()
    if last.status in ("running", "stopped"):
        return (f"run {last.run} was not finished",)
    passed = now - moment(last.ended or last.started)
    if last.status == "failed":
        return (f"run {last.run} failed: trying again",) if passed >= RETRY_S else ()
    reasons: list[str] = []
    new, newer = seen.count - last.count, seen.lake_version != last.lake_version
    if settings.min_new_rows is not None and new >= settings.min_new_rows:
        reasons.append(f"{new} new rows")
    if settings.every_s is not None and newer and now - moment(last.started) >= settings.every_s:
        reasons.append(f"{_span(now - moment(last.started))} since the last run")
    if settings.code and seen.code != last.code:
        reasons.append(f"new code {seen.code}")
    drifted = drift is not None and drift.word == "drifted" and drift.version == seen.production
    if drift is not None and drifted and settings.drift and newer and passed >= REST_S:
        reasons.append(f"drift: {drift.reasons[0]}")
    return tuple(reasons)


def awaited(now: float, last: Run | None, seen: Seen, settings: Triggers) -> str:
    """In words, what would make a run due."""
    if seen.lake_version is None or not seen.count:
        return "the first rows of the lake"
    if last is None:
        return f"{(settings.min_new_rows or 0) - seen.count} more rows for a first run"
    passed = now - moment(last.ended or last.started)
    if last.status == "failed" and passed < RETRY_S:
        return f"{_span(RETRY_S - passed)} before trying again: {last.error}"
    waits: list[str] = []
    if settings.min_new_rows is not None:
        waits.append(f"{max(0, settings.min_new_rows - (seen.count - last.count))} more rows")
    if settings.every_s is not None:
        left = settings.every_s - (now - moment(last.started))
        waits.append(f"{_span(left)} to pass" if left > 0 else "any new row")
    if settings.drift:
        waits.append("drift")
    if settings.code:
        waits.append("new code")
    return listed(waits) or "nothing: every trigger is off"


def _span(seconds: float) -> str:
    """
    >>> _span(5400), _span(42)
    ('1.5 h', '42 s')
    """
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{max(0, seconds):.0f} s"
