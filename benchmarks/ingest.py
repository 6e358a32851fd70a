"""Rows a second from Kafka into the lake, beside a bare consumer loop that only counts; and where the time goes.

    python -m benchmarks.ingest [--rows 600000] [--quick]

Real telemetry, 32 features in JSON (814 bytes), lies in the cluster before anybody reads, compressed, since it keeps
5 MiB a partition. The cluster runs in this process and shares its cores. Both loops run in turn; medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from confluent_kafka import Consumer, Producer, TopicPartition

from ascribe.train.ingest.run import Ingested, ingest
from ascribe.train.ingest.screen import screen
from ascribe.train.lake.lake import Lake
from ascribe.train.lake.rows import rows_of
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.kafka import KafkaOptions, KafkaSource
from benchmarks.record import keep
from tests.kafka_cluster import Cluster, cluster

ROOT = Path(__file__).parents[1]
TOPIC, PARTITIONS, NODES, AT_ONCE = "raw_metrics", 48, 8, 25_000


def messages(count: int) -> list[bytes]:
    """Telemetry of a server, over and over, as `raw_metrics` has it."""
    frame = pl.read_parquet(ROOT / "examples" / "data" / "xeon_e5_2650.parquet")
    units = tomllib.loads((ROOT / "examples" / "units_power.toml").read_text())
    names = [name for name in units if name != "powerWatts"]
    X, watts = frame.select(names).to_numpy().tolist(), frame["powerWatts"].to_list()
    return [
        json.dumps(
            {
                "id": f"r{i}",
                "node": f"n{i % NODES}",
                "timestamp": 1_790_000_000_000 + i * 10,
                "features": dict(zip(names, X[i % len(X)], strict=True)),
                "power_w": watts[i % len(X)],
            }
        ).encode()
        for i in range(count)
    ]


def filled(brokers: Cluster, raw: list[bytes]) -> None:
    """All messages in the topic, in large compressed sets, as busy producers send them."""
    brokers.topic(TOPIC, PARTITIONS)
    producer = Producer({
        "bootstrap.servers": brokers.bootstrap, "compression.type": "zstd", "linger.ms": 1000,
        "batch.num.messages": 10_000, "batch.size": 16 << 20, "message.max.bytes": 32 << 20,
        "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1 << 21,
    })  # fmt: skip
    for i, message in enumerate(raw):
        producer.produce(TOPIC, message, partition=i % PARTITIONS)
    assert producer.flush(120) == 0


def bare(brokers: Cluster, count: int, group: str) -> float:
    """Rows a second of a loop that only counts, from its first message on."""
    consumer = Consumer({"bootstrap.servers": brokers.bootstrap, "group.id": group, "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, p, 0) for p in range(PARTITIONS)])
    seen, start = 0, 0.0
    while seen < count:
        got = len(consumer.consume(AT_ONCE, 0.5))
        start = start or (time.perf_counter() if got else 0.0)
        seen += got
    took = time.perf_counter() - start
    consumer.close()
    return seen / took


def into_lake(brokers: Cluster, count: int, group: str, lake: str) -> float:
    """Rows a second into a Delta table, from the first message to the last append."""
    stop, seen = threading.Event(), [0.0, 0.0]

    class Timed(Decoder):
        """The decoder, with the moment of its first messages."""

        def decode(self, *messages: Any) -> Any:
            seen[0] = seen[0] or time.perf_counter()
            return super().decode(*messages)

    source = KafkaSource(KafkaOptions(brokers.bootstrap, TOPIC, group, AT_ONCE, 0.2), Timed(), lambda _: None)

    def told(total: Ingested) -> None:
        seen[1] = time.perf_counter()
        if total.rows >= count:
            stop.set()

    total = ingest(source, Lake(lake), stop=stop, told=told)
    source.close()
    assert total.rows == count, total
    return count / (seen[1] - seen[0])


def profile(raw: list[bytes], folder: Path) -> dict[str, float]:
    """Microseconds a row of each step by itself, on one thread: the best of five."""
    raw = raw[:AT_ONCE]
    stream, position = np.zeros(len(raw), int), np.arange(len(raw))
    decoder, lake = Decoder(), Lake(str(folder / "profile"))
    decoder.decode(raw[:10], ("s",), stream[:10], position[:10])
    (v,), _ = decoder.decode(raw, ("s",), stream, position)
    now = time.time_ns() // 1000
    good, _ = screen(v, None, now)
    placed = rows_of(v, good)
    end = [0]

    def append() -> None:
        end[0] += len(raw)
        placed.places.position[:] = np.arange(end[0] - len(raw), end[0])
        lake.append(placed, None, None, {"s": end[0]})

    steps: dict[str, Callable[[], object]] = {
        "decode": lambda: decoder.decode(raw, ("s",), stream, position),
        "screen": lambda: screen(v, None, now),
        "columns": lambda: rows_of(v, good),
        "append": append,
    }
    return {name: min(_seconds(step) for _ in range(5)) / len(raw) * 1e6 for name, step in steps.items()}


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    count, rounds = (100_000, 2) if asked.quick else (asked.rows, 5)
    raw = messages(count)
    found: dict[str, list[float]] = {"bare": [], "lake": []}
    with tempfile.TemporaryDirectory() as place, cluster(1) as brokers:
        filled(brokers, raw)
        for r in range(rounds):
            found["bare"].append(bare(brokers, count, f"bare{r}"))
            found["lake"].append(into_lake(brokers, count, f"lake{r}", f"{place}/lake{r}"))
        parts = profile(raw, Path(place))
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    ratio = statistics.median(b / a for a, b in zip(found["bare"], found["lake"], strict=True))
    print(f"bare {medians['bare']:,.0f} rows/s, lake {medians['lake']:,.0f} rows/s, ratio {ratio:.2f}")
    print("  ".join(f"{name} {us:.2f} us" for name, us in parts.items()))
    numbers = {"rows": count, "rows_per_s": medians, "ratio": ratio, "rounds": found, "us_per_row": parts}
    keep("ingest", numbers, asked.quick)


if __name__ == "__main__":
    main()
