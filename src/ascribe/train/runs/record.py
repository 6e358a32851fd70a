"""The record of a run: what it was for, which stages it did, how it ended. JSON in the state store, a blob a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from ascribe.bundle.state import State
from ascribe.core.errors import RegistryError
from ascribe.train.runs.stages import Done

__all__ = ["ENDED", "LOOKED_AT", "RUNS", "Run", "StageRecord", "identity", "latest", "moment", "runs", "save", "stamp"]

RUNS = "runs"
ENDED = ("promoted", "refused")  # the gate has spoken
LOOKED_AT = 100  # newest records, for those of a channel or registry


@dataclass(frozen=True)
class StageRecord:
    """`fresh`: done by this run, not found done; `seconds` of the time it was done."""

    key: str
    folder: str
    seconds: float
    fresh: bool
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """`status`: running, stopped (asked to), failed, promoted or refused. `registry`: as `RunOptions.target` has it.
    `plan`: hash of lake, its version, code and settings; the same plan makes the same bundle. `count`: rows of the lake
    then; `rows`: those with a label. `against`: the version that the gate compared with. `planned`: the stages in
    order, done or not. Times are ISO 8601 UTC.
    """

    run: str
    name: str
    lake: str
    registry: str
    channel: str
    plan: str
    code: str
    lake_version: int
    why: tuple[str, ...]
    status: str
    started: str
    ended: str = ""
    features_version: str = ""
    count: int = 0
    rows: int = 0
    version: str = ""
    against: str = ""
    reasons: tuple[str, ...] = ()
    error: str = ""
    planned: tuple[str, ...] = ()
    stages: dict[str, StageRecord] = field(default_factory=dict)

    def with_stage(self, done: Done) -> Run:
        held = StageRecord(done.key, done.folder.name, done.seconds, done.fresh, dict(done.result))
        return replace(self, stages={**self.stages, done.stage: held})


def save(state: State, run: Run) -> None:
    """Write or replace a run's record. Raises RegistryError."""
    state.put(run, RUNS, run.name, run.run)


def runs(state: State, name: str, most: int | None = None) -> list[Run]:
    """The newest `most` records of a model's runs, the newest first; one that cannot be read is left out."""
    found: list[Run] = []
    for run in reversed(state.names(RUNS, name)):
        if len(found) == most:
            break
        try:
            found.append(_read(state.get(RUNS, name, run)))
        except (RegistryError, msgspec.ValidationError):
            continue
    return found


def latest(state: State, name: str, registry: str, channel: str) -> Run | None:
    """The newest run of a model for a channel of a registry, however it ended."""
    recent = runs(state, name, LOOKED_AT)
    return next((run for run in recent if (run.registry, run.channel) == (registry, channel)), None)


def stamp(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 UTC.

    >>> stamp(1_800_000_000)
    '2027-01-15T08:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def identity(seconds: float, plan: str) -> str:
    """A run's name: to the millisecond, so that names sort as runs began, and the first digits of its plan.

    >>> identity(1_800_000_000.25, "c087a56a4153")
    '20270115T080000250Z-c087a56a'
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z-{plan[:8]}"


def moment(text: str) -> float:
    """The seconds since 1970 of a stamp; 0 for none.

    >>> moment(stamp(1_800_000_000.9))
    1800000000.0
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


def _read(raw: Mapping[str, Any]) -> Run:
    return msgspec.convert(raw, Run)
