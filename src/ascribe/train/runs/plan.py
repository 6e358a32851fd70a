"""What a run is asked to do, and its stages.

snapshot   labelled rows of one version of the lake
train      both power families, EmSHAP, the one-pass explainer; exported and compiled: a bundle
measure    its tiers timed on this machine
publish    one archive in the registry, under its version
judge      the gate, against what the channel points at
promote    the channel moves, by compare-and-swap against the version that was judged
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ascribe.bundle.archive import open_directory
from ascribe.bundle.gate.verdict import judge
from ascribe.bundle.latency import timed
from ascribe.bundle.records import Event, Judged
from ascribe.bundle.registry import Registry
from ascribe.bundle.verdicts import keep
from ascribe.core.errors import InputError, NotFound
from ascribe.train.runs.kept import kept_in
from ascribe.train.runs.snapshot import FILE, GROUP, TARGET, TIME, UNITS, take
from ascribe.train.runs.stages import PARTS, Done, Stage
from ascribe.train.watch import Watcher

if TYPE_CHECKING:
    from ascribe.train.lake.lake import Lake

__all__ = ["QUICK_SECONDS", "Training", "against", "release", "stages_of"]

QUICK_SECONDS = 2.0
FEW = 8  # features whose coalitions are all compiled: completions alone then differ little from seed to seed
VERDICT = "verdict.json"
SEEN = ("features", "days", "max_rows", "also")  # what decides which rows and columns are taken
FORCED = "forced, though the gate refused"


@dataclass(frozen=True)
class Training:
    """As `ascribe train` has them. `quick`: trees alone, `QUICK_SECONDS` for each fit, no one-pass explainer, and a
    surrogate only above `FEW` features: for a first look and for tests. `units`: a file in place of the lake's
    definitions. `days`: only the last days that have rows; `max_rows`: thinned evenly to so many.
    `also`: columns of the lake that the bundle predicts too, such as DRAM watts.
    """

    features: tuple[str, ...] | None = None
    units: Path | None = None
    holdout: float = 0.3
    family: str = "best"
    seed: int = 0
    max_seconds: float | None = None
    quick: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    days: int | None = None
    max_rows: int = 200_000
    also: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Plain values; of a file its content, since that is what decides."""
        held = asdict(self) | {"units": None}
        if self.units is not None:
            try:
                held["units"] = self.units.read_text()
            except OSError as exc:
                raise InputError(f"units file {self.units} cannot be read ({exc.strerror})") from exc
        return held


def stages_of(
    lake: Lake, registry: Registry, target: str, name: str, channel: str, version: int, training: Training,
    force: bool, now: Callable[[], str], code: str, watch: Watcher, sign_key: Path | None = None,
) -> tuple[Stage, ...]:  # fmt: skip
    """In their order. `version` of the lake; `target`: the registry as records know it; `now`: ISO 8601 UTC;
    `sign_key`: of `Registry.publish`.
    """
    given = training.plain()
    seen = {"lake": lake.identity, "version": version, **{name: given[name] for name in SEEN}}

    def snapshot(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        taken = take(lake, version, training.features, folder, training.days, training.max_rows, training.also)
        left = taken.total - taken.labelled
        watch.note(f"lake version {version}: {taken.labelled} rows with {TARGET}, {left} without are left out")
        if taken.absent:
            watch.note(f"left out, never measured: {', '.join(taken.absent)}")
        return asdict(taken)

    def train(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        return _train(folder, done["snapshot"], version, training, watch, code)

    return (
        Stage("snapshot", snapshot, (), seen),
        Stage("train", train, ("snapshot",), given),
        *release(registry, target, name, channel, force, now, sign_key),
    )


def release(
    registry: Registry, target: str, name: str, channel: str, force: bool, now: Callable[[], str],
    sign_key: Path | None = None,
) -> tuple[Stage, ...]:  # fmt: skip
    """From what `train` left to the channel: measure, publish, judge, promote; the same for every kind of model."""
    where = {"registry": target, "name": name}

    def measure(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        shutil.copytree(done["train"].folder / "bundle", folder / "bundle")
        return {"version": timed(folder / "bundle").manifest.version()}

    def publish(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        return {"version": registry.publish(name, open_directory(done["measure"].folder / "bundle"), sign_key)}

    def sees(done: Mapping[str, Done]) -> dict[str, Any]:
        event = against(registry, name, channel, done["publish"].result["version"])
        return {"against": event.version if event else None}

    def decide(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        version = done["publish"].result["version"]
        event = against(registry, name, channel, version)
        held = registry.fetch(name, event.version, event.sha256) if event else None
        verdict = judge(registry.fetch(name, version), held)  # the very archive that would be served
        compared = event.version if event else ""
        told = Judged(version, compared, channel, now(), verdict.accepted, False, verdict.reasons, verdict.numbers)
        keep(registry.store, name, told)
        (folder / VERDICT).write_bytes(msgspec.json.encode(told))
        return {"accepted": verdict.accepted, "reasons": verdict.reasons, "against": compared}

    def promote(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        version, verdict = done["publish"].result["version"], done["judge"].result
        if (current := _current(registry, name, channel)) and current.version == version:
            return {"version": version, "at": current.at}  # moved, and killed before it could say so
        at, reasons = now(), list(verdict["reasons"])
        if not verdict["accepted"]:
            told = msgspec.json.decode((done["judge"].folder / VERDICT).read_bytes(), type=Judged)
            keep(registry.store, name, msgspec.structs.replace(told, at=at, forced=True))
            reasons = [FORCED, *reasons]
        registry.promote(name, version, at, channel, reasons, verdict["against"] or None)
        return {"version": version, "at": at}

    return (
        Stage("measure", measure, ("train",)),
        Stage("publish", publish, ("measure",), where),
        Stage("judge", decide, ("publish",), {"channel": channel}, sees),
        Stage("promote", promote, ("judge", "publish"), {"channel": channel, "force": force}),
    )


def _train(folder: Path, snapshot: Done, version: int, training: Training, watch: Watcher, code: str) -> dict[str, Any]:
    """The parts that take long are kept beside the folder, which a kill leaves to be emptied."""
    from ascribe.train.pipeline import TrainOptions, train  # torch: where there is nothing to train it is not loaded
    from ascribe.train.targets import train_targets

    quick, taken = training.quick, snapshot.result
    options = TrainOptions(
        snapshot.folder / FILE,
        TARGET,
        folder / "bundle",
        tuple(taken["features"]),
        TIME,
        (GROUP,),
        training.units or snapshot.folder / UNITS,
        training.holdout,
        "power_xgboost" if quick and training.family == "best" else training.family,
        training.seed,
        training.max_seconds or (QUICK_SECONDS if quick else None),
        surrogate=not quick or len(taken["features"]) > FEW,
        amortized=not quick,
        labels=training.labels,
        source={"lake_version": version, "features_version": taken["features_version"]},
    )
    if training.also:
        report = train_targets(options, (TARGET, *training.also), watch)
    else:
        report = train(options, watch, kept_in(folder.with_name(f"{folder.name}{PARTS}"), code, watch))
    return {"version": report.version, "family": report.family}


def against(registry: Registry, name: str, channel: str, version: str) -> Event | None:
    """What a version is judged against: where the channel points; if it points at the version itself, where it pointed
    before, so that a run killed right after promotion finds its verdict again.
    """
    try:
        history = registry.channel(name, channel).history
    except NotFound:
        return None
    return next((event for event in reversed(history) if event.version != version), None)


def _current(registry: Registry, name: str, channel: str) -> Event | None:
    try:
        return registry.channel(name, channel).current
    except NotFound:
        return None
