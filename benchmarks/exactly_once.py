"""Exactly once, the hard way: a cluster with faults, readers that are killed, and a lake that must hold each row once.

    python -m benchmarks.exactly_once [--rows 200000] [--kills 20] [--quick]

Rows are produced in step with the lake (the cluster keeps 5 MiB a partition) while produce and fetch requests fail,
answers take 200 ms, a broker goes down and comes up, a second reader joins and leaves, leaders move, and the readers
are killed (SIGKILL) at random moments. One message in a hundred is no vector.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.record import keep
from tests.kafka_cluster import DROP, FETCH, NOT_LEADER, PRODUCE, TIMED_OUT, Cluster, cluster

TOPIC, PARTITIONS, NODES = "raw_metrics", 6, 5
POISON_EVERY = 100
AHEAD_BYTES = 15 << 20  # of 30 MiB that the cluster keeps
LOOK_S = 0.2


@dataclass
class Trial:
    """Sizes and what is to happen. `seed` decides when."""

    rows: int = 200_000
    kills: int = 20
    features: int = 8
    batch_rows: int = 4000
    seed: int = 0
    faults: bool = True
    seconds: float = 1500.0


@dataclass
class Found:
    """What the lake held in the end, in counts but for `seconds`. `messages` that the cluster took on: some of the
    `produced` rows and of the `poison` came twice. Rows: `held`, of them `unique`, and `quarantined`. Dead letters:
    `letters`, of them `dead` of different poison.
    """

    produced: int
    poison: int
    messages: int
    held: int
    unique: int
    quarantined: int
    letters: int
    dead: int
    kills: int
    seconds: float
    events: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        whole = self.messages == self.held + self.quarantined + self.letters
        return whole and self.produced == self.held == self.unique and self.poison == self.dead


def message(i: int, features: int) -> bytes:
    """Row i; its numbers follow from i."""
    values = {f"counter_{j}": (i * (j + 3) % 9973) / 7 for j in range(features)}
    when = 1_790_000_000_000 + i * 20
    body = {
        "id": f"row-{i}",
        "node": f"node-{i % NODES}",
        "timestamp": when,
        "features": values,
        "power_w": 90 + i % 50,
    }
    return json.dumps(body).encode()


class Readers:
    """Ingest processes of one group."""

    def __init__(self, bootstrap: str, lake: Path, batch_rows: int, log: Path) -> None:
        self._command = [
            sys.executable, "-m", "ascribe", "ingest", "--source", f"kafka://{bootstrap}/{TOPIC}", "--lake", str(lake),
            "--group", "soak", "--batch-rows", str(batch_rows), "--batch-seconds", "0.3", "--kafka-config",
            str(log.parent / "kafka.toml"),
        ]  # fmt: skip
        (log.parent / "kafka.toml").write_text('"session.timeout.ms" = 6000\n"heartbeat.interval.ms" = 500\n')
        self._log = log.open("wb")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        made = subprocess.Popen([*self._command, *more], stdout=self._log, stderr=self._log)
        self.running.append(made)
        return made

    def end(self, how: signal.Signals) -> None:
        """The oldest one."""
        gone = self.running.pop(0)
        gone.send_signal(how)
        gone.wait(60)


class Sender(threading.Thread):
    """Produces rows up to the number that is allowed at the moment."""

    def __init__(self, bootstrap: str, trial: Trial, allowed: Callable[[], int]) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "message.timeout.ms": 120_000})
        self._trial, self._allowed = trial, allowed
        self.poison = 0
        self.failed: list[str] = []

    def run(self) -> None:
        for i in range(self._trial.rows):
            while i >= self._allowed():
                self._producer.poll(0.1)
            self._send(message(i, self._trial.features), i % PARTITIONS)
            if i % POISON_EVERY == 0:
                self._send(b"poison %d" % i, i % PARTITIONS)
                self.poison += 1
        self._producer.flush(120)

    def _send(self, raw: bytes, partition: int) -> None:
        while True:
            try:
                return self._producer.produce(TOPIC, raw, partition=partition, on_delivery=self._told)
            except BufferError:
                self._producer.poll(0.1)

    def _told(self, error: Any, _: Any) -> None:
        if error is not None:
            self.failed.append(str(error))


def run(trial: Trial, folder: Path, say: Callable[[str], object] = print) -> Found:
    """One trial in a folder. Raises RuntimeError if it does not come to its end in `trial.seconds`."""
    from ascribe.train.lake.lake import Lake

    lake, start, chance = Lake(str(folder / "lake")), time.monotonic(), random.Random(trial.seed)
    counted = [0]

    def count() -> int:
        counted[0] = lake.count() if lake.version() is not None else 0
        return counted[0]

    events: list[str] = []
    with cluster(3) as brokers:
        brokers.topic(TOPIC, PARTITIONS)
        readers = Readers(brokers.bootstrap, folder / "lake", trial.batch_rows, folder / "readers.log")
        readers.start()
        kills, pace = 0, trial.rows / (trial.kills + 1)
        ahead = AHEAD_BYTES // (len(message(0, trial.features)) + 80)

        def allowed() -> int:
            """No further before the lake than the cluster keeps, nor so far that a kill would find nothing to do."""
            return min(counted[0] + ahead, round((kills + 1.5) * pace) if kills < trial.kills else trial.rows)

        sender = Sender(brokers.bootstrap, trial, allowed)
        sender.start()
        try:
            while count() < trial.rows:
                if time.monotonic() - start > trial.seconds:
                    raise RuntimeError(f"{counted[0]} of {trial.rows} rows after {trial.seconds:g} s")
                if kills < trial.kills and counted[0] > (kills + chance.random()) * pace:
                    time.sleep(0.5 * chance.random())
                    readers.end(signal.SIGKILL)
                    kills += 1
                    events.append(f"killed at {counted[0]} rows")
                    if trial.faults:
                        events += _disturb(brokers, readers, chance)
                    readers.start()
                    say(f"{counted[0]} rows, {kills} kills, {time.monotonic() - start:.0f} s; {events[-1]}")
                readers.running = [r for r in readers.running if r.poll() is None] or [readers.start()]
                time.sleep(LOOK_S)
            sender.join()
            while readers.running:
                readers.end(signal.SIGTERM)
            readers.start("--until-idle", "3").wait(120)
            messages = taken_on(brokers.bootstrap)
        finally:
            for left in readers.running:
                with suppress(OSError):
                    left.kill()
        if sender.failed:
            raise RuntimeError(f"{len(sender.failed)} rows were not produced: {sender.failed[0]}")
    ids = lake.rows.read(columns=["id"])["id"].to_pylist()
    letters = lake.dead.read(columns=["payload"])["payload"].to_pylist()
    doubled = lake.quarantine.read(columns=["id"]).num_rows if lake.quarantine.version is not None else 0
    return Found(
        produced=trial.rows, poison=sender.poison, messages=messages, held=len(ids),
        unique=len(set(ids) & {f"row-{i}" for i in range(trial.rows)}), quarantined=doubled, letters=len(letters),
        dead=len(set(letters)), kills=kills, seconds=time.monotonic() - start, events=events,
    )  # fmt: skip


def taken_on(bootstrap: str) -> int:
    """Messages that the cluster was ever given, by the ends of its partitions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counts"})
    try:
        ends = [consumer.get_watermark_offsets(TopicPartition(TOPIC, k), timeout=30) for k in range(PARTITIONS)]
    finally:
        consumer.close()
    return sum(end for _, end in ends)


def _disturb(brokers: Cluster, readers: Readers, chance: random.Random) -> list[str]:
    """One fault, or several at once."""
    kind = chance.choice(["errors", "slow", "down", "second", "leader"])
    if kind == "errors":
        brokers.fail(PRODUCE, [NOT_LEADER, NOT_LEADER, TIMED_OUT, DROP])
        brokers.fail(FETCH, [NOT_LEADER, DROP, TIMED_OUT, DROP])
    elif kind == "slow":
        brokers.rtt(200)
        threading.Timer(4.0, brokers.rtt, (0,)).start()
    elif kind == "down":
        broker = chance.randint(1, 3)
        brokers.down(broker)
        threading.Timer(2.0, brokers.up, (broker,)).start()
    elif kind == "second":
        readers.start()
    else:
        brokers.leader(TOPIC, chance.randrange(PARTITIONS), chance.randint(1, 3))
    return [kind]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    trial = Trial(20_000, 4) if asked.quick else Trial(asked.rows, asked.kills)
    with tempfile.TemporaryDirectory() as folder:
        found = run(trial, Path(folder))
    numbers = {**vars(found), "exact": found.exact}
    print({name: number for name, number in numbers.items() if name != "events"})
    keep("exactly_once", numbers, asked.quick)
    sys.exit(not found.exact)


if __name__ == "__main__":
    main()
