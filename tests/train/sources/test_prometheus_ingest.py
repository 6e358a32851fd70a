"""From a real server into a lake: each window once, however often reading stops and begins again."""

import subprocess
import sys
from itertools import islice

import numpy as np

from ascribe.train.ingest import ingest
from ascribe.train.lake.lake import Lake
from ascribe.train.sources.opening import Asked, open_source
from tests.train.sources.fleet import START_S

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
    command = [
        sys.executable, "-m", "ascribe", "ingest", "--source", address(prometheus, 5), "--lake", str(tmp_path / "lake"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "20 rows, 0 in quarantine, 0 dead letters" in done.stderr
