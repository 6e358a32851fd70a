"""From a real server into a lake: each window once, however often reading stops and begins again."""

import signal
import subprocess
import sys
from itertools import islice

import numpy as np

from ascribe.train.ingest.run import ingest
from ascribe.train.lake.lake import Lake
from ascribe.train.sources.opening import Asked, open_source
from tests.journey import typed
from tests.train.sources.fleet import START_S
from tests.waiting import until

NODES, MINUTES = 4, 30


def address(base: str, minutes: int) -> str:
    return f"prometheus+{base}?preset=node_exporter&start={START_S}&end={START_S + 60 * minutes}"


def source(base: str, minutes: int):
    return open_source(Asked(address(base, minutes)), lambda version: False, print)


class Dropped:
    """A source whose reader dies after some batches, before the lake's answer reaches it."""

    def __init__(self, inner, batches):
        self._inner, self._batches = inner, batches

    def batches(self, held):
        return islice(self._inner.batches(held), self._batches)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_windows_come_into_the_lake_once_over_restarts(prometheus, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    first = ingest(Dropped(source(prometheus, MINUTES), 3), lake)
    assert first.rows == (1 + 2 + 4) * NODES
    second = ingest(source(prometheus, MINUTES), Lake(lake.uri))
    assert first.rows + second.rows == MINUTES * NODES == lake.count()
    assert ingest(source(prometheus, MINUTES), Lake(lake.uri)).rows == 0
    table = lake.snapshot()
    assert table.num_rows == MINUTES * NODES
    watts = table["power_w"].to_numpy(zero_copy_only=False)[np.array(table["node"].to_pylist()) == "n3"]
    assert np.isnan(watts).all()
    assert lake.position(source(prometheus, 1).options.stream) == (START_S + 60 * MINUTES) * 1000


def test_the_command_reads_a_server(prometheus, tmp_path):
    done = typed("ingest", "--source", address(prometheus, 5), "--lake", tmp_path / "lake")
    assert done.returncode == 0, done.stderr
    assert "20 rows, 0 in quarantine, 0 dead letters" in done.stderr


def test_a_reader_that_is_stopped_in_the_midst_ends_softly_and_the_next_goes_on(prometheus, tmp_path):
    """Without an end the backlog reaches from then to now."""
    place = tmp_path / "lake"
    endless = f"prometheus+{prometheus}?preset=node_exporter&start={START_S}"
    command = [sys.executable, "-m", "ascribe", "ingest", "--lake", str(place), "--source", endless]
    reader = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(place.glob("_delta_log/*.json"))) >= 3)
    reader.send_signal(signal.SIGTERM)
    _, said = reader.communicate(timeout=60)
    assert reader.returncode == 0, said
    lake = Lake(str(place))
    assert lake.position(source(prometheus, 1).options.stream) > START_S * 1000
    done = typed("ingest", "--lake", place, "--source", address(prometheus, 60))
    assert done.returncode == 0, done.stderr
    assert lake.count() == lake.snapshot().num_rows == 60 * NODES
