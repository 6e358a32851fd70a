"""A bounded part of a lake: the newest days, every k-th row, ids of the newest files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ascribe.core.errors import InputError, LakeError
from ascribe.train.lake.lake import Lake
from ascribe.train.lake.rows import rows_of
from ascribe.train.lake.upkeep import compact
from ascribe.train.vectors import Places, Vectors

DAY_US = 86_400_000_000
NODES = ("rack 1/a", "50%", "n")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Five days of 40 rows, an append a day; names of nodes that a path cannot have."""
    held = Lake(str(tmp_path_factory.mktemp("lake") / "lake"))
    for day in range(5):
        held.append(rows_of(vectors(day), np.ones(40, bool)), None, None, {"s": 40 * (day + 1)})
    return held


def vectors(day: int) -> Vectors:
    at = np.arange(40) + 40 * day
    return Vectors(
        [f"r{i}" for i in at], [NODES[i % 3] for i in at], 20_000 * DAY_US + day * DAY_US + np.arange(40) * 1_000_000,
        np.full(40, 90.0), ("x", "y"), np.column_stack([at, -at]).astype(float), Places(("s",), np.zeros(40, int), at),
    )  # fmt: skip


def numbers(table: pa.Table) -> list[int]:
    return sorted(int(name[1:]) for name in table["id"].to_pylist())


def test_all_of_it(lake: Lake):
    found = lake.snapshot()
    assert numbers(found) == list(range(200))
    assert found["node"].to_pylist() == sorted(found["node"].to_pylist())
    assert lake.count() == 200


def test_the_last_days(lake: Lake):
    assert numbers(lake.snapshot(days=2)) == list(range(120, 200))


@pytest.mark.parametrize("most", [1, 7, 50, 100, 199, 200, 500])
def test_thinned_evenly_to_so_many(lake: Lake, most: int):
    found = numbers(lake.snapshot(most=most))
    k = -(-200 // most)
    assert len(found) == -(-200 // k) <= max(most, 1)
    assert found == numbers(lake.snapshot(most=most))
    days = np.bincount(np.array(found) // 40, minlength=5)
    assert days.max() - days.min() <= 4 or most < 20


def test_the_newest_rows_by_time(lake: Lake):
    assert [int(name[1:]) for name in lake.newest(45)["id"]] == list(range(155, 200))


def test_ids_of_the_newest_files(lake: Lake):
    found = {int(name[1:]) for name in lake.recent_ids(40)}
    assert found <= set(range(160, 200))
    assert len(found) == 40
    assert len(lake.recent_ids(1000)) == 200


def test_nothing_in_nothing(tmp_path: Path):
    assert Lake(str(tmp_path / "none")).recent_ids(10) == []


def test_a_lake_is_known_by_a_name_of_its_own_wherever_it_lies(lake: Lake, tmp_path: Path):
    moved, other = tmp_path / "moved", Lake(str(tmp_path / "other"))
    shutil.copytree(lake.uri, moved)
    other.append(rows_of(vectors(0), np.ones(40, bool)), None, None, {"s": 40})
    before = other.identity
    shutil.rmtree(other.uri)
    with pytest.raises(LakeError, match="no table"):
        Lake(other.uri).identity  # noqa: B018
    again = Lake(other.uri)
    again.append(rows_of(vectors(0), np.ones(40, bool)), None, None, {"s": 40})
    assert len({Lake(str(moved)).identity, lake.identity, before, again.identity}) == 3
    assert Lake(str(moved)).identity == lake.identity


def test_fewer_columns_in_older_files(lake: Lake, tmp_path: Path):
    held = Lake(str(tmp_path / "lake"))
    v = vectors(0)
    held.append(rows_of(v, np.ones(40, bool)), None, None, {"s": 40})
    wider = Vectors(
        [f"r{i}" for i in range(40, 80)], v.node, v.timestamp, v.power_w, ("x", "z"), v.X,
        Places(("s",), np.zeros(40, int), np.arange(40, 80)),
    )  # fmt: skip
    held.append(rows_of(wider, np.ones(40, bool)), None, None, {"s": 80})
    found = held.snapshot()
    assert found.column_names == ["id", "node", "timestamp", "power_w", "x", "y", "z"]
    assert found["z"].null_count == found["y"].null_count == 40


def test_files_that_are_gone_or_damaged_are_told_in_words(tmp_path: Path):
    """The log of an old version outlives its files; docs/pipeline.md says what is told then."""
    held = Lake(str(tmp_path / "lake"))
    for k in range(3):
        v, at = vectors(0), np.arange(40) + 40 * k
        part = Vectors([f"r{i}" for i in at], v.node, v.timestamp, v.power_w, v.names, v.X,
                       Places(("s",), np.zeros(40, int), at))  # fmt: skip
        held.append(rows_of(part, np.ones(40, bool)), None, None, {"s": 40 * (k + 1)})
    before = held.version()
    for hours in (float("nan"), float("inf"), -1.0):
        with pytest.raises(InputError, match="a number of hours"):
            compact(held, hours)
    compact(held, 0)
    assert len(held.snapshot()) == 120
    for read in (held.snapshot, lambda version: held.newest(5, version)):
        with pytest.raises(LakeError, match=f"version {before} of .* is gone"):
            read(before)
    for path in (tmp_path / "lake").glob("node=*/**/*.parquet"):
        path.write_bytes(b"torn")
    for read in (held.snapshot, lambda: held.newest(5), lambda: held.recent_ids(5)):
        with pytest.raises(LakeError, match="cannot be read"):
            read()
