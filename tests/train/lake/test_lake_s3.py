"""The same lake on S3-compatible storage: same code, same promises."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from ascribe.train.lake.lake import Lake
from ascribe.train.lake.rows import ROW_SCHEMA
from ascribe.train.lake.table import Table
from tests.journey import typed

from .test_table import ids, rows

WHEN = 1_790_000_000_000


def line(i: int) -> str:
    features = {"cpu": i % 100, "ipc": 1.5}
    return json.dumps(
        {"id": f"r{i}", "node": f"n{i % 3}", "timestamp": WHEN + i * 1000, "features": features, "power_w": 90.0 + i}
    )


def ingest(source: Path, lake: str, code: int = 0) -> str:
    done = typed("ingest", "--source", source, "--lake", lake)
    assert done.returncode == code, done.stderr
    return done.stderr


def test_a_lake_in_a_bucket(s3, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join([*(line(i) for i in range(60)), "poison"]))
    lake = f"{s3.uri}/lake"
    assert "60 rows" in ingest(source, lake)
    assert "0 rows" in ingest(source, lake)
    held = Lake(lake)
    assert sorted(held.snapshot()["id"].to_pylist()) == sorted(f"r{i}" for i in range(60))
    assert held.dead.read()["payload"].to_pylist() == [b"poison"]
    assert held.state.get("nodes", "n1")["id"] == "r58"
    assert set(held.recent_ids(1000)) == {f"r{i}" for i in range(60)}


def test_writers_of_a_bucket_lose_and_double_nothing(s3):
    place = f"{s3.uri}/table"

    def table() -> Table:
        return Table(place, ROW_SCHEMA, ["node", "day"])

    table().append(*rows(0, 0), {"s": 0})

    def work(k: int) -> None:
        t = table()
        for first in range(0, 24, 6):
            t.append(*rows(first, first + 6), {"s": first + 6})
            t.append(*rows(first, first + 6, f"own{k}"), {f"own{k}": first + 6})

    threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ids(table())
    assert len(found) == len(set(found)) == 24 * 4


def test_a_store_that_ignores_conditional_writes_is_refused(careless_s3, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text(line(1))
    said = ingest(source, f"{careless_s3.uri}/lake", 2)
    assert "several writers" in said
    assert said.count("\n") == 1
