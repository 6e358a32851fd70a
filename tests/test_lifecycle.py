"""Day and night in small: a topic, readers, a lake, the pipeline, a server under load, drift; all by the commands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from confluent_kafka import Producer

from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.train.lake.lake import Lake
from tests.journey import ascribe as process
from tests.journey import typed
from tests.kafka_cluster import Cluster, cluster
from tests.waiting import until

NAME = "node-power"
NAMES = ("cpu", "freq", "misses", "net")
START_MS = 1_790_000_000_000
DEFINITIONS = 'cpu = "percent"\nfreq = "MHz"\nmisses = "count/s"\nnet = "bytes/s"\npower_w = "W"\n'


def telemetry(count: int, seed: int, noise: float = 1.0, shift: float = 0.0) -> Iterator[dict[str, Any]]:
    """Watts that follow the counters; `noise` in W hides them, `shift` moves the load."""
    rng = np.random.default_rng(seed)
    load = np.clip(rng.beta(2, 3, count) + shift, 0, 1)
    X = np.column_stack([100 * load, 1200 + 1500 * load + 100 * rng.random(count), 1e6 * rng.random(count) * load,
                         1e5 * rng.random(count)])  # fmt: skip
    watts = 60 + 0.9 * X[:, 0] + 0.01 * X[:, 1] + 1e-5 * X[:, 2] + noise * rng.standard_normal(count)
    for i in range(count):
        yield {
            "id": f"{seed}-{i}", "node": f"n{i % 2}", "timestamp": START_MS + (seed * 10_000 + i) * 2000,
            "features": dict(zip(NAMES, X[i].tolist(), strict=True)), "power_w": float(max(watts[i], 0)),
        }  # fmt: skip


def ascribe(*arguments: str, code: int = 0, by: Callable[..., subprocess.CompletedProcess[str]] = typed) -> str:
    done = by(*arguments)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


class House:
    """A lake, a registry and a cluster."""

    def __init__(self, folder: Path, brokers: Cluster) -> None:
        self.lake, self.registry = str(folder / "lake"), str(folder / "registry")
        self.brokers, self.folder = brokers, folder
        self.by = typed  # how commands are run
        (folder / "features.toml").write_text(DEFINITIONS)
        brokers.topic("raw_metrics", 2)

    def send(self, rows: Iterator[dict[str, Any]]) -> None:
        """Through the topic into the lake."""
        producer = Producer({"bootstrap.servers": self.brokers.bootstrap})
        sent = 0
        for row in rows:
            sent += 1
            producer.produce("raw_metrics", json.dumps(row), key=row["node"])
        assert producer.flush(120) == 0
        source, definitions = f"kafka://{self.brokers.bootstrap}/raw_metrics", str(self.folder / "features.toml")
        places = ("--source", source, "--lake", self.lake, "--features", definitions)
        said = ascribe("ingest", *places, "--until-idle", "1", by=self.by)
        assert f"\n{sent} rows, 0 in quarantine" in said, said

    def pipeline(self, *more: str, code: int = 0) -> str:
        places = ("--lake", self.lake, "--registry", self.registry, "--name", NAME)
        return ascribe("pipeline", *more[:1], *places, *more[1:], code=code, by=self.by)

    def current(self) -> str:
        return Registry(self.registry).channel(NAME).current.version


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With a model in production that learnt from a bad meter."""
    with cluster(1) as brokers:
        house = House(tmp_path_factory.mktemp("house"), brokers)
        house.send(telemetry(900, 1, noise=25.0))
        said = house.pipeline("run", "--quick")
        assert house.current() in said
        yield house


@contextmanager
def served(house: House) -> Iterator[str]:
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", house.registry, "--model", NAME,
               "--lake", house.lake, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = next(event for event in map(json.loads, process.stdout) if event["event"] == "ready")
            threading.Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills
            yield ready["http"]
        finally:
            process.terminate()
            assert process.wait(120) == 0


class Load(threading.Thread):
    """Asks for three rows again and again; keeps failures and, of each answer, version and whether it adds up."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.stopped, self.failures, self.versions = url, threading.Event(), [], []

    def run(self) -> None:
        rows = [{"values": list(row["features"].values())} for row in telemetry(3, 99)]
        with httpx.Client(base_url=self.url) as http:
            while not self.stopped.wait(0.02):  # never at rest, and the training has cores to run on
                try:
                    a = (
                        http.post("/v1/attributions", json={"feature_vector": rows, "samples": 8})
                        .raise_for_status()
                        .json()
                    )
                    for row in a["attributions"]:
                        total = row["base_value"] + sum(row["attribution_shares"].values())
                        assert abs(total - row["prediction"]) < 1e-4
                    self.versions.append(a["version"])
                except Exception as exc:
                    self.failures.append(exc)


def test_from_a_topic_to_a_model_that_is_replaced_under_load(house):
    old = house.current()
    with served(house) as url:
        load = Load(url)
        house.by = process  # this one asks the server meanwhile
        load.start()
        try:
            house.send(telemetry(1500, 2, noise=1.0))
            said = house.pipeline("run", "--quick")
            new = house.current()
            assert new != old, said
            until(lambda: new in load.versions[-1:], "the server did not follow")
            time.sleep(1)
        finally:
            house.by = typed
            load.stopped.set()
            load.join()
        assert load.failures == []
        assert set(load.versions) == {old, new}
        assert load.versions == sorted(load.versions, key=[old, new].index)  # never back again
        now = httpx.get(f"{url}/v1/nodes/n1/attribution").json()
        assert now["version"] == new
        assert now["attributions"][0]["unexplained_w"] is not None
        told = httpx.get(f"{url}/v1/status").json()
        assert told["runs"][NAME]["status"] == "promoted"
        assert told["readers"]["ascribe"]["lag_records"] == 0
    assert State(beside(house.lake)).names("live", NAME)
    said = house.pipeline("drift", "-o", str(house.folder / "live.html"), "--live")
    assert "drifted: live traffic" in said  # three rows again and again are no usual traffic


def test_shuffled_targets_are_refused_and_production_stays(house):
    held = house.current()
    rows = list(telemetry(1200, 3))
    watts = np.random.default_rng(0).permutation([row["power_w"] for row in rows]).tolist()
    lake = Lake(str(house.folder / "shuffled"))
    place = house.folder / "shuffled.jsonl"
    place.write_text("\n".join(json.dumps(row | {"power_w": w}) for row, w in zip(rows, watts, strict=True)))
    features = str(house.folder / "features.toml")
    ascribe("ingest", "--source", str(place), "--lake", lake.uri, "--features", features)
    places = ("--lake", lake.uri, "--registry", house.registry, "--name", NAME)
    said = ascribe("pipeline", "run", *places, "--quick", code=3)
    assert "no better than always answering the mean" in said
    assert house.current() == held


def test_drift_of_the_lake(house):
    page = house.folder / "drift.html"
    said = house.pipeline("drift", "-o", str(page), "--rows", "600")
    assert "<svg" in page.read_text()
    house.send(telemetry(700, 4, shift=0.5))
    said = house.pipeline("drift", "-o", str(page), "--rows", "600")
    assert "drifted" in said
