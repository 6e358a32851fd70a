"""What is measured of a tier: by functions that take a known time of a clock that they move, and in bundles."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from ascribe.bundle import latency
from ascribe.bundle.archive import Bundle, open_directory, write_manifest
from ascribe.bundle.holdout import holdout
from ascribe.bundle.latency import BATCHES, measure, refreshed, timed
from ascribe.bundle.manifest import Manifest, Reading, Tier
from ascribe.bundle.registry import Registry
from ascribe.bundle.runtime import load
from ascribe.core.compiled import ROWS, Compiled
from ascribe.core.features import Feature
from ascribe.core.latency import Measured
from ascribe.core.model import Model

from .made import FEATURES, made, parts

X = np.random.default_rng(0).standard_normal((40, 3))
CLOCK = SimpleNamespace(now=7.0, perf_counter=lambda: CLOCK.now)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """No stall of this machine is measured, and none ends a batch."""
    monkeypatch.setattr(latency, "time", CLOCK)


def taking(ms: float, each: float = 0.0, error: float = 0.1, calls: list[int] | None = None) -> Compiled:
    """A graph that takes `ms` and `each` more for a row."""

    def run(rows: np.ndarray) -> dict[str, np.ndarray]:
        if calls is not None:
            calls.append(len(rows))
        CLOCK.now += (ms + each * len(rows)) / 1e3
        zero = np.zeros((len(rows), 3), np.float32)
        return {"prediction": zero[:, 0], "attribution": zero, "stderr": error + zero, "ess": zero[:, 0]}

    return Compiled(run, 0.0, "surrogate", "learnt", 66, 0, 0, {})


def a_model(**tiers: Compiled) -> Model:
    return Model(tuple(Feature(f"x{j}") for j in range(3)), compiled=tiers)


def test_a_tier_takes_what_its_function_takes():
    found = measure(a_model(fast=taking(1), balanced=taking(8, each=1.5)), X, (1, 16), repeats=3)
    assert list(found) == ["fast", "balanced"]
    assert found["fast"].latency_ms == pytest.approx({1: 1, 16: 1})
    assert found["balanced"].latency_ms == pytest.approx({1: 9.5, 16: 32})


def test_the_error_is_the_root_mean_square_of_what_is_stated():
    found = measure(a_model(fast=taking(0, error=0.3), balanced=taking(0, error=0.2)), X, (1, 4), repeats=1)
    assert found["fast"].stderr == pytest.approx(0.3)
    assert found["balanced"].stderr == pytest.approx(0.2)
    assert measure(a_model(fast=taking(0, error=np.nan)), X, (1,), repeats=1)["fast"].stderr is None


def test_rows_are_repeated_to_fill_a_batch_and_the_first_call_is_not_counted():
    calls: list[int] = []
    measure(a_model(balanced=taking(0, calls=calls)), X, (1, 64), repeats=3)
    assert calls == [1] + [1] * 3 + [1] + [64] * 3
    calls.clear()
    measure(a_model(balanced=taking(0, calls=calls)), X, (2 * ROWS,), repeats=1)
    assert calls == [1, ROWS, ROWS]


def test_a_slow_tier_is_asked_once_and_not_for_more_rows(monkeypatch):
    monkeypatch.setattr(latency, "SLOW_MS", 5.0)
    calls: list[int] = []
    found = measure(a_model(balanced=taking(8, calls=calls)), X, (1, 16, 256), repeats=5)
    assert set(found["balanced"].latency_ms) == {1}
    assert calls == [1, 1]


def test_only_some_tiers_are_measured_where_they_are_named():
    model = a_model(fast=taking(0), balanced=taking(0))
    assert list(measure(model, X, (1,), 1, ["balanced", "accurate"])) == ["balanced"]
    assert measure(a_model(), X, (1,), 1) == {}


def test_measured_elsewhere_holds_here_in_proportion():
    """Compiled tiers are measured anew in small batches; what was not is scaled by their median ratio."""
    there = {"fast": Measured(0.3, {1: 0.01, 16: 0.02, 256: 0.4}), "accurate": Measured(0.05, {1: 7.0})}
    model = replace(a_model(fast=taking(2)), tiers=there)
    found = refreshed(model, X)
    ratio = np.median([2 / 0.01, 2 / 0.02])
    assert found["fast"].latency_ms == pytest.approx({1: 2, 16: 2, 256: 0.4 * ratio})
    assert found["accurate"].latency_ms == pytest.approx({1: 7.0 * ratio})
    assert (found["fast"].stderr, found["accurate"].stderr) == (0.3, 0.05)


def test_nothing_compiled_leaves_what_was_measured():
    there = {"accurate": Measured(0.05, {1: 7.0})}
    assert refreshed(replace(a_model(), compiled=None, tiers=there), X) == there


# bundles


def with_tier(directory: Path) -> Bundle:
    """A made bundle with a tier that was never compiled: its one-pass explainer."""
    bundle = made(directory, amortized=True, surrogate=True)
    held = {"fast": Tier(value="surrogate", estimator="amortized")}
    write_manifest(directory, msgspec.structs.replace(bundle.manifest, tiers=held))
    return open_directory(directory)


@pytest.fixture
def quick(monkeypatch) -> Callable[[], int]:
    """`measure` made instant, and counted."""
    count = []

    def told(model, rows, *rest):
        count.append(len(rows))
        return {"fast": Measured(0.25, {1: 0.123456, 16: 1.0}), "accurate": Measured(None, {1: 40.0})}

    monkeypatch.setattr(latency, "measure", told)
    return lambda: len(count)


def test_a_bundle_is_measured_once(tmp_path, quick):
    before = with_tier(tmp_path / "bundle")
    once = timed(tmp_path / "bundle")
    assert quick() == 1
    assert once.manifest.tiers["fast"] == Tier(
        value="surrogate", estimator="amortized", stderr=0.25, latency_ms={"1": 0.1235, "16": 1.0}
    )
    assert once.manifest.tiers["accurate"].latency_ms == {"1": 40.0}  # computed without a graph
    assert once.manifest.tiers["accurate"].role == ""
    assert once.manifest.machine
    assert once.manifest.version() != before.manifest.version()
    again = timed(tmp_path / "bundle")
    assert quick() == 1
    assert again.manifest == once.manifest == open_directory(tmp_path / "bundle").manifest
    model = load(again)
    assert model.tiers["fast"] == Measured(0.25, {1: 0.1235, 16: 1.0})
    assert model.compiled is None


def test_a_bundle_without_tiers_or_rows_keeps_its_version(tmp_path, quick):
    plain = made(tmp_path / "plain")
    assert timed(tmp_path / "plain").manifest == plain.manifest
    bare = made(tmp_path / "bare", holdout=False, amortized=True)
    write_manifest(tmp_path / "bare", msgspec.structs.replace(bare.manifest, tiers={"fast": Tier()}))
    version = open_directory(tmp_path / "bare").manifest.version()
    assert timed(tmp_path / "bare").manifest.version() == version
    assert quick() == 0


def test_the_machine_is_told_without_its_name(tmp_path, quick):
    with_tier(tmp_path / "bundle")
    told = timed(tmp_path / "bundle").manifest.machine
    assert "threads" in told
    assert platform.node() not in told


def test_published_twice_one_version(tmp_path, quick):
    with_tier(tmp_path / "bundle")
    store = Registry(str(tmp_path / "registry"))
    one, two = (store.publish("node", timed(tmp_path / "bundle")) for _ in range(2))
    assert one == two
    assert store.versions("node") == [one]


def test_only_rows_that_can_be_answered_are_asked(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(latency, "measure", lambda model, rows: asked.append(rows) or {})
    narrow = (replace(FEATURES[0], seen_low=0.45, seen_high=0.55), *FEATURES[1:])
    made(tmp_path / "bundle", amortized=True, features=narrow)
    bundle = open_directory(tmp_path / "bundle")
    write_manifest(tmp_path / "bundle", msgspec.structs.replace(bundle.manifest, tiers={"fast": Tier()}))
    timed(tmp_path / "bundle")
    assert 0 < len(asked[0]) <= BATCHES[-1]
    assert asked[0][:, 0].min() >= 0.45
    assert asked[0][:, 0].max() <= 0.55


def test_held_out_rows_and_their_target(tmp_path):
    bundle = made(tmp_path / "bundle", noise=0.0)
    found, y = holdout(bundle)
    assert found.shape == (300, 3)
    assert found.dtype == y.dtype == float
    assert load(bundle).predict(found) == pytest.approx(y, rel=1e-5)


# the manifest


def test_a_bundle_from_before_tiers_keeps_its_version():
    """New fields are not written where they say nothing."""
    manifest = parts()[0]
    raw = manifest.encode()
    for word in (b"tiers", b"reading", b"machine"):
        assert word not in raw
    full = msgspec.structs.replace(
        manifest, tiers={"balanced": Tier("explain", "surrogate", latency_ms={"1": 2.5})}, machine="some cores",
        reading=Reading("odd", [0.1, 0.2, 0.3], 0.5, 1.25, [0.1, 0.2, 0.3], 64),
    )  # fmt: skip
    assert Manifest.decode(full.encode()) == full
    assert full.version() != manifest.version()
    assert Manifest.decode(raw) == manifest
