"""One run at a time: who holds the lease, until when, and how it passes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import msgspec
import pytest

from ascribe.bundle.store import Store, open_store
from ascribe.core.errors import Conflict
from ascribe.train.runs import lock, process
from ascribe.train.runs.lock import Lease, held, holder
from ascribe.train.runs.process import gone, this_process
from tests.waiting import until

PATH = "power/locks/pipeline.json"
HOLD = """
import sys, time
from ascribe.bundle.store import open_store
from ascribe.train.runs.lock import held
with held(open_store(sys.argv[1]), "power", time.time, "a test"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path) -> Store:
    return open_store(str(tmp_path / "registry"))


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_second_run_is_refused_and_told_who_runs_and_until_when(store):
    clock = Clock()
    with held(store, "power", clock, "10000 new rows", seconds=120):
        with pytest.raises(Conflict) as told, held(store, "power", clock):
            pass
        found = holder(store, "power", clock)
    assert f"process {os.getpid()} on " in str(told.value)
    assert "until 2027-01-15T08:02:00Z (10000 new rows)" in str(told.value)
    assert "\n" not in str(told.value)
    assert found is not None
    assert found.purpose == "10000 new rows"


def test_it_is_free_after_it_was_given_back(store):
    clock = Clock()
    for _ in range(2):
        with held(store, "power", clock):
            pass
        assert holder(store, "power", clock) is None


def test_other_models_do_not_wait(store):
    clock = Clock()
    with held(store, "power", clock), held(store, "memory", clock):
        assert holder(store, "memory", clock) is not None


@pytest.mark.parametrize("kind", ["directory", "s3"])
def test_of_many_at_once_exactly_one_wins(tmp_path, request, kind):
    place = str(tmp_path / "registry") if kind == "directory" else request.getfixturevalue("s3").uri
    clock, begin, end, won = Clock(), threading.Barrier(8), threading.Event(), []

    def contend() -> None:
        begin.wait()
        try:
            with held(open_store(place), "power", clock):
                won.append(1)
                end.wait()
        except Conflict:
            won.append(0)

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(won) < 8:
        time.sleep(0.01)
    end.set()
    for thread in threads:
        thread.join()
    assert sorted(won) == [0] * 7 + [1]
    assert holder(open_store(place), "power", clock) is None


def test_one_that_waits_gets_it_when_the_other_ends(store):
    entered = threading.Event()

    def short() -> None:
        with held(store, "power", time.time):
            entered.set()
            time.sleep(0.3)

    thread = threading.Thread(target=short)
    thread.start()
    entered.wait()
    with held(store, "power", time.time, wait=30):
        thread.join()
        found = holder(store, "power", time.time)
        assert found is not None


def test_it_is_taken_over_once_it_has_run_out_and_the_loser_learns_of_it(store):
    clock = Clock()
    with held(store, "power", clock, seconds=100) as mine:
        mine.check()
        clock.now += 101
        with held(store, "power", clock, "another", seconds=100):
            with pytest.raises(Conflict, match="was lost"):
                mine.check()
            found = holder(store, "power", clock)
    assert found is not None
    assert found.purpose == "another"


def test_the_loser_leaves_the_winners_lease_alone(store):
    clock = Clock()
    with held(store, "power", clock, seconds=100):
        clock.now += 101
        winner = held(store, "power", clock, "another", seconds=100)
        winner.__enter__()
    found = holder(store, "power", clock)
    assert found is not None
    assert found.purpose == "another"
    winner.__exit__(None, None, None)


def test_it_is_renewed_while_it_is_held(store, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lock, "RENEWALS", 5000)  # one every 20 ms
    with held(store, "power", clock, seconds=100) as mine:
        for _ in range(2):  # the first lease alone would have run out by then
            clock.now += 90
            until(lambda: msgspec.json.decode(store.read(PATH), type=Lease).until == clock.now + 100)
        mine.check()


def test_the_lease_of_a_killed_process_is_taken_at_once(store, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "registry")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(Conflict, match=f"process {child.pid} on .* \\(a test\\)"), held(store, "power", time.time):
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with held(store, "power", time.time, "next"):
        found = holder(store, "power", time.time)
    assert found is not None
    assert found.process.pid == os.getpid()


def test_a_process_is_called_gone_only_where_that_can_be_known(monkeypatch):
    me = this_process()
    dead = replace(me, began=me.began + 1)  # the number is used again by another
    assert not gone(me)
    assert gone(dead)
    assert not gone(replace(dead, place="another boot"))
    monkeypatch.setattr(process, "_place", lambda: "")
    assert not gone(replace(dead, place=""))


@pytest.mark.parametrize("raw", [b"{torn", b'{"token": "\xff"}'])
def test_a_lease_that_cannot_be_read_is_nobodys(store, raw):
    store.create(PATH, raw)
    assert holder(store, "power", time.time) is None
    with held(store, "power", time.time):
        assert holder(store, "power", time.time) is not None
