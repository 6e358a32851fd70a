"""The life of a model in its order: a run killed at every stage, a bad candidate refused, a better one promoted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ascribe.bundle.archive import Bundle
from ascribe.bundle.registry import Registry
from ascribe.bundle.runtime import load
from ascribe.bundle.state import State, beside
from ascribe.bundle.verdicts import verdicts
from ascribe.core.errors import Conflict, InputError, LakeError, RegistryError
from ascribe.train.runs.code import code_version
from ascribe.train.runs.lock import held
from ascribe.train.runs.record import Run, latest, runs
from ascribe.train.runs.run import RunOptions, run
from ascribe.train.runs.stages import PARTS, Done, Stage
from tests.journey import ROOT

from .telemetry import Lake, pour, telemetry
from .victim import NAME, QUICK, Victim, options

KILLED_AT = [
    ("snapshot", "after"), ("train", "during"), ("measure", "before"), ("publish", "after"), ("judge", "after"),
    ("promote", "before"), ("promote", "after"),
]  # fmt: skip
STAGES = ["snapshot", "train", "measure", "publish", "judge", "promote"]
NOISY = 8.0  # W: what the first model learns from, so that a better one can come


@dataclass(frozen=True)
class Life:
    place: Path
    lake: str
    registry: str
    log: Path

    @property
    def state(self) -> State:
        return State(beside(self.lake))

    def bundle(self, channel: str = "production") -> Bundle:
        return Registry(self.registry).resolve(NAME, channel)

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def process(self, *where: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.train.runs.victim", self.lake, self.registry, str(self.log), *where]
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"ASCRIBE_DEVICE": "cpu"})


def last(asked: RunOptions) -> Run:
    found = latest(State(beside(asked.lake)), NAME, asked.target, asked.channel)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Life:
    """Killed at each stage in turn, each time started again, in the end left alone; rows come in meanwhile."""
    place = tmp_path_factory.mktemp("life")
    life = Life(place, str(place / "lake"), str(place / "registry"), place / "log")
    life.log.touch()
    pour(life.lake, telemetry(600, noise=NOISY, unlabelled=40))
    for count, where in enumerate(KILLED_AT, 1):
        process = life.process(*where)
        while life.lines().count("here") < count:
            assert process.poll() is None, f"it ended before {where}"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if where[0] == "snapshot":
            pour(life.lake, telemetry(20, seed=5, start=2000))
    near = replace(life, lake=os.path.relpath(life.lake, ROOT), registry=os.path.relpath(life.registry, ROOT))
    assert near.process().wait() == 0  # the same folders, named from where it runs
    return life


def test_finished_stages_are_never_repeated(killed):
    """Each stage begins once, and once more for each time that it was killed in."""
    begun = [line.removeprefix("begin ") for line in killed.lines() if line.startswith("begin")]
    wanted = [name for name in STAGES for _ in range(1 + [stage for stage, _ in KILLED_AT].count(name))]
    assert begun == wanted


def test_inside_training_what_took_long_is_not_repeated_either(killed):
    """It was killed where the power model was fitted and EmSHAP was not."""
    assert [line for line in killed.lines() if line.startswith("fit")] == ["fit power_xgboost", *["fit EmSHAP"] * 2]
    place = options(killed.lake, killed.registry).place
    assert place.is_relative_to(killed.place / "lake_work" / NAME)
    assert len(list(place.glob("train-*"))) == 1  # its parts are not needed once it is done


def test_the_run_is_one_run_at_the_version_it_began_with(killed):
    (record,) = runs(killed.state, NAME)
    assert record.status == "promoted"
    assert record.lake_version == 0
    assert (record.count, record.rows) == (600, 560)
    assert list(record.stages) == STAGES
    assert [name for name, stage in record.stages.items() if stage.fresh] == ["promote"]
    assert record.code == code_version()
    assert record.why == ("a test",)


def test_it_moved_the_channel_once_though_it_was_killed_on_the_way(killed):
    (event,) = Registry(killed.registry).channel(NAME).history
    (record,) = runs(killed.state, NAME)
    assert event.action == "promote"
    assert event.version == record.version
    assert event.reasons == list(record.reasons)
    assert Registry(killed.registry).versions(NAME) == [record.version]


def test_the_bundle_says_which_version_of_the_lake_and_of_the_features_it_learnt(killed):
    manifest = killed.bundle().manifest
    assert manifest.lineage.source == {"lake_version": 0, "features_version": Lake(killed.lake).features().version}
    assert manifest.lineage.rows["file"] == 560
    assert [(f.name, f.unit, f.low, f.high) for f in manifest.feature_list] == [
        ("busy", "ratio", -2.0, 3.0), ("ghz", "Hz", 0.0, 10.0), ("misses", "count/s", -50.0, 100.0)
    ]  # fmt: skip
    assert (manifest.target.name, manifest.target.unit) == ("power_w", "W")
    assert manifest.machine  # its tiers were timed


@pytest.fixture(scope="module")
def refused(killed) -> tuple[Life, Run]:
    """A candidate whose watts belong to other rows."""
    lake = str(killed.place / "shuffled")
    pour(lake, telemetry(600, seed=1, shuffled=True))
    return killed, run(options(lake, killed.registry), Lake(lake))


def test_a_candidate_of_shuffled_targets_is_refused_with_reasons(refused):
    life, record = refused
    assert record.status == "refused"
    assert "promote" not in record.stages
    assert record.against == life.bundle().manifest.version() != record.version
    bad = [reason for reason in record.reasons if "no better" in reason or "is worse" in reason]
    assert any(reason.startswith("no better than always answering the mean") for reason in bad)
    assert any(reason.startswith("power error on production's held-out rows is worse") for reason in bad)


def test_a_refused_candidate_is_published_and_not_promoted(refused):
    life, record = refused
    registry = Registry(life.registry)
    assert record.version in registry.versions(NAME)
    assert [event.version for event in registry.channel(NAME).history] == [life.bundle().manifest.version()]


def test_what_was_refused_is_not_trained_again(refused):
    life, record = refused
    victim = Victim(life.place / "again")
    lake = str(life.place / "shuffled")
    assert run(options(lake, life.registry), Lake(lake), watch=victim, change=victim.change) == record
    assert not victim.log.exists()


def test_force_promotes_against_the_gate_into_another_channel_and_says_so(refused):
    life, record = refused
    lake = str(life.place / "shuffled")
    victim = Victim(life.place / "forced")
    forced = run(options(lake, life.registry, channel="trial", force=True), Lake(lake), change=victim.change)
    assert victim.log.read_text().split() == ["begin", "judge", "done", "judge", "begin", "promote", "done", "promote"]
    assert (forced.status, forced.version) == ("promoted", record.version)
    (event,) = Registry(life.registry).channel(NAME, "trial").history
    assert event.reasons[0] == "forced, though the gate refused"


def test_verdicts_are_kept_beside_the_version(refused):
    life, record = refused
    found = verdicts(Registry(life.registry).store, NAME, record.version)
    assert (found[0].accepted, found[0].forced, found[0].channel) == (False, False, "production")
    assert (found[0].against, tuple(found[0].reasons)) == (record.against, record.reasons)
    assert {judged.channel for judged in found if judged.forced} <= {"trial"}


@pytest.fixture(scope="module")
def better(refused) -> tuple[Life, Run]:
    """The same law with a tenth of the noise."""
    life, _ = refused
    lake = str(life.place / "clear")
    pour(lake, telemetry(600, seed=2, noise=NOISY / 10))
    return life, run(options(lake, life.registry), Lake(lake))


def test_a_better_candidate_is_promoted(better):
    life, record = better
    old, new = Registry(life.registry).channel(NAME).history
    assert record.status == "promoted"
    assert (record.against, record.version) == (old.version, new.version)
    X, y = np.array([[0.5, 4.0, 20.0]]), 40 + 0.5 * 30 + 4 * 8 + 20 * 2
    assert load(life.bundle()).predict(X)[0] == pytest.approx(y, abs=3)


def test_after_a_rollback_the_same_rows_do_not_bring_the_version_back(better):
    life, record = better
    lake = str(life.place / "clear")
    Registry(life.registry).rollback(NAME, "2026-11-26T00:00:00Z")
    again = run(options(lake, life.registry), Lake(lake))
    assert again == record
    assert life.bundle().manifest.version() == record.against


def test_a_second_run_at_once_is_refused_or_waits(refused):
    life, record = refused
    lake = str(life.place / "shuffled")
    asked = options(lake, life.registry)
    told = r"is run by process \d+ on .* until .* \(a long run\)"
    with held(Registry(life.registry).store, NAME, time.time, "a long run"), pytest.raises(Conflict, match=told):
        run(asked, Lake(lake))
    assert run(replace(asked, wait=5.0), Lake(lake)).version == record.version


def test_an_interrupted_run_is_recorded_as_stopped_and_gone_on_with(tmp_path):
    lake = pour(str(tmp_path / "lake"), telemetry(600))
    asked = options(lake.uri, str(tmp_path / "registry"))

    def interrupted(stages):
        def work(folder, done):
            raise KeyboardInterrupt

        return [replace(stage, work=work) if stage.name == "train" else stage for stage in stages]

    with pytest.raises(KeyboardInterrupt):
        run(asked, lake, change=interrupted)
    first = last(asked)
    assert (first.status, list(first.stages)) == ("stopped", ["snapshot"])
    pour(lake.uri, telemetry(20, seed=5, start=2000))
    with pytest.raises(KeyboardInterrupt):
        run(asked, lake, change=interrupted)
    second = last(asked)
    assert (second.run, second.lake_version) == (first.run, 0)
    assert not second.stages["snapshot"].fresh


def test_a_run_that_fails_before_training_takes_newer_rows_next_time(tmp_path):
    lake = pour(str(tmp_path / "lake"), telemetry(90))
    asked = options(lake.uri, str(tmp_path / "registry"))
    with pytest.raises(InputError, match="has power_w in 90 of 90 rows, 100 are the least"):
        run(asked, lake)
    failed = last(asked)
    assert failed.status == "failed"
    assert failed.error.startswith("version 0 of the lake has power_w in 90 of 90 rows")
    pour(lake.uri, telemetry(20, seed=5, start=2000))

    def only_snapshot(stages):
        def work(folder, done):
            raise InputError("enough")

        return [stage if stage.name == "snapshot" else replace(stage, work=work) for stage in stages]

    with pytest.raises(InputError, match="enough"):
        run(asked, lake, change=only_snapshot)
    assert last(asked).lake_version == 1


def short(work: Callable[[Path], None], seed: int) -> Callable[[Sequence[Stage]], Sequence[Stage]]:
    """In place of the stages: rows, a training that is this `work`, and a gate that refuses."""

    def train(folder: Path, done: Mapping[str, Done]) -> Mapping[str, Any]:
        work(folder)
        return {}

    refusal = {"accepted": False, "reasons": ["no"], "against": ""}
    return lambda stages: [
        Stage("snapshot", lambda folder, done: {"labelled": 600}, (), {"seed": seed}),
        Stage("train", train, ("snapshot",)),
        Stage("judge", lambda folder, done: refusal, ("train",)),
        Stage("promote", lambda folder, done: {}, ("judge",)),
    ]


def stopped(folder: Path) -> None:
    """Half way, a part kept beside the folder."""
    folder.with_name(f"{folder.name}{PARTS}").mkdir(exist_ok=True)
    (folder / "half.txt").touch()
    raise KeyboardInterrupt


def quiet(folder: Path) -> None:
    pass


def left(asked: RunOptions) -> set[str]:
    return {path.relative_to(asked.place).as_posix() for path in asked.place.glob("*")}


def test_a_run_leaves_what_was_stopped_on_another_channel_of_the_registry(tmp_path):
    lake = pour(str(tmp_path / "lake"), telemetry(600))
    asked = options(lake.uri, str(tmp_path / "registry"))
    with pytest.raises(KeyboardInterrupt):
        run(asked, lake, change=short(stopped, 0))
    before = left(asked)
    assert [name.partition("-")[0] for name in sorted(before)] == ["snapshot", "train", "train"]
    trial = replace(asked, channel="trial")
    for seed in range(1, 6):  # more than the runs whose stages are kept
        run(replace(trial, training=replace(QUICK, seed=seed)), lake, change=short(quiet, seed))
    assert before < left(asked)
    assert not run(asked, lake, change=short(quiet, 0)).stages["snapshot"].fresh
    assert not any(name.endswith(PARTS) for name in left(asked))


def test_a_run_to_another_registry_leaves_what_one_has_under_way(tmp_path):
    """Of the same rows even, whose stages have the same names: its lease is another."""
    lake = pour(str(tmp_path / "lake"), telemetry(600))
    asked = options(lake.uri, str(tmp_path / "registry"))
    staging = replace(asked, registry=str(tmp_path / "staging"))

    def meanwhile(folder: Path) -> None:
        (folder / "half.txt").touch()
        for seed in (0, 1, 2, 3):
            run(replace(staging, training=replace(QUICK, seed=seed)), lake, change=short(quiet, seed))
        assert (folder / "half.txt").exists()

    assert run(asked, lake, change=short(meanwhile, 0)).status == "refused"
    assert len([name for name in left(asked) if name.startswith("train-")]) == 1


def test_an_empty_lake_is_named(tmp_path):
    with pytest.raises(LakeError, match="is empty: `ascribe ingest"):
        run(options(str(tmp_path / "lake"), str(tmp_path / "registry")), Lake(str(tmp_path / "lake")))


def test_a_registry_that_cannot_keep_writers_apart_is_refused_before_anything_is_done(tmp_path, careless_s3):
    lake = pour(str(tmp_path / "lake"), telemetry(600))
    victim = Victim(tmp_path / "log")
    with pytest.raises(RegistryError, match="condition"):
        run(options(lake.uri, careless_s3.uri), lake, watch=victim, change=victim.change)
    assert not victim.log.exists()


def test_other_settings_are_another_plan(tmp_path):
    units = tmp_path / "units.toml"
    units.write_text('power_w = "W"')
    plans = [QUICK.plain(), replace(QUICK, seed=1).plain(), replace(QUICK, units=units).plain()]
    units.write_text('power_w = "W"\nbusy = "ratio"')
    plans.append(replace(QUICK, units=units).plain())
    assert len({str(plan) for plan in plans}) == len(plans)
    with pytest.raises(InputError, match="cannot be read"):
        replace(QUICK, units=tmp_path / "none.toml").plain()


def test_the_code_version_names_the_release_and_the_sources():
    release, plus, digits = code_version().partition("+")
    assert plus == "+"
    assert release
    assert len(digits) == 12


def test_one_bundle_of_several_targets(tmp_path):
    """Power, and a counter that is predicted from the others."""
    lake = pour(str(tmp_path / "lake"), telemetry(500))
    asked = RunOptions(lake.uri, str(tmp_path / "registry"), NAME, training=replace(QUICK, also=("misses",)))
    record = run(asked, lake)
    assert record.status == "promoted", record.reasons
    bundle = Registry(asked.registry).resolve(NAME)
    assert list(bundle.parts()) == ["misses"]
    assert [f.name for f in bundle.manifest.feature_list] == ["busy", "ghz"]
    assert any(reason.startswith("misses: ") for reason in record.reasons)
