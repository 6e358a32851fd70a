"""From a source to the lake: each row once, bad ones kept with their reason, positions that survive."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer

from ascribe.bundle.state import State
from ascribe.train.ingest.bad_rows import BadRows
from ascribe.train.ingest.run import ingest as run_ingest
from ascribe.train.lake.lake import Lake
from ascribe.train.lake.rows import TIME
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import FileSource
from benchmarks.exactly_once import Trial, run
from tests.journey import typed
from tests.kafka_cluster import cluster
from tests.ports import held_port
from tests.waiting import until

DATA = Path(__file__).parents[3] / "examples"
WHEN = 1_790_000_000_000


def ingest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return typed("ingest", *arguments)


def line(i: int, **changes: object) -> str:
    body = {"id": f"r{i}", "node": f"n{i % 3}", "timestamp": WHEN + i * 1000, "features": {"cpu": i % 100, "ipc": 1.5}}
    return json.dumps(body | {"power_w": 90.0 + i} | changes)


@pytest.fixture
def lines(tmp_path):
    place = tmp_path / "rows.jsonl"
    bad = [line(100, features={"cpu": 250, "ipc": 1}), "no json", line(3)]
    place.write_text("\n".join([*(line(i) for i in range(50)), *bad]) + "\n")
    (tmp_path / "features.toml").write_text(
        'cpu = "percent"\nipc = "ratio"\n'.replace('"ratio"', "{ low = 0, high = 8 }")
    )
    return place


def test_a_file_of_lines_taken_twice(lines, tmp_path):
    lake = str(tmp_path / "lake")
    for count in (50, 0):
        done = ingest("--source", str(lines), "--lake", lake, "--features", str(tmp_path / "features.toml"))
        assert done.returncode == 0, done.stderr
        assert f"{count} rows" in done.stderr
    held = Lake(lake)
    found = pl.from_arrow(held.snapshot())
    assert found.columns == ["id", "node", "timestamp", "power_w", "cpu", "ipc"]
    assert set(found["id"]) == {f"r{i}" for i in range(50)}
    assert found["timestamp"].dt.epoch("ms").sort().to_list() == [WHEN + i * 1000 for i in range(50)]
    quarantine = held.quarantine.read().to_pylist()
    assert {row["reason"].split(" (")[0] for row in quarantine} == {
        "impossible percentage in cpu", "duplicate of an earlier row",
    }  # fmt: skip
    assert json.loads(quarantine[0]["payload"])["features"]
    (dead,) = held.dead.read().to_pylist()
    assert (dead["payload"], dead["position"]) == (b"no json", 51)


def test_a_refused_row_that_is_mended_and_sent_again_is_kept(tmp_path):
    place = tmp_path / "rows.jsonl"
    place.write_text("\n".join([line(0), line(1, power_w=-5), line(1, power_w=5), line(1, power_w=6)]))
    lake = Lake(str(tmp_path / "lake"))
    found = run_ingest(FileSource(place, Decoder()), lake)
    assert (found.rows, found.reasons) == (2, {"out of range in power_w": 1, "duplicate of an earlier row": 1})
    assert lake.snapshot()["power_w"].to_pylist() == [90, 5]


def test_real_telemetry_from_a_table(tmp_path):
    lake = str(tmp_path / "lake")
    done = ingest(
        "--source", str(DATA / "data" / "xeon_e5_2650.parquet"), "--lake", lake, "--features",
        str(DATA / "units_power.toml"), "--node", "source,workload", "--time-unit", "s", "--power", "powerWatts",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "15367 rows, 9 in quarantine" in done.stderr
    held = Lake(lake)
    assert held.count() == 15367
    assert held.rows.opened().metadata().partition_columns == ["node", "day"]
    known = held.features()
    assert known is not None
    assert len(known.features) == 33
    latest = held.state.get("nodes", "microbench/Network")
    assert latest["features"].keys() == set(known.names) - {"power_w"}
    assert "15367" in typed("lake", "show", lake).stdout


def test_upkeep_changes_no_row(lines, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    for first in range(0, 20, 5):
        place = tmp_path / f"part{first}.jsonl"
        place.write_text("\n".join(line(i, node="n") for i in range(first, first + 5)))
        assert ingest("--source", str(place), "--lake", lake.uri).returncode == 0
    before, version = lake.snapshot(), lake.version()
    done = typed("lake", "compact", lake.uri, "--keep-hours", "0")
    assert "4 files -> 1, 4 removed" in done.stderr
    assert lake.snapshot().equals(before)
    assert lake.version() > version
    again = ingest("--source", str(tmp_path / "part0.jsonl"), "--lake", lake.uri)
    assert "0 rows" in again.stderr


def test_shards_instead_of_nodes(lines, tmp_path):
    lake = str(tmp_path / "lake")
    assert ingest("--source", str(lines), "--lake", lake, "--shards", "2").returncode == 0
    assert Lake(lake).rows.opened().metadata().partition_columns == ["shard", "day"]
    assert Lake(lake).shards == 2
    assert Lake(lake).snapshot().column_names == ["id", "node", "timestamp", "power_w", "cpu", "ipc"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--source", "kafka://127.0.0.1:1"], "names no broker or no topic"),
        (["--source", "ftp://somewhere"], "is no source: use kafka://"),
        (["--source", "missing.jsonl"], "cannot be read"),
        (["--source", str(DATA / "data" / "xeon_e5_2650.parquet")], "has no column node"),
        (["--source", "missing.jsonl", "--dead-letter-topic", "d"], "needs a source kafka://"),
        (
            ["--source", str(DATA / "data" / "xeon_e5_2650.parquet"), "--metrics", "127.0.0.1:99999"],
            "PORT being 0 to 65535",
        ),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, text, tmp_path):
    done = ingest(*arguments, "--lake", str(tmp_path / "lake"))
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_kafka_poison_goes_to_table_and_topic(tmp_path):
    with cluster(1) as brokers:
        brokers.topic("raw_metrics", 2)
        brokers.topic("dead", 1)
        producer = Producer({"bootstrap.servers": brokers.bootstrap})
        for i in range(200):
            producer.produce("raw_metrics", line(i), partition=i % 2)
        producer.produce("raw_metrics", b"poison", partition=1)
        assert producer.flush(120) == 0
        lake = str(tmp_path / "lake")
        source = f"kafka://{brokers.bootstrap}/raw_metrics"
        done = ingest("--source", source, "--lake", lake, "--until-idle", "1", "--dead-letter-topic", "dead")
        assert done.returncode == 0, done.stderr
        again = ingest("--source", source, "--lake", lake, "--until-idle", "1", "--group", "another")
        assert "0 rows" in again.stderr
        held = Lake(lake)
        assert held.count() == 200
        (dead,) = held.dead.read().to_pylist()
        reader = Consumer({"bootstrap.servers": brokers.bootstrap, "group.id": "d", "auto.offset.reset": "earliest"})
        reader.subscribe(["dead"])
        (message,) = reader.consume(1, 120)
        assert message.value() == b"poison"
        assert dict(message.headers())["origin"].decode() == f"{dead['stream']}@{dead['position']}"
        reader.close()
        state = held.state.get("ingest", "ascribe")
        assert state["rows"] == 200
        assert set(state["lag"].values()) == {0}


def test_a_reader_stops_when_asked_and_tells_its_lag(tmp_path):
    with cluster(1) as brokers, held_port() as port:
        at = f"127.0.0.1:{port}"
        brokers.topic("raw_metrics", 2)
        producer = Producer({"bootstrap.servers": brokers.bootstrap})
        for i in range(100):
            producer.produce("raw_metrics", line(i), partition=i % 2)
        producer.flush(120)
        lake = Lake(str(tmp_path / "lake"))
        with subprocess.Popen(
            [sys.executable, "-m", "ascribe", "ingest", "--source", f"kafka://{brokers.bootstrap}/raw_metrics",
             "--lake", lake.uri, "--metrics", at], stderr=subprocess.PIPE, text=True,
        ) as reader:  # fmt: skip
            try:
                until(lambda: lake.version() is not None and lake.count() == 100)
                told = 'attribution_ingested_rows_total{group="ascribe"} 100.0'  # said after the commit
                until(lambda: told in _read(f"http://{at}/metrics"))
                text = _read(f"http://{at}/metrics")
                assert 'attribution_consumer_lag_records{group="ascribe",partition="0",topic="raw_metrics"} 0.0' in text
                reader.send_signal(signal.SIGTERM)
                assert reader.wait(120) == 0
            finally:
                reader.kill()
        assert lake.state.get("ingest", "ascribe")["rows"] == 100


def test_a_dead_cluster_is_told_in_one_line(tmp_path, monkeypatch, capfd):
    from ascribe.core.errors import SourceError
    from ascribe.train.sources import kafka

    monkeypatch.setattr(kafka, "CLUSTER_TRIES", 1)
    monkeypatch.setattr(kafka, "CLUSTER_S", 1.0)
    source = kafka.KafkaSource(kafka.KafkaOptions("127.0.0.1:1", "raw_metrics"), Decoder(), lambda _: None)
    with pytest.raises(SourceError, match=r"no broker at 127\.0\.0\.1:1 answers"):
        next(source.batches(lambda _: None))
    source.close()
    assert capfd.readouterr().err == ""  # the library itself is silent


def test_killed_readers_and_a_failing_cluster_keep_every_row_once(tmp_path):
    found = run(Trial(rows=8000, kills=3, seed=1, seconds=200), tmp_path, say=lambda _: None)
    assert found.kills == 3
    assert found.exact, found


def test_a_full_disk_loses_nothing(tmp_path):
    """A lake on a tiny file system: the reader ends with one line, and goes on once there is room."""
    place = tmp_path / "small"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], check=False).returncode
    ):
        pytest.skip("a small file system can only be mounted by root")
    try:
        source = tmp_path / "rows.jsonl"
        source.write_text(
            "\n".join(line(i, features={f"f{j}": (i * j) ** 0.5 for j in range(30)}) for i in range(4000))
        )
        done = ingest("--source", str(source), "--lake", str(place / "lake"))
        assert done.returncode == 2
        assert "not full?" in done.stderr.splitlines()[-1]
        subprocess.run(["mount", "-o", "remount,size=40m", str(place)], check=True)
        assert ingest("--source", str(source), "--lake", str(place / "lake")).returncode == 0
        assert sorted(Lake(str(place / "lake")).snapshot()["id"].to_pylist()) == sorted(f"r{i}" for i in range(4000))
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_the_newest_bad_rows_are_left_for_the_service(lines, tmp_path):
    lake = str(tmp_path / "lake")
    asked = ("--source", str(lines), "--lake", lake, "--features", str(tmp_path / "features.toml"))
    assert ingest(*asked).returncode == 0
    left = Lake(lake).state.get("quarantine", "ascribe")["rows"]
    assert {(row["kind"], row["reason"].split(" (")[0]) for row in left} == {
        ("row", "impossible percentage in cpu"), ("row", "duplicate of an earlier row"), ("message", left[0]["reason"]),
    }  # fmt: skip
    (message,) = [row for row in left if row["kind"] == "message"]
    assert (message["payload"], message["position"], message["node"]) == ("no json", 51, "")
    (high,) = [row for row in left if row["reason"].startswith("impossible")]
    assert json.loads(high["payload"])["features"]["cpu"] == 250
    assert (high["id"], high["timestamp_us"]) == ("r100", (WHEN + 100_000) * 1000)


def test_bad_rows_are_bounded_and_a_later_run_goes_on_with_them(tmp_path):
    state = State(str(tmp_path / "state"))

    def table(first: int, count: int) -> pa.Table:
        held = {"reason": [f"bad ({i})" for i in range(first, first + count)], "payload": [b"\xff" * 5000] * count}
        held |= {"stream": ["s"] * count, "position": list(range(count)), "at": pa.array([2**60] * count, TIME)}
        return pa.table(held)

    for first, count in ((0, 3), (3, 250), (253, 1)):
        bad = BadRows(state, "g")
        bad.see(table(first, count), "message")
        bad.write()
    left = state.get("quarantine", "g")["rows"]
    assert [row["reason"] for row in left] == [f"bad ({i})" for i in range(253, 153, -1)]
    assert (len(left[0]["payload"]), left[0]["cut"], left[0]["at_us"]) == (2000, True, 2**60)
    state.put("no rows", "quarantine", "g")
    again = BadRows(state, "g")
    again.see(table(7, 1), "message")
    again.write()
    assert len(state.get("quarantine", "g")["rows"]) == 1
