"""Several processes count as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ascribe.serve.app import running
from ascribe.serve.observe.board import Board
from ascribe.serve.observe.metrics import Metrics
from ascribe.serve.observe.snapshots import Snapshot, decoded, encoded, merged, page, taken
from ascribe.serve.settings import Settings
from tests.waiting import until

from .. import tiny
from .reading import read, total

BODY = {"feature_vector": {"values": tiny.ROW}}
WORKER = """
import sys
from pathlib import Path
from ascribe.serve.observe.board import Board
from ascribe.serve.observe.metrics import Metrics
meter = Metrics()
board = Board(meter.snapshot, Path(sys.argv[1]), every_s=0.05)
board.start()
for line in sys.stdin:
    meter.batch(int(line), 0.0, 0.0)
    meter.queued(int(line))
    print("done", flush=True)
"""


def counted(values: list[int]) -> Snapshot:
    """Of a process that saw these."""
    registry = CollectorRegistry()
    counter = Counter("c", "c", ["sign"], registry=registry)
    histogram = Histogram("h_seconds", "h", registry=registry, buckets=(1, 2, 4))
    gauge = Gauge("g", "g", registry=registry)
    info = Gauge("attribution_model_info", "i", ["model"], registry=registry)
    for value in values:
        counter.labels("odd" if value % 2 else "even").inc(value)
        histogram.observe(value)
        gauge.inc(value)
        info.labels("m").set(1)
    return taken(registry)


def numbers(snapshot: Snapshot) -> dict:
    return {(s.name, s.labels): s.value for family in snapshot.values() for s in family.samples}


SEEN = st.lists(st.integers(0, 6), max_size=8)


@given(st.lists(SEEN, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_processes_together_count_what_one_would_have_counted(parts, rng):
    """merged(parts) = of all at once; in any order; in any grouping; as they travel."""
    snapshots = [decoded(encoded(counted(part))) for part in parts]
    whole = numbers(counted([value for part in parts for value in part]))
    assert numbers(merged(snapshots)) == whole
    rng.shuffle(snapshots)
    cut = rng.randrange(len(snapshots) + 1)
    assert numbers(merged([merged(snapshots[:cut]), merged(snapshots[cut:])])) == whole
    assert read(page(merged(snapshots)).decode()) == {(n, frozenset(has)): v for (n, has), v in whole.items()}


def test_nothing_merged_is_nothing():
    assert merged([]) == {}
    assert numbers(merged([counted([1, 2]), {}])) == numbers(counted([1, 2]))


def worker(folder: Path, rows: int) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    say(process, rows)
    return process


def say(process: subprocess.Popen, rows: int) -> None:
    assert process.stdin and process.stdout
    process.stdin.write(f"{rows}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def written(board: Board, name: str, value: float) -> None:
    """A process writes every so often."""
    until(lambda: total(board.page().decode(), name) == value, f"{name} is not {value}")


def test_each_process_shows_all_and_counters_outlive_a_killed_one(tmp_path):
    meter = Metrics()
    board = Board(meter.snapshot, tmp_path)
    meter.batch(1, 0, 0)
    meter.queued(1)
    first, second = worker(tmp_path, 10), worker(tmp_path, 100)
    try:
        written(board, "attribution_batch_rows_sum", 111)
        written(board, "attribution_queue_rows", 111)
        other = Board(Metrics().snapshot, tmp_path)
        assert total(other.page().decode(), "attribution_batch_rows_sum") >= 110
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        for looking in (board, other, board):
            text = looking.page().decode()
            assert total(text, "attribution_batch_rows_count") >= 2  # never fewer than were seen
            assert total(text, "attribution_queue_rows") in (100, 101)  # nothing waits in a dead process
        assert total(board.page().decode(), "attribution_batch_rows_sum") == 111
        third = worker(tmp_path, 1000)
        written(board, "attribution_batch_rows_sum", 1111)
        third.kill()
        third.wait()
        other.stop()
        assert total(board.page().decode(), "attribution_batch_rows_sum") == 1111
        assert len(list(tmp_path.glob("*.json"))) == 3  # past, this one, the second: files do not grow
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
    board.stop()


def test_a_fold_that_was_cut_short_counts_nobody_twice(tmp_path):
    process = worker(tmp_path, 10)
    board = Board(Metrics().snapshot, tmp_path)
    written(board, "attribution_batch_rows_sum", 10)
    process.kill()
    process.wait()
    (left,) = [path for path in tmp_path.glob("*.json") if path.stem.startswith(f"{process.pid}-")]
    raw = left.read_bytes()
    assert total(board.page().decode(), "attribution_batch_rows_sum") == 10
    left.write_bytes(raw)  # as if stopped between the two writes
    for _ in range(2):
        assert total(board.page().decode(), "attribution_batch_rows_sum") == 10
    board.stop()


def test_two_servers_of_one_folder_are_one_view(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    settings = Settings(metrics_dir=tmp_path / "counts")
    write = lambda _: None  # noqa: E731
    with running(registry, tiny.NAME, settings, write=write) as one, running(registry, tiny.NAME, settings, write=write) as two:  # noqa: E501  # fmt: skip
        for at in (one, two, two):
            assert httpx.post(at.http + "/v1/predictions", json=BODY).status_code == 200

        def seen(at: object) -> float:
            return total(httpx.get(at.http + "/metrics").text, "attribution_requests_total", code="ok")  # type: ignore[attr-defined]

        for at in (one, two):
            until(lambda at=at: seen(at) == 3)
        info = read(httpx.get(one.http + "/metrics").text)
        assert [v for (name, _), v in info.items() if name == "attribution_model_info"] == [1.0]


@pytest.mark.parametrize("damaged", [b"", b'{"of": [', b'{"of": ["\xff"], "counts": {}}'])
@pytest.mark.parametrize("name", ["past", "somebody"])
def test_a_file_that_is_damaged_hides_nothing_else(tmp_path, name, damaged):
    """As a machine leaves them that lost power."""
    (tmp_path / f"{name}.json").write_bytes(damaged)
    board = Board(lambda: counted([3]), tmp_path)
    board.start()
    try:
        assert numbers(board.view()) == numbers(counted([3]))
    finally:
        board.stop()
