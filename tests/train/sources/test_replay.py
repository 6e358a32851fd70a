"""A file played again: pace, times of now, nodes of their own; through the real ingest into the state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ascribe.bundle.recent import Follow
from ascribe.core.errors import InputError
from ascribe.train.lake.lake import Lake
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import FileSource
from ascribe.train.sources.replay import Replay, ReplaySource, read_replay
from tests.waiting import until

NOW = 1_800_000_000.0
OLD = [0, 2, 4, 4, 300, 302, 303]  # seconds; a gap, a time that comes twice
CLOSED = [0, 2, 4, 6, 8, 10, 11]  # gaps longer than 10 s, and none, are as long as the usual one


class Clock:
    def __init__(self) -> None:
        self.at, self.slept = NOW, 0.0

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        assert 0 <= seconds <= 0.2
        self.at += seconds + 1e-3
        self.slept += seconds


@pytest.fixture
def rows(tmp_path):
    place = tmp_path / "rows.parquet"
    frame = {
        "node": ["a"] * 7 + ["b"] * 2, "timestamp": [1_700_000_000_000 + 1000 * s for s in [*OLD, 0, 1]],
        "power_w": [float(i) for i in range(9)], "cpu": [10.0 * i for i in range(9)],
    }  # fmt: skip
    pl.DataFrame(frame).write_parquet(place)
    return place


def played(place: Path, until: int = 10**9, **words: object) -> tuple[list[tuple[str, float, float]], Clock]:
    """Node, seconds since the start, watts, in the order in which they come."""
    clock, found = Clock(), []
    source = ReplaySource(FileSource(place, Decoder()), Replay(place, **words), clock, clock.sleep)
    position = 0
    for batch in source.batches(lambda _: None):
        for v in batch.vectors:
            assert (v.timestamp <= clock.at * 1e6 + 1).all()  # nothing comes before its time
            assert np.array_equal(v.X[:, 0], 10 * v.power_w)
            found += [(n, t / 1e6 - NOW, w) for n, t, w in zip(v.node, v.timestamp.tolist(), v.power_w, strict=True)]
            assert v.id == [f"{n}@{t}" for n, t in zip(v.node, v.timestamp.tolist(), strict=True)]
        if batch.ends:
            (end,) = batch.ends.values()
            places = sorted(p for v in batch.vectors for p in v.places.position.tolist())
            assert places == list(range(position, end))
            position = end
        if len(found) >= until:
            break
    assert words.get("again") or source.idle()
    return found, clock


def test_rows_keep_their_pace_and_gaps_are_closed(rows):
    found, clock = played(rows)
    assert [t for n, t, _ in found if n == "replay/a"] == pytest.approx(CLOSED, abs=1e-5)
    assert [w for n, _, w in found if n == "replay/a"] == list(range(7))
    assert [t for n, t, _ in found if n == "replay/b"] == pytest.approx([0, 1], abs=1e-5)
    assert 11 <= clock.at - NOW < 12


def test_as_fast_as_is_said(rows):
    found, _ = played(rows, speed=4.0)
    assert [t for n, t, _ in found if n == "replay/a"] == pytest.approx([s / 4 for s in CLOSED], abs=1e-5)


def test_what_lies_behind_comes_at_once(rows):
    found, clock = played(rows, behind_s=100.0)
    assert clock.slept == 0
    assert min(t for _, t, _ in found) == pytest.approx(-100)


def test_over_and_over_with_times_that_go_on(rows):
    found, _ = played(rows, until=60, again=True)
    a = [(t, w) for n, t, w in found if n == "replay/a"]
    times = [t for t, _ in a]
    assert (np.diff(times) > 0.9).all()
    assert [w for _, w in a] == [i % 7 for i in range(len(a))]
    lap = times[7] - times[0]
    assert lap == pytest.approx(CLOSED[-1] + 2.0, abs=1e-5)


def test_a_file_in_parts_as_several_nodes(rows):
    found, _ = played(rows, nodes=3)
    assert {n: [w for m, _, w in found if m == n] for n in ("replay/1", "replay/2", "replay/3")} == {
        "replay/1": [0, 1, 2], "replay/2": [3, 4, 5], "replay/3": [6, 7, 8],
    }  # fmt: skip
    many, _ = played(rows, nodes=50)
    assert len({n for n, _, _ in many}) == 9


def test_addresses(tmp_path):
    assert read_replay("replay:a%20b.parquet?speed=2&nodes=4&behind_s=1.5&again=1") == Replay(
        Path("a b.parquet"), 2.0, 4, 1.5, True
    )


@pytest.mark.parametrize(
    "address",
    ["replay:a?pace=1", "replay:a?speed=x", "replay:a?speed=0", "replay:a?speed=nan", "replay:a?nodes=-1",
     "replay:a?behind_s=inf"],
)  # fmt: skip
def test_addresses_that_cannot_be_used(address):
    with pytest.raises(InputError, match="replay:a"):
        read_replay(address)


def test_a_file_without_rows(tmp_path):
    place = tmp_path / "none.jsonl"
    place.write_text("")
    with pytest.raises(InputError, match="no rows"):
        ReplaySource(FileSource(place, Decoder()), Replay(place))


def test_through_the_real_ingest_beside_another_lake(rows, tmp_path):
    """The rows lie in their own lake; what a server looks at lies with the other one, and moves."""
    lake, own = str(tmp_path / "lake"), str(tmp_path / "played")
    command = [sys.executable, "-m", "ascribe", "ingest", "--source", f"replay:{rows}?behind_s=5&again=1&speed=4"]
    process = subprocess.Popen([*command, "--lake", own, "--state", lake], stderr=subprocess.PIPE, env=os.environ)
    try:
        state = Lake(lake).state
        follow, seen = Follow(state, lambda: time.time_ns() // 1000), []

        def moments() -> int:
            seen.extend(follow.new())
            return len({t for piece in seen for t in piece.t_us})

        until(lambda: moments() >= 30, every=0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0, said
    assert {node for piece in seen for node in piece.node} == {"replay/a", "replay/b"}
    seen += follow.new()
    left = sorted((n, t) for piece in seen for n, t in zip(piece.node, piece.t_us, strict=True))
    held = pl.from_arrow(Lake(own).snapshot())
    assert left == sorted(zip(held["node"], held["timestamp"].dt.epoch("us"), strict=True))  # each row once, in both
    assert Lake(lake).version() is None
    assert state.names("nodes") == ["replay/a", "replay/b"]
    assert json.dumps(state.get("ingest", "ascribe")["rows"]) == str(len(held))
