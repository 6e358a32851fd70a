"""A position of a stream is taken once, whoever appends it and however often."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascribe.core.errors import InputError, LakeError
from ascribe.train.lake.rows import ROW_SCHEMA
from ascribe.train.lake.table import Table
from ascribe.train.vectors import Places


def table(place: Path) -> Table:
    return Table(str(place), ROW_SCHEMA, ["node", "day"])


def rows(first: int, end: int, stream: str = "s", **more: float) -> tuple[pa.Table, Places]:
    count = end - first
    columns = {
        "id": [f"{stream}-{i}" for i in range(first, end)], "node": [f"n{i % 2}" for i in range(first, end)],
        "timestamp": pa.array(np.arange(first, end), pa.timestamp("us", "UTC")),
        "power_w": pa.array([90.0] * count, pa.float64()), "day": ["2026-11-01"] * count,
    }  # fmt: skip
    columns |= {name: pa.array([value] * count, pa.float64()) for name, value in more.items()}
    return pa.table(columns), Places((stream,), np.zeros(count, int), np.arange(first, end))


def ids(t: Table) -> list[str]:
    return sorted(t.read(columns=["id"])["id"].to_pylist())


def test_what_is_there_is_left_out(tmp_path):
    t = table(tmp_path / "t")
    assert t.version is None
    assert t.position("s") is None
    assert t.append(*rows(0, 10), {"s": 10}) == 10
    assert t.append(*rows(0, 10), {"s": 10}) == 0
    assert t.append(*rows(5, 15), {"s": 15}) == 5
    assert table(tmp_path / "t").position("s") == 15
    assert len(ids(t)) == len(set(ids(t))) == 15


def test_positions_move_without_rows(tmp_path):
    t = table(tmp_path / "t")
    none, places = rows(0, 0)
    assert t.append(none, places, {"s": 7}) == 0
    assert t.position("s") == 7


def test_two_writers_of_the_same_positions(tmp_path):
    """Each looked before the other wrote: the second sees it and leaves out what is there."""
    one, two = table(tmp_path / "t"), table(tmp_path / "t")
    one.append(*rows(0, 4), {"s": 4})
    two.position("s")
    assert one.append(*rows(4, 8), {"s": 8}) == 4
    assert two.append(*rows(4, 10), {"s": 10}) == 2
    assert len(set(ids(one))) == len(ids(one)) == 10


def test_many_writers_at_once_lose_and_double_nothing(tmp_path):
    table(tmp_path / "t").append(*rows(0, 0), {"s": 0})

    def work(k: int) -> None:
        t = table(tmp_path / "t")
        for first in range(0, 60, 6):
            t.append(*rows(first, first + 6), {"s": first + 6})
            t.append(*rows(first, first + 6, f"own{k}"), {f"own{k}": first + 6})

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ids(table(tmp_path / "t"))
    assert len(found) == len(set(found)) == 60 * 5


def test_new_columns_are_null_in_old_rows(tmp_path):
    t = table(tmp_path / "t")
    t.append(*rows(0, 2, a=1.0), {"s": 2})
    t.append(*rows(2, 4, b=2.0), {"s": 4})
    found = t.read().sort_by("id")
    assert found["a"].to_pylist() == [1, 1, None, None]
    assert found["b"].to_pylist() == [None, None, 2, 2]


def test_older_versions_stay_readable(tmp_path):
    t = table(tmp_path / "t")
    t.append(*rows(0, 2), {"s": 2})
    before = t.version
    t.append(*rows(2, 4), {"s": 4})
    assert t.read(before).num_rows == 2
    with pytest.raises(InputError, match="has versions 0 to"):
        t.read(99)


def test_no_table_and_no_room_say_what_to_do(tmp_path):
    with pytest.raises(LakeError, match="`ascribe ingest --lake"):
        table(tmp_path / "nothing").read()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LakeError, match="is the place right"):
        table(tmp_path / "file" / "t").append(*rows(0, 2), {"s": 2})


def test_columns_that_differ_only_in_case_are_told_apart_from_a_bad_place(tmp_path):
    t = table(tmp_path / "t")
    assert t.columns == ()
    t.append(*rows(0, 2, cpu=1.0), {"s": 2})
    with pytest.raises(LakeError, match=r"takes no such rows \(.*'CPU'\): rename the column"):
        t.append(*rows(2, 4, CPU=1.0), {"s": 4})
    assert t.append(*rows(2, 4, cpu=1.0), {"s": 4}) == 2
    assert set(t.columns) == {*ROW_SCHEMA.names, "cpu"}


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), max_size=8))
def test_appends_in_any_order_keep_each_position_once(tmp_path_factory, parts):
    """A reader goes on from the table's position; what it read before that is left out."""
    t = table(tmp_path_factory.mktemp("t") / "t")
    for first, count in parts:
        held = t.position("s") or 0
        start = min(first, held)
        t.append(*rows(start, start + count), {"s": start + count})
    if parts:
        assert ids(t) == sorted(f"s-{i}" for i in range(t.position("s") or 0))


def test_any_reader_finds_rows_by_the_value_of_a_feature(tmp_path):
    """Columns without statistics must not look as if they were null."""
    t = table(tmp_path / "t")
    t.append(*rows(0, 4, a=1.0), {"s": 4})
    t.append(*rows(4, 8, a=2.0, b=3.0), {"s": 8})
    held = t.opened()
    assert held.to_pyarrow_table(filters=[("a", ">", 1.5)]).num_rows == 4
    assert held.to_pyarrow_table(filters=[("b", "==", 3.0)]).num_rows == 4
    assert held.to_pyarrow_table(filters=[("power_w", "==", 90.0)]).num_rows == 8
    assert held.to_pyarrow_table(filters=[("id", "==", "s-3")]).num_rows == 1
