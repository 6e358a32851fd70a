"""A real service with a past: trees trained on real telemetry in two versions and two channels and a third that is
worse, a lake with rows, bad rows, runs and a look at drift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xgboost

from ascribe.bundle.archive import open_directory
from ascribe.bundle.gate.verdict import judge_and_promote
from ascribe.bundle.registry import Registry
from ascribe.core.features import Feature
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.train.adapters.adopted import Asked
from ascribe.train.adapters.background import Background
from ascribe.train.adopted.adopt import AdoptOptions, adopt
from ascribe.train.definitions import FeatureSet
from ascribe.train.ingest.run import ingest
from ascribe.train.lake.lake import Lake
from ascribe.train.runs.drift import drift, lake_rows, save
from ascribe.train.runs.record import Run, StageRecord
from ascribe.train.runs.record import save as keep
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import Columns, FileSource
from tests.journey import ROOT
from tests.once import once

NAME, TOKEN = "node-power", "open sesame"
DATA = ROOT / "examples" / "data" / "xeon_e5_2650.parquet"
COUNTERS = ("instructions", "cpu-cycles", "branch-misses", "LLC-loads", "cpu_user", "cpu_idle", "mem_free", "pkts_in")
KEPT = 400  # rows that no model was trained on


@dataclass(frozen=True)
class Shop:
    at: str
    first: str
    second: str
    worse: str
    rows: pl.DataFrame  # that no model was trained on, with `measured_w`
    log: list[bytes]
    registry: Registry
    lake: str


def telemetry() -> pl.DataFrame:
    held = pl.read_parquet(DATA).drop_nulls(["powerWatts", *COUNTERS]).filter(pl.col("powerWatts") < 400)
    return held.sample(2600, seed=3).select(*COUNTERS, power_w="powerWatts")


def train(folder: Path, rows: pl.DataFrame, trees: int) -> Path:
    """Trees on these rows, as a bundle with units."""
    folder.mkdir(parents=True)
    rows.write_parquet(folder / "rows.parquet")
    units = {name: _unit(name) for name in COUNTERS} | {"power_w": "W"}
    (folder / "units.json").write_text(json.dumps(units))
    model = xgboost.XGBRegressor(n_estimators=trees, max_depth=4, n_jobs=1, random_state=0)
    model.fit(rows.select(COUNTERS).to_pandas(), rows["power_w"].to_numpy()).save_model(folder / "model.ubj")
    asked = Asked(Background.at(folder / "rows.parquet"), target="power_w")
    adopt(AdoptOptions(folder / "model.ubj", asked, folder / "bundle", folder / "units.json"))
    return folder / "bundle"


@contextmanager
def open_shop(factory: pytest.TempPathFactory, **settings: Any) -> Iterator[Shop]:
    """A server of the shop, which is furnished once a run; nobody else writes into this copy."""
    folder = once(factory, "shop", furnish)
    registry, lake = Registry(str(folder / "registry")), str(folder / "lake")
    rows = telemetry().tail(KEPT)
    log: list[bytes] = []
    served = f"{NAME},{NAME}@canary"
    with running(
        registry.uri, served, Settings(lake=lake, admin_token=TOKEN, poll_s=1, **settings), write=log.append
    ) as at:
        versions = json.loads((folder / "versions.json").read_text())
        yield Shop(at.http, *versions, rows.rename({"power_w": "measured_w"}), log, registry, lake)


def furnish(folder: Path) -> None:
    """Three versions in a registry, two of them in channels, and a lake."""
    rows = telemetry()
    registry = Registry(str(folder / "registry"))
    versions = []
    for k, (trees, taken) in enumerate(((20, 2200), (40, 2200), (1, 200))):
        bundle = train(folder / str(k), rows.head(taken), trees)
        versions.append(registry.publish(NAME, open_directory(bundle)))
    judge_and_promote(registry, NAME, versions[0], "2026-11-01T00:00:00Z")
    judge_and_promote(registry, NAME, versions[1], "2026-11-02T00:00:00Z", "canary", by="gate")
    (folder / "versions.json").write_text(json.dumps(versions))
    _lake(folder, rows.tail(KEPT), registry, versions[0])


def _lake(folder: Path, rows: pl.DataFrame, registry: Registry, version: str) -> None:
    """Rows by a real ingest, with bad ones among them; a run half done and one that failed; one look at drift."""
    bad = rows.head(3).with_columns(cpu_user=pl.Series([250.0, 60.0, 70.0]), mem_free=pl.Series([1e6, -5.0, 1e6]))
    node = pl.concat_str(pl.lit("rack <b>/n"), pl.col("seq") % 3)
    time = (1_790_000_000 + pl.col("seq")).cast(pl.Float64)
    table = pl.concat([rows, bad]).with_row_index("seq").with_columns(time=time, node=node)
    table.write_parquet(folder / "telemetry.parquet")
    place = Lake(str(folder / "lake"))
    known = FeatureSet(tuple(Feature(name, _unit(name), 0.0, _high(name)) for name in COUNTERS))
    place.define(known)
    source = FileSource(
        folder / "telemetry.parquet", Decoder(), Columns(("node",), "time", id=None, features=COUNTERS, time_unit="s")
    )
    ingest(source, place, known)
    state = place.state
    stage = StageRecord("k", "folder", 2.5, True, {"rows": 400})
    planned = ("snapshot", "train", "measure", "publish", "judge", "promote")
    run = Run(
        "20261102T000000000Z-aaaa", NAME, "lake", "registry", "production", "plan", "code", 1, ("400 new rows",),
        "running",
        "2026-11-02T00:00:00Z", count=400, rows=400, planned=planned, stages={"snapshot": stage, "train": stage},
    )  # fmt: skip
    keep(state, run)
    failed = replace(run, run="20261101T000000000Z-bbbb", status="failed", started="2026-11-01T00:00:00Z", stages={})
    keep(state, replace(failed, ended="2026-11-01T00:01:00Z", error="<i>no disk</i>"))
    held = registry.fetch(NAME, version)
    save(state, drift(held, NAME, lake_rows(place.snapshot(), COUNTERS, 1), "2026-11-03T00:00:00Z"))


def _unit(name: str) -> str:
    return "percent" if name.startswith("cpu_") else "count"


def _high(name: str) -> float:
    return 100.0 if name.startswith("cpu_") else float("inf")
