"""`ascribe pipeline`, as an operator calls it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.core.durations import span
from ascribe.core.errors import InputError
from ascribe.train.lake.lake import Lake
from ascribe.train.runs.plan import Training
from ascribe.train.runs.record import Run, save
from ascribe.train.runs.run import RunOptions, _begun
from tests.bundle.made import CREATED, made
from tests.journey import typed

from .telemetry import pour, telemetry

NAME = "power"


@pytest.fixture
def place(tmp_path):
    """A lake, and a bundle of its law in production."""
    registry = Registry(str(tmp_path / "registry"))
    version = registry.publish(NAME, made(tmp_path / "bundle", amortized=True, surrogate=True))
    registry.promote(NAME, version, CREATED)
    pour(str(tmp_path / "lake"), telemetry(600, seed=10))
    return tmp_path


def words(verb: str, place, *rest: object) -> list[object]:
    return ["pipeline", verb, "--lake", place / "lake", "--registry", place / "registry", "--name", NAME, *rest]


def call(verb: str, place, *rest: object) -> subprocess.CompletedProcess:
    return typed(*words(verb, place, *rest))


def test_drift_writes_a_page_and_prints_its_word(place):
    done = call("drift", place, "-o", place / "report.html")
    assert (done.returncode, done.stdout) == (0, "steady\n"), done.stderr
    assert "steady: lake version 0, 600 newest rows" in done.stderr
    assert (place / "report.html").read_text().startswith("<!doctype html>")


def test_status_tells_runs_and_drift(place):
    assert call("drift", place).returncode == 0
    run = Run("20261126T000000Z-aaaa", NAME, "", "", "production", "p", "c", 0, ("10000 new rows",), "failed",
              "2026-11-26T00:00:00Z", error="the disk is full", rows=600)  # fmt: skip
    save(State(beside(str(place / "lake"))), run)
    done = call("status", place)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "nobody runs"
    assert lines[1] == "20261126T000000Z-aaaa  failed"
    assert lines[2].strip() == "lake version 0, 600 labelled rows (10000 new rows)"
    assert lines[3].strip() == "the disk is full"
    assert lines[4].startswith("drift 20")


def test_watch_says_what_it_waits_for_and_ends_softly_on_sigterm(place):
    command = [sys.executable, "-m", "ascribe", *map(str, words("watch", place, "--no-drift", "--poll", "1s"))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting for 9400 more rows for a first run\n"
    process.send_signal(signal.SIGTERM)
    assert process.stderr.read().rstrip().endswith("stopped; an unfinished run is gone on with at the next start")
    assert process.wait() == 0


def test_a_refused_run_has_exit_code_3_and_says_why(place):
    """The record of a run of this plan, refused against what is in production, is taken as it is."""
    at, registry = str(place / "lake"), str(place / "registry")
    options = RunOptions(at, registry, NAME, training=Training(quick=True))
    begun = _begun(options, Lake(at), None, ("manual",), lambda: 1.8e9)
    current = Registry(registry).channel(NAME).current.version
    save(State(beside(at)), replace(begun, status="refused", against=current, reasons=("it is worse",)))
    done = call("run", place, "--quick")
    assert done.returncode == 3, done.stderr
    assert "gate: it is worse\n" in done.stderr
    assert "refused: production of power stays as it is\n" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("verb", "rest", "told"),
    [
        ("run", ("--family", "cubic"), "unknown family 'cubic'"),
        ("run", ("--wait", "soon"), "'soon' is no length of time: write 90s, 30min, 6h or 1d"),
        ("drift", ("-o", "report.pdf"), "report.pdf: the report is a page, name it .html"),
        ("drift", ("--live",), "no live rows of power"),
    ],
)
def test_what_cannot_be_done_is_one_line(place, verb, rest, told):
    done = call(verb, place, *rest)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ascribe: ")
    assert told in last


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90s", 90), ("30min", 1800), ("6h", 21600), ("1.5 d", 129600)]
)
def test_lengths_of_time(text, seconds):
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "1 fortnight", "1e3"])
def test_what_is_no_length_of_time(text):
    with pytest.raises(InputError, match="is no length of time"):
        span(text)
