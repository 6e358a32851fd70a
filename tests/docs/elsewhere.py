"""What a reader has on other machines: a broker, a bucket, a Prometheus, a collector, another company. Each answers
what stands in place of the words that a page leaves to its reader.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from confluent_kafka import Producer

from ascribe.bundle.federated.half import write_party
from ascribe.bundle.registry import Registry
from tests.bundle import made
from tests.collector import collecting
from tests.docs import beforehand
from tests.kafka_cluster import Cluster
from tests.ports import held_port
from tests.prometheus_server import backfilled, serving
from tests.serve.federated.splits import split
from tests.serve.paper import LOCAL, Authority
from tests.test_lifecycle import DEFINITIONS, telemetry
from tests.train.sources.fleet import HOURS, START_S, database

__all__ = ["bucket", "certificates", "collector", "companies", "fleet", "prometheus", "topic", "two_versions"]

T = TypeVar("T")
FIRST_RUN = 10_500
"""Rows; a watch begins with 10,000."""


def bucket(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """A store, found by the environment."""
    return {"s3://": request.getfixturevalue("s3").uri + "/"}


def topic(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """`raw_metrics` with messages, their definitions, and a bucket."""
    brokers = Cluster(1)
    request.addfinalizer(brokers.close)
    brokers.topic("raw_metrics", 2)
    producer = Producer({"bootstrap.servers": brokers.bootstrap})
    for row in telemetry(FIRST_RUN, 1):
        producer.produce("raw_metrics", json.dumps(row), key=row["node"])
        producer.poll(0)
    assert producer.flush(60) == 0
    (place / "features.toml").write_text(DEFINITIONS)
    return {"broker:9092": brokers.bootstrap, **bucket(place, request)}


def fleet(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """`topic`, and little time to train."""
    return {**topic(place, request), "--every 6h": "--every 6h --quick"}


def prometheus(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """A server with the last hour of four machines."""
    since = time.time() // 60 * 60 - HOURS * 3600
    at = held(request, serving(place, backfilled(place, database(since - START_S))))
    return {"prometheus:9090": at.removeprefix("http://"), "DIR": "lake"}


def collector(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The demo's registry, and a collector that has got the span of a request in the end."""
    beforehand.demo(place, request)
    collected = held(request, collecting())
    request.addfinalizer(lambda: collected.wait(lambda span: span.name == "GET /v1/models/{model}"))
    return {
        "http://collector:4318": collected.at,
        "serve ...": "serve --registry runs/demo/registry --model node-power",
    }


def companies(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """A bank and a shop, each with its half in production of a registry of its own, and a row of the shop."""
    beforehand.loans(place, request)
    for company, party in (("bank", "bank"), ("shop", "guest")):
        half = write_party(place / company / "half", split().halves[party], "2026-11-01T00:00:00Z", "0")
        registry = Registry(str(place / company / "registry"))
        registry.promote("loans", registry.publish("loans", half), "2026-11-01T00:00:00Z")
    (place / "bank.parquet").rename(place / "people.parquet")
    (place / "row.json").write_text(json.dumps(split().vectors(["r7"])))
    return {"/bank/registry": "bank/registry", "/shop/registry": "shop/registry"}


def certificates(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The same halves as folders, and everybody's certificates."""
    companies(place, request)
    hosts, guests = Authority(place, "hosts-ca"), Authority(place, "guests-ca")
    hosts.issue("bank", "bank", LOCAL)
    guests.issue("shop", "shop")
    at = f"127.0.0.1:{held(request, held_port())}"
    return {
        "host ...": f"host --bundle bank/half --features people.parquet --listen {at}",
        "guest ...": f"guest --bundle shop/half --host bank={at}",
    }


def two_versions(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """A bucket with a model that was promoted twice."""
    own = bucket(place, request)
    registry = Registry(f"{own['s3://']}models")
    before = None
    for bias in (40.0, 41.0):
        version = registry.publish(made.NAME, made.made(place / str(bias), made.World(bias=bias)))
        registry.promote(made.NAME, version, made.CREATED, expected=before)
        before = version
    return own


def held(request: pytest.FixtureRequest, lent: AbstractContextManager[T]) -> T:
    """Until the test has ended."""
    stack = ExitStack()
    request.addfinalizer(stack.close)
    return stack.enter_context(lent)
