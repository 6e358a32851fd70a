"""The loop: it says what it waits for, runs when it should, and outlives what fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.core.errors import LakeError
from ascribe.train.runs import watching
from ascribe.train.runs.code import code_version
from ascribe.train.runs.record import Run, latest, save, stamp
from ascribe.train.runs.run import RunOptions
from ascribe.train.runs.triggers import Triggers
from ascribe.train.runs.watching import Looking, watch
from tests.bundle.made import CREATED, made

from ..notes import Notes
from .telemetry import Lake, pour, telemetry

NAME = "power"
NOW = 1_800_000_000.0


def looked(options: RunOptions, lake: Lake, looking: Looking, *between) -> list[str]:
    """What is said while `between` are done in the pauses, and then an interruption comes."""
    notes, rest, clock = Notes(), list(between), [NOW]

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        if not rest:
            raise KeyboardInterrupt
        rest.pop(0)()

    watch(options, lake, looking, notes, lambda: clock[0], sleep)
    return notes.lines


@pytest.fixture
def options(tmp_path) -> RunOptions:
    return RunOptions(str(tmp_path / "lake"), str(tmp_path / "registry"), NAME, work=tmp_path / "work")


def record(options: RunOptions, **changes) -> Run:
    held = Run("r1", NAME, options.lake, options.target, "production", "p", code_version(), 0, ("manual",),
               "promoted", stamp(NOW - 7200), stamp(NOW - 7200), count=100)  # fmt: skip
    return replace(held, **changes)


QUIET = Looking(Triggers(500, drift=False), poll_s=60)


def test_it_says_once_what_it_waits_for_and_stops_when_interrupted(options):
    lake = Lake(options.lake)
    lines = looked(options, lake, QUIET, lambda: None, lambda: pour(options.lake, telemetry(200)))
    assert lines == [
        "waiting for the first rows of the lake",
        "waiting for 300 more rows for a first run",
        "stopped; an unfinished run is gone on with at the next start",
    ]


def test_a_run_that_fails_is_recorded_told_and_tried_again_after_a_while(options):
    """Of 700 rows, 60 have a label."""
    pour(options.lake, telemetry(700, unlabelled=640))
    lines = looked(options, Lake(options.lake), QUIET, *[lambda: None] * 10)
    due = [line for line in lines if line.startswith("a run is due")]
    assert due[0] == "a run is due: first run"
    assert due[1].endswith("failed: trying again")
    assert len(due) == 2  # in eleven minutes
    assert any(line.startswith("not now: version 0 of the lake has power_w in 60 of 700 rows") for line in lines)
    assert any("before trying again: version 0" in line for line in lines)
    assert latest(State(beside(options.lake)), NAME, options.target, "production").status == "failed"


def test_it_outlives_a_lake_that_cannot_be_reached(options):
    class Away(Lake):
        def version(self) -> int | None:
            if not State(beside(options.lake)).find("mended"):
                raise LakeError("the lake is away: look for it")
            return super().version()

    pour(options.lake, telemetry(200))
    lines = looked(options, Away(options.lake), QUIET, lambda: State(beside(options.lake)).put(True, "mended"))
    assert lines[:2] == ["not now: the lake is away: look for it", "waiting for 300 more rows for a first run"]


@pytest.fixture
def served(options, tmp_path) -> RunOptions:
    """A bundle in production that a run before has promoted, of lake version 0."""
    registry = Registry(options.registry)
    version = registry.publish(NAME, made(tmp_path / "bundle", amortized=True, surrogate=True))
    registry.promote(NAME, version, CREATED)
    pour(options.lake, telemetry(100))
    save(State(beside(options.lake)), record(options, version=version))
    return options


@pytest.mark.parametrize(("shift", "due"), [(0.0, False), (2.0, True)])
def test_drift_makes_a_run_due(served, monkeypatch, shift, due):
    asked = []

    def begin(options, lake, why, follow, clock):
        asked.append(why)
        return record(served, status="refused", lake_version=1, count=1100)

    monkeypatch.setattr(watching, "run", begin)
    lake = pour(served.lake, telemetry(1000, seed=10, start=1000, shift=shift))
    lines = looked(served, lake, Looking(Triggers(None), drift_rows=1000))
    assert lines[0].startswith("drift: drifted; inputs that carry" if due else "drift: steady")
    assert [len(why) for why in asked] == [1] * due
    assert all(why[0].startswith("drift: inputs that carry") for why in asked)


def test_drift_is_measured_only_now_and_then(served):
    lake = pour(served.lake, telemetry(1000, seed=10, start=1000))
    looking = Looking(Triggers(None), poll_s=60, drift_every_s=300, drift_rows=1000)
    lines = looked(served, lake, looking, *[lambda: None] * 10)  # eleven looks, a minute apart
    assert len([line for line in lines if line.startswith("drift: ")]) == 3


def test_without_enough_rows_drift_is_not_measured_and_that_is_said(served):
    lines = looked(served, Lake(served.lake), Looking(Triggers(None), drift_rows=40))
    assert lines[0].startswith("drift was not measured: 40 rows now")
