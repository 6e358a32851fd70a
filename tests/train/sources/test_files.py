"""Tables as sources: times of any width, rows that lack their id or node."""

from __future__ import annotations

import polars as pl
import pytest

from ascribe.train.ingest.run import ingest
from ascribe.train.lake.lake import Lake
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import Columns, FileSource

WHEN_S = 1_780_000_000


def table(place, **columns):
    """Three rows, all good; `columns` in place of theirs."""
    rows = {"id": ["a", "b", "c"], "node": ["n"] * 3, "timestamp": pl.Series([WHEN_S + i for i in range(3)])}
    pl.DataFrame(rows | {"power_w": [90.0] * 3, "cpu": [1.0, 2.0, 3.0]} | columns).write_parquet(place)
    return FileSource(place, Decoder(), Columns(time_unit="s"))


@pytest.mark.parametrize("kind", [pl.Int32, pl.UInt32, pl.Int64, pl.UInt64, pl.Float64])
def test_epoch_seconds_of_any_width_are_the_same_moments(tmp_path, kind):
    source = table(tmp_path / "t.parquet", timestamp=pl.Series([WHEN_S + i for i in range(3)], dtype=kind))
    (batch,) = source.batches(lambda _: None)
    assert batch.vectors[0].timestamp.tolist() == [(WHEN_S + i) * 1_000_000 for i in range(3)]


@pytest.mark.parametrize("lacking", ["id", "node"])
@pytest.mark.parametrize("empty", [None, ""])
def test_rows_that_lack_their_id_or_node_are_refused_with_that_reason(tmp_path, lacking, empty):
    lake = Lake(str(tmp_path / "lake"))
    found = ingest(table(tmp_path / "t.parquet", **{lacking: ["x", empty, empty]}), lake)
    assert (found.rows, found.reasons) == (1, {f"{lacking} is empty": 2})
    assert lake.snapshot()[lacking].to_pylist() == ["x"]
