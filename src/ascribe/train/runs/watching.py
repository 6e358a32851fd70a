"""The loop that runs the pipeline when a trigger says so, and sleeps otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ascribe.bundle.live import read_live
from ascribe.bundle.state import State, beside
from ascribe.core.drifted import Drift, Thresholds
from ascribe.core.errors import Conflict, InputError, NotFound
from ascribe.train.runs.code import code_version
from ascribe.train.runs.drift import drift, lake_rows, live_rows, newest, save
from ascribe.train.runs.record import latest, stamp
from ascribe.train.runs.run import RunOptions, run
from ascribe.train.runs.triggers import Seen, Triggers, awaited, due
from ascribe.train.watch import Watcher

if TYPE_CHECKING:
    from ascribe.train.lake.lake import Lake

__all__ = ["Looking", "compare", "compare_live", "watch"]

Clock = Callable[[], float]
"""Seconds since 1970 UTC."""


@dataclass(frozen=True)
class Looking:
    """`poll_s` between looks at the lake; `drift_every_s` between comparisons, on the `drift_rows` newest rows.
    `fresh`: called with every version of the lake that was not there at the look before.
    """

    triggers: Triggers = field(default_factory=Triggers)
    poll_s: float = 60.0
    drift_every_s: float = 3600.0
    drift_rows: int = 20_000
    fresh: Callable[[int], None] = lambda version: None


def watch(
    options: RunOptions,
    lake: Lake,
    looking: Looking | None = None,
    follow: Watcher | None = None,
    clock: Clock = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Until interrupted (KeyboardInterrupt): look, run where a trigger says so, sleep. A run that is refused or fails
    is told and recorded, and the loop goes on; so it does where the lake or the registry cannot be reached.
    """
    looking, follow = looking or Looking(), follow or Watcher()
    teller = _Once(follow)
    looked, known = 0.0, None
    try:
        while True:
            try:
                if (version := lake.version()) is not None and version != known:
                    looking.fresh(version)
                    known = version
                if looking.triggers.drift and clock() - looked >= looking.drift_every_s:
                    looked = clock()
                    _compared(options, lake, looking, follow, clock)
                _look(options, lake, looking, teller, follow, clock)
            except Exception as exc:  # whatever failed, the next look may find it mended
                teller.tell(f"not now: {exc}")
            sleep(looking.poll_s)
    except KeyboardInterrupt:
        follow.note("stopped; an unfinished run is gone on with at the next start")


def compare(
    options: RunOptions, lake: Lake, rows: int, thresholds: Thresholds | None = None, clock: Clock = time.time
) -> Drift:
    """Production against the newest `rows` of the lake, kept in the state store.

    Raises NotFound without a version in production, InputError for an empty lake, and as `drift` does.
    """
    bundle = options.opened().resolve(options.name, options.channel)
    version = lake.version()
    if version is None:
        raise InputError(f"the lake at {options.lake} is empty: there is nothing to compare")
    names = [feature.name for feature in bundle.manifest.feature_list]
    now = lake_rows(lake.newest(rows, version).to_arrow(), names, version)
    found = drift(bundle, options.name, now, stamp(clock()), thresholds)
    save(State(beside(options.lake)), found)
    return found


def compare_live(options: RunOptions, clock: Clock = time.time) -> Drift:
    """Production against the rows that servers answered with it, kept in the state store. Raises NotFound."""
    bundle = options.opened().resolve(options.name, options.channel)
    state = State(beside(options.lake))
    now = live_rows(read_live(state, options.name, bundle.manifest.version()))
    found = drift(bundle, options.name, now, stamp(clock()))
    save(state, found)
    return found


def _look(options: RunOptions, lake: Lake, looking: Looking, teller: _Once, follow: Watcher, clock: Clock) -> None:
    """Run if it is time to."""
    state, registry = State(beside(options.lake)), options.opened()
    try:
        production = registry.channel(options.name, options.channel).current.version
    except NotFound:
        production = ""
    last = latest(state, options.name, options.target, options.channel)
    version = lake.version()
    seen = Seen(version, 0 if version is None else lake.count(version), code_version(), production)
    reasons = due(clock(), last, seen, looking.triggers, newest(state, options.name))
    if not reasons:
        teller.tell(f"waiting for {awaited(clock(), last, seen, looking.triggers)}")
        return
    teller.tell(f"a run is due: {', '.join(reasons)}")
    try:
        ended = run(options, lake, reasons, follow, clock)
    except Conflict as exc:
        teller.tell(str(exc))
        return
    told = f"{ended.version} is {options.channel}" if ended.status == "promoted" else f"{ended.version} was refused"
    teller.tell(f"run {ended.run}: {told}")


def _compared(options: RunOptions, lake: Lake, looking: Looking, follow: Watcher, clock: Clock) -> None:
    """Drift, where there is a version in production and enough rows."""
    try:
        found = compare(options, lake, looking.drift_rows, clock=clock)
        follow.note(f"drift: {found.word}; {found.reasons[0]}")
    except (NotFound, InputError) as exc:
        follow.note(f"drift was not measured: {exc}")


class _Once:
    """Says a line when it differs from the last one."""

    def __init__(self, follow: Watcher) -> None:
        self._follow, self._last = follow, ""

    def tell(self, text: str) -> None:
        if text != self._last:
            self._last = text
            self._follow.note(text)
