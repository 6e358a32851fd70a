"""Whatever names and nodes come, the rows that fit are kept, and the others say why."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from ascribe.train.ingest.run import ingest
from ascribe.train.ingest.spelling import Spelling
from ascribe.train.lake.lake import Lake
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import FileSource
from ascribe.train.vectors import Places, Vectors

COUNTER = r"\Processor(_Total)\% Processor Time"


def taken(place, lake, *features, node="n", first=0):
    """A file of rows with these features, from number `first` on, into the lake."""
    rows = [
        {"id": f"r{first + i}", "node": node, "timestamp": 1_780_000_000_000, "features": f}
        for i, f in enumerate(features)
    ]
    place.write_text("\n".join(map(json.dumps, rows)))
    return ingest(FileSource(place, Decoder()), lake)


def test_rows_whose_names_differ_only_in_case_stop_nobody(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    found = taken(tmp_path / "a.jsonl", lake, {"cpu": 1, "mem": 2}, {"CPU": 1}, {"cpu": 1}, {"cpu": 1, "Cpu": 2})
    assert (found.rows, found.quarantined, found.dead) == (2, 1, 1)
    (refused,) = lake.quarantine.read().to_pylist()
    assert refused["reason"] == "a feature differs only in case from a column of the lake (CPU, cpu)"
    assert json.loads(refused["payload"])["features"]["CPU"] == 1
    later = taken(tmp_path / "b.jsonl", lake, {"mem": 3}, {"MEM": 1, "new": 2}, {"new": 4}, first=10)
    assert (later.rows, later.quarantined) == (2, 1)
    held = pl.from_arrow(lake.snapshot())
    assert held.columns == ["id", "node", "timestamp", "power_w", "cpu", "mem", "new"]
    assert held["id"].to_list() == ["r0", "r10", "r12", "r2"]


def test_windows_counters_come_into_the_lake_and_out_of_it(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    for first in (0, 1):
        assert taken(tmp_path / f"{first}.jsonl", lake, {COUNTER: 7.0 + first, 'a"b': 1}, first=first).rows == 1
    assert lake.snapshot()[COUNTER].to_pylist() == [7, 8]


def test_a_node_of_three_hundred_letters_is_refused_and_reading_goes_on(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    found = taken(tmp_path / "a.jsonl", lake, {"cpu": 1}, node="n" * 300)
    assert (found.rows, found.reasons) == (0, {"node has too long a name": 1})
    assert taken(tmp_path / "b.jsonl", lake, {"cpu": 1}, node="n" * 240, first=1).rows == 1


def test_a_row_without_a_number_under_the_other_name_is_kept():
    X = np.array([[1.0, np.nan, 2.0], [1.0, 3.0, 2.0]])
    v = Vectors(
        ["a", "b"], ["n", "n"], np.zeros(2, np.int64), np.zeros(2), ("cpu", "Mem", "ipc"), X,
        Places(("s",), np.zeros(2, int), np.arange(2)),
    )  # fmt: skip
    reasons = ["", ""]
    fit, good = Spelling(lambda: ("cpu", "mem")).fitting(v, np.ones(2, bool), reasons)
    assert (fit.names, fit.X.tolist(), good.tolist()) == (("cpu", "ipc"), [[1, 2], [1, 2]], [True, False])
    assert [bool(reason) for reason in reasons] == [False, True]
