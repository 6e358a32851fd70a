"""One run from the lake to the channel, alone under its lease, resumed where an earlier one was killed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ascribe.bundle.registry import Registry
from ascribe.bundle.selftest import checked
from ascribe.bundle.state import State, beside
from ascribe.bundle.store import folder_of
from ascribe.core.errors import Conflict, LakeError, NotFound
from ascribe.train.runs.code import code_version
from ascribe.train.runs.forecast import ForecastTraining, forecast_stages
from ascribe.train.runs.lock import Held, held
from ascribe.train.runs.plan import Training, stages_of
from ascribe.train.runs.record import ENDED, LOOKED_AT, Run, identity, latest, runs, save, stamp
from ascribe.train.runs.settings import work_folder
from ascribe.train.runs.stages import DIGITS, Done, Stage, digest_of, perform, prune
from ascribe.train.watch import Watcher

if TYPE_CHECKING:
    from ascribe.train.lake.lake import Lake

__all__ = ["RunOptions", "run"]

JUDGED_AGAIN = 3  # times, where the channel moves while the gate is judging
KEPT_RUNS = 3  # whose stages stay on disk

Clock = Callable[[], float]
"""Seconds since 1970 UTC."""


@dataclass(frozen=True)
class RunOptions:
    """`lake`, `registry`: URIs. `work`: folder of all stages (None: beside the lake, or the platform's cache). `force`:
    promote against the gate's verdict, which is recorded. `wait`: seconds to wait for another run. `sign_key`,
    `verify_key`: files of the registry's signatures.
    """

    lake: str
    registry: str
    name: str
    channel: str = "production"
    training: Training | ForecastTraining = field(default_factory=Training)
    work: Path | None = None
    force: bool = False
    wait: float = 0.0
    sign_key: Path | None = None
    verify_key: Path | None = None

    @property
    def target(self) -> str:
        """The registry as records know it. A folder is told as it is found from the lake's: so both may be named from
        anywhere, and moved together, and what was done is found again.
        """
        lake, registry = folder_of(self.lake), folder_of(self.registry)
        return self.registry if lake is None or registry is None else os.path.relpath(registry, lake)

    @property
    def place(self) -> Path:
        """Folder of this run's stages: channels of a registry share it, under the registry's lease; other registries
        have others, since no lease keeps their runs apart from these.
        """
        return (self.work or work_folder(self.lake)) / self.name / digest_of(self.target)[:DIGITS]

    def opened(self) -> Registry:
        return Registry(self.registry, self.verify_key)


Stages = Callable[[Sequence[Stage]], Sequence[Stage]]


def run(
    options: RunOptions,
    lake: Lake,
    why: Sequence[str] = ("manual",),
    watch: Watcher | None = None,
    clock: Clock = time.time,
    change: Stages = tuple,
) -> Run:
    """Take the newest version of the lake to the channel, and return the record: promoted or refused. An unfinished
    run of the same code and settings is gone on with, at its version of the lake; the same plan as the last run's,
    already judged against the same version, is nothing to do. `change` may wrap stages, to follow them from outside.

    Raises Conflict where another run has the lease, LakeError for an empty lake, RegistryError for a registry that
    cannot keep writers apart, and what the stages raise; the record then says failed, or stopped after an interruption.
    """
    watch = watch or Watcher()
    registry, state = options.opened(), State(beside(options.lake))
    registry.versions(options.name)  # a wrong name is found here
    checked(options.registry)  # not after an hour of training
    with held(registry.store, options.name, clock, ", ".join(why), wait=options.wait) as lease:
        before = latest(state, options.name, options.target, options.channel)
        record = _begun(options, lake, before, why, clock)
        if before is not None and before.plan == record.plan and _settled(before, registry, options):
            watch.note(f"nothing to do: run {before.run} has {before.status} {before.version} of the same rows")
            return before
        if before is not None and before.run == record.run:
            watch.note(f"going on with run {record.run}, which was {before.status}")
        stages = tuple(change(_stages(options, lake, registry, record, lambda: stamp(clock()), watch)))
        record = _followed(record, stages, options.place, state, lease, options.force, watch, clock)
        _tidied(state, options)
        return record


def _begun(options: RunOptions, lake: Lake, before: Run | None, why: Sequence[str], clock: Clock) -> Run:
    """The record to go on with: of an unfinished run, or a new one."""
    settings = options.training.plain() | {"registry": options.target, "channel": options.channel}
    settings |= {"force": options.force}

    def plan_of(version: int) -> str:
        return digest_of([code_version(), lake.identity, version, settings])

    if before is not None and before.plan == plan_of(before.lake_version) and _unfinished(before):
        return replace(before, status="running", error="", ended="", why=tuple(why))
    version = lake.version()
    if version is None:
        raise LakeError(f"the lake at {options.lake} is empty: `ascribe ingest ... --lake {options.lake}` first")
    plan, defined, now = plan_of(version), lake.features(), clock()
    return Run(
        run=identity(now, plan),
        name=options.name, lake=options.lake, registry=options.target, channel=options.channel, plan=plan,
        code=code_version(), lake_version=version, why=tuple(why), status="running", started=stamp(now),
        count=lake.count(version), features_version=defined.version if defined is not None else "",
    )  # fmt: skip


def _stages(
    options: RunOptions, lake: Lake, registry: Registry, record: Run, now: Callable[[], str], watch: Watcher
) -> tuple[Stage, ...]:
    """By what is to be trained."""
    to = (registry, options.target, options.name, options.channel)
    version, force, key = record.lake_version, options.force, options.sign_key
    if isinstance(options.training, ForecastTraining):
        return forecast_stages(options.training, lake, version, *to, force, now, watch, key)
    return stages_of(lake, *to, version, options.training, force, now, record.code, watch, key)


def _unfinished(before: Run) -> bool:
    """Killed or stopped; or failed after training, whose work is not thrown away (before it, newer rows may help)."""
    return before.status in ("running", "stopped") or (before.status == "failed" and "train" in before.stages)


def _settled(before: Run, registry: Registry, options: RunOptions) -> bool:
    """Whether the gate would say the same again: it accepted, or it refused against what is there now."""
    if before.status not in ENDED:
        return False
    if before.status == "promoted":
        return True
    try:
        return registry.channel(options.name, options.channel).current.version == before.against
    except NotFound:
        return not before.against


def _followed(
    record: Run, stages: Sequence[Stage], place: Path, state: State, lease: Held, force: bool, watch: Watcher,
    clock: Clock,
) -> Run:  # fmt: skip
    """All stages, the record written after each."""
    record = replace(record, stages={}, planned=tuple(stage.name for stage in stages))
    save(state, record)
    done: dict[str, Done] = {}
    try:
        for tried in range(JUDGED_AGAIN):
            try:
                for stage in stages:
                    if stage.name == "promote" and not (force or done["judge"].result["accepted"]):
                        break
                    lease.check()
                    done[stage.name] = perform(stage, done, place, record.code)
                    watch.note(_told(done[stage.name]))
                    record = _learnt(record.with_stage(done[stage.name]), done)
                    save(state, record)
                break
            except Conflict:
                if tried + 1 == JUDGED_AGAIN or "judge" not in done or "promote" in done:
                    raise
                lease.check()
                watch.note("the channel moved while the gate was judging: judging again")
    except BaseException as exc:  # an interruption too is recorded
        status = "failed" if isinstance(exc, Exception) else "stopped"
        save(state, replace(record, status=status, error=str(exc) or type(exc).__name__, ended=stamp(clock())))
        raise
    status = "promoted" if "promote" in done else "refused"
    record = replace(record, status=status, ended=stamp(clock()))
    save(state, record)
    return record


def _learnt(record: Run, done: Mapping[str, Done]) -> Run:
    """What the stages found, where a reader looks for it."""
    changes: dict[str, object] = {}
    if "snapshot" in done:
        changes["rows"] = done["snapshot"].result["labelled"]
    if "publish" in done:
        changes["version"] = done["publish"].result["version"]
    if "judge" in done:
        verdict = done["judge"].result
        changes |= {"reasons": tuple(verdict["reasons"]), "against": verdict["against"] or ""}
    return replace(record, **changes)  # type: ignore[arg-type]


def _told(done: Done) -> str:
    return f"{done.stage}: {'done' if done.fresh else 'was done before'}, {done.seconds:.1f} s"


def _tidied(state: State, options: RunOptions) -> None:
    """Keep the stages of the registry's newest runs, and all that an unfinished one of any channel would go on with."""
    held = [run for run in runs(state, options.name, LOOKED_AT) if run.registry == options.target]
    newest = {run.channel: run for run in reversed(held)}
    unfinished = [run for run in newest.values() if run.status not in ENDED]
    kept = [stage.folder for run in (*held[:KEPT_RUNS], *unfinished) for stage in run.stages.values()]
    prune(options.place, [options.place / folder for folder in kept], bool(unfinished))
