"""Sizing obeys the laws that anybody would expect of it, and its page says what it computes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.record import RESULTS
from benchmarks.sizing import FLEETS, Costs, Fleet, caught_up_s, files_of, plan, simulated_files, taken, touched

GROWING = (
    "rows_per_s", "topic_bytes", "partitions", "readers", "lake_bytes_per_day", "lake_bytes", "blobs_per_s",
    "readers_remote", "train_cpu_s", "replicas",
)  # fmt: skip

nodes = st.integers(1, 200_000)
every = st.sampled_from([0.5, 1.0, 5.0, 15.0, 60.0])


@given(nodes, nodes, every)
def test_more_nodes_never_need_less(one, other, every_s):
    few, many = (asdict(plan(Fleet(n, every_s))) for n in sorted((one, other)))
    for name in GROWING:
        assert few[name] <= many[name], name


@given(nodes, every, every)
def test_vectors_that_come_more_often_never_need_less(n, one, other):
    slow, quick = (asdict(plan(Fleet(n, s))) for s in sorted((one, other), reverse=True))
    for name in GROWING:
        assert slow[name] <= quick[name], name


@given(nodes, every, st.floats(1e3, 1e6), st.floats(1e3, 1e6))
def test_faster_readers_are_never_more(n, every_s, one, other):
    slow, quick = (plan(Fleet(n, every_s), Costs(rows_per_s=r)).readers for r in sorted((one, other)))
    assert quick <= slow


@given(nodes, every)
def test_readers_take_what_they_must_and_one_fewer_would_not(n, every_s):
    fleet, costs = Fleet(n, every_s), Costs()
    made = plan(fleet)
    needed = costs.headroom * fleet.rows_per_s
    assert taken(fleet, costs, made.readers, made.shards) >= needed
    assert made.readers == 1 or taken(fleet, costs, made.readers - 1, made.shards) < needed
    assert made.partitions >= 2 * made.readers
    assert made.partitions * costs.partition_bytes_per_s >= fleet.rows_per_s * costs.message_bytes


@given(nodes, every)
def test_days_add_up(n, every_s):
    made, costs = plan(Fleet(n, every_s)), Costs()
    assert made.lake_bytes_per_day == pytest.approx(n / every_s * 86_400 * costs.row_bytes)
    assert made.lake_bytes == pytest.approx(made.lake_bytes_per_day * costs.lake_days)
    assert made.files_kept * (128 << 20) >= made.lake_bytes_per_day
    assert 0 < made.train_share <= 1


@given(nodes, every, st.integers(1, 8), st.sampled_from([1.0, 15.0, 60.0]))
def test_files_are_between_one_an_append_and_one_a_row_and_fewer_by_shard_than_by_node(n, every_s, readers, batch_s):
    fleet, costs = Fleet(n, every_s), Costs()
    by_node, by_shard = (files_of(fleet, costs, readers, shards, batch_s) for shards in (0, 16))
    rows = fleet.rows_per_s * 86_400
    assert by_shard <= by_node * (1 + 1e-9)
    assert by_node <= max(rows, 1) * (1 + 1e-9)
    assert by_shard > 0


def test_readers_that_take_no_more_than_comes_never_catch_up():
    assert caught_up_s(100.0, 100.0, 60.0) == np.inf
    assert caught_up_s(100.0, 50.0, 60.0) == np.inf


@pytest.mark.parametrize("outage_s", [60.0, 900.0])
def test_the_queue_of_an_outage_counted_second_by_second_is_empty_when_it_is_said(outage_s):
    rate, took = 1000.0, 3000.0
    waiting, seconds = rate * outage_s, 0
    while waiting > 0:
        waiting, seconds = max(waiting + rate - took, 0.0), seconds + 1
    assert seconds == pytest.approx(caught_up_s(rate, took, outage_s), abs=1)


@pytest.mark.parametrize(
    ("n", "readers", "shards", "batch_s"),
    [(40, 1, 0, 60.0), (1_000, 1, 16, 1.0), (1_000, 2, 0, 15.0), (10_000, 4, 64, 1.0), (20_000, 1, 512, 1.0)],
)
def test_files_of_an_append_are_those_of_a_drawn_fleet(n, readers, shards, batch_s):
    fleet = Fleet(n)
    drawn = simulated_files(fleet, readers, shards, batch_s, 25_000, 300.0)
    heard = n / readers
    rows = fleet.rows_per_s / readers * batch_s
    assert drawn == pytest.approx(touched(min(rows, 25_000), heard, shards), rel=0.08)


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 4))
def test_more_readers_are_never_slower_after_an_outage(one, more):
    fleet, costs = Fleet(100_000, 1.0), Costs(batch_rows=400_000)
    few, many = (caught_up_s(fleet.rows_per_s, taken(fleet, costs, c, 64), 3600) for c in (one, one + more))
    assert many <= few


def test_the_result_says_what_is_computed():
    plans = [plan(fleet) for fleet in FLEETS]
    kept = json.loads((RESULTS / "sizing.json").read_text())
    assert kept["plans"] == json.loads(json.dumps([asdict(p) for p in plans]))
    assert kept["costs"] == asdict(Costs())


def test_a_fleet_of_ones_own_is_printed():
    command = [sys.executable, "-m", "benchmarks.sizing", "--nodes", "3000", "--every", "10", "--features", "64"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = dict(line.split() for line in done.stdout.splitlines())
    made = plan(Fleet(3000, 10.0), replace(Costs(), row_bytes=180.0, message_bytes=2000.0))
    assert int(said["readers"]) == made.readers
    assert float(said["lake_bytes_per_day"]) == pytest.approx(made.lake_bytes_per_day, rel=1e-3)
