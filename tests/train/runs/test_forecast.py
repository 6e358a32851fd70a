"""A forecast through the pipeline: what the lake holds is what is trained on, and the contexts follow the lake."""

from dataclasses import asdict, replace

import deltalake
import msgspec
import numpy as np
import polars as pl
import pytest

from ascribe.bundle.archive import write
from ascribe.bundle.forecast import open_forecaster
from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.bundle.zones import clock
from ascribe.core.errors import InputError
from ascribe.core.forecast.context import of_latest
from ascribe.train.lake.lake import Lake
from ascribe.train.runs import forecast
from ascribe.train.runs.forecast import ForecastTraining
from ascribe.train.runs.run import RunOptions, run
from ascribe.train.runs.triggers import Triggers
from ascribe.train.runs.watching import Looking, watch
from ascribe.train.series.latest import refresh_latest
from ascribe.train.series.options import SeriesOptions
from ascribe.train.series.read import read_series
from tests.journey import typed
from tests.train.bundled import parts
from tests.train.notes import Notes
from tests.train.series.made import hourly, same

NAME = "traffic"
OF = SeriesOptions("", "timestamp", ("bits",), "node", step="1h", unit="b")
TRAINING = ForecastTraining(OF, "3d", "1d")


def pour(uri, table):
    rows = table.rename({"time": "timestamp", "link": "node"}).with_columns(
        pl.col("timestamp").dt.strftime("%Y-%m-%d").alias("day")
    )
    deltalake.write_deltalake(uri, rows.to_arrow(), mode="append", partition_by=["node", "day"])
    return Lake(uri)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A lake of ten days; in place of training, a bundle that says how many rows it was made from."""
    seen = []

    def fit(rows, training, folder, source, watch):
        read = read_series(rows)
        seen.append((read, source))
        manifest, files = parts(steps=float(read.series.steps))
        kept = {role: name for role, name in manifest.roles.items() if role in ("predict", "background", "holdout")}
        held = {name: entry for name, entry in manifest.files.items() if name in kept.values()}
        made = msgspec.structs.replace(manifest, roles=kept, files=held, conditional=None, amortized=None)
        write(folder / "bundle", made, {name: files[name] for name in held})
        return {"version": made.version(), "family": "made"}

    monkeypatch.setattr(forecast, "fit", fit)
    options = RunOptions(str(tmp_path / "lake"), str(tmp_path / "registry"), NAME, training=TRAINING)
    return options, pour(options.lake, hourly(10)), seen


def test_a_run_trains_on_the_lake_and_is_done_once(place):
    options, lake, seen = place
    notes = Notes()
    record = run(options, lake, watch=notes)
    assert record.status == "promoted", record.reasons
    assert (record.rows, record.lake_version) == (480, 0)
    assert list(record.stages) == ["snapshot", "train", "measure", "publish", "judge", "promote"]
    assert Registry(options.registry).channel(NAME, "production").current.version == record.version
    (read, source), whole = seen[0], read_series(replace(OF, data=options.lake))
    same(read.series, whole.series)
    assert source == {"lake_version": 0} and read.series.unit == "b"
    assert run(options, lake).run == record.run and len(seen) == 1  # the same plan is nothing to do
    asked_later = replace(options, training=replace(TRAINING, series=replace(OF, now_s=4e9)))
    assert run(asked_later, lake).run == record.run
    pour(options.lake, hourly(12).filter(pl.col("time") >= whole.series.time_s[-1] * 1_000_000 + 3_600_000_000))
    again = run(options, lake)
    assert again.run != record.run and again.rows == 576 and len(seen) == 2
    longer = run(replace(options, training=replace(TRAINING, horizon="2d")), lake)
    assert not longer.stages["snapshot"].fresh and longer.stages["train"].fresh  # the rows are the same


def test_what_mending_finds_is_told_and_kept(place):
    options, lake, _ = place
    bad = hourly(10).head(3).with_columns(bits=pl.lit(float("inf")))
    pour(options.lake, bad)
    notes = Notes()
    record = run(options, lake, watch=notes)
    assert "lake version 1: 483 rows, 3 put aside" in notes.lines
    assert any(line.startswith("unreadable: all series") and "not a number in bits" in line for line in notes.lines)
    assert record.stages["snapshot"].result["mended"] == {"unreadable": 3} and record.rows == 480
    kept = pl.read_parquet(options.place / record.stages["snapshot"].folder / "quarantine.parquet")
    assert kept["reason"].to_list() == ["not a number in bits (inf)"] * 3


def test_the_watch_leaves_contexts_of_every_new_version(place):
    options, lake, seen = place
    state, ticks = State(beside(options.lake)), iter(range(3))
    versions = []

    def fresh(version):
        versions.append(version)
        refresh_latest(replace(OF, data=options.lake, version=version), TRAINING.window)

    def sleep(seconds):
        k = next(ticks, None)
        if k is None:
            raise KeyboardInterrupt
        if k == 1:
            pour(options.lake, hourly(11).filter(pl.col("time") >= pl.col("time").max() - pl.duration(hours=23)))

    now = iter(np.arange(1.8e9, 1.9e9, 10.0).tolist())
    looking = Looking(Triggers(None, 86400.0, drift=False), fresh=fresh)
    watch(options, lake, looking, clock=lambda: next(now), sleep=sleep)
    assert versions == [0, 1] and len(seen) == 1  # contexts follow every version; training waits for its day
    held = state.get("series", "north")
    whole = read_series(replace(OF, data=options.lake)).series
    assert held["start_s"] + 3600 * len(held["values"]) == whole.time_s[-1] + 3600
    np.testing.assert_array_equal(held["values"], whole.values[-72:, 0])


def test_a_plan_is_plain_and_a_window_needs_its_step():
    assert msgspec.json.decode(msgspec.json.encode(TRAINING.plain()))["series"]["value"] == ["bits"]
    assert asdict(TRAINING.window)["inputs"][0] == "value" and TRAINING.window.context == 72
    with pytest.raises(InputError, match="say --step 5min"):
        replace(TRAINING, series=replace(OF, step=None)).window  # noqa: B018
    with pytest.raises(InputError, match="a context of 90min is no whole number of steps of 1h"):
        replace(TRAINING, context="90min").window  # noqa: B018


def test_a_real_forecast_goes_all_the_way(tmp_path):
    """Trained, judged by the gate of forecasts, promoted; the bundle is asked with what lies beside the lake."""
    lake, registry = str(tmp_path / "lake"), str(tmp_path / "registry")
    pour(lake, hourly(40))
    words = [
        "pipeline", "forecast", "--lake", lake, "--registry", registry, "--name", NAME,
        "--value", "bits", "--series", "node", "--step", "1h", "--family", "seasonal_mean", "--unit", "b",
    ]  # fmt: skip
    done = typed(*words)
    assert done.returncode == 0, done.stderr
    bundle = Registry(registry).resolve(NAME)
    assert done.stdout.split() == [bundle.manifest.version()]
    assert bundle.manifest.lineage.source["lake_version"] == 0 and bundle.manifest.lineage.source["rows"] == 1920
    forecaster = open_forecaster(bundle)
    state = State(beside(lake))
    held = [state.get("series", name) for name in state.names("series")]
    contexts = of_latest(held, forecaster.window, clock("UTC"))
    assert contexts.status.tolist() == ["ok", "ok"]
    k = np.arange(40 * 24, 41 * 24)
    truth = np.stack([100.0 * (j + 1) + 30 * np.sin(2 * np.pi * k / 24) for j in range(2)])
    forecast = forecaster.forecast(contexts.rows)[0]
    assert np.abs(forecast - truth).mean() < 1.5  # the noise of a step is 1
    wrong = typed(*words, "--step", "5min")
    assert wrong.returncode == 2
    last = wrong.stderr.splitlines()[-1]
    assert last.startswith("ascribe: the data has a step of 1h") and last.endswith(
        "say --step 1h, or average it before"
    )
