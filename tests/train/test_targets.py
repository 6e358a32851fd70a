"""Several targets: each is trained without the others among its features, and one bundle holds them all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ascribe
from ascribe.bundle.archive import open_directory
from ascribe.core.errors import InputError
from ascribe.train.pipeline import TrainOptions
from ascribe.train.targets import train_targets


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two targets of three counters; six rows lack the second, and one the first."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (400, 3))
    first = 50 + X @ [30.0, 20.0, 0.0] + rng.standard_normal(400)
    second = 5 + X @ [0.0, 2.0, 4.0] + 0.1 * rng.standard_normal(400)
    columns = {f"c{j}": X[:, j] for j in range(3)} | {"package_power": first, "dram_power": second}
    rows = pl.DataFrame(columns).with_row_index("seq")
    rows = rows.with_columns(
        dram_power=pl.when(pl.col("seq") < 6).then(None).otherwise(pl.col("dram_power")),
        package_power=pl.when(pl.col("seq") == 9).then(None).otherwise(pl.col("package_power")),
    )
    place = tmp_path_factory.mktemp("targets") / "rows.parquet"
    rows.write_parquet(place)
    return place


def options(data: Path, out: Path) -> TrainOptions:
    return TrainOptions(
        data, "package_power", out, time="seq", family="power_xgboost", max_seconds=1, surrogate=False,
        labels={"cpu": "epyc"},
    )  # fmt: skip


def test_one_bundle_predicts_both_and_neither_sees_the_other(data, tmp_path):
    out = tmp_path / "bundle"
    report = train_targets(options(data, out), ["package_power", "dram_power"])
    bundle = open_directory(out)
    bundle.verify()
    assert bundle.manifest.version() == report.version
    assert bundle.manifest.labels == {"cpu": "epyc"}
    model = ascribe.open(out)
    assert model.outputs == ("package_power", "dram_power")
    for target in model.outputs:
        assert model.output(target).features == ("c0", "c1", "c2")
        assert model.output(target).model.output == target
    row = [[0.5, 0.5, 0.5]]
    assert model.predict(row)[0] == pytest.approx(75, abs=4)
    assert model.output("dram_power").predict(row)[0] == pytest.approx(8, abs=0.6)
    assert report.metrics["targets"]["dram_power"]["holdout"]["r2"] > 0.8
    assert len(pl.read_parquet(out / "quarantine.parquet")) == 1
    assert len(pl.read_parquet(out / "quarantine-2.parquet")) == 6
    assert not (out / ".targets").exists()


def test_a_target_that_fails_leaves_no_bundle(data, tmp_path):
    out = tmp_path / "bundle"
    with pytest.raises(InputError):
        train_targets(options(data, out), ["gpu_power", "package_power"])
    assert not (out / "manifest.json").exists()
    assert not (out / ".targets").exists()


def test_targets_are_named_once_and_are_no_features(data, tmp_path):
    for targets in ([], ["package_power", "package_power"]):
        with pytest.raises(InputError, match="name each target once"):
            train_targets(options(data, tmp_path), targets)
    with pytest.raises(InputError, match="dram_power cannot be a feature and a target"):
        train_targets(replace(options(data, tmp_path), features=("c0", "dram_power")), ["package_power", "dram_power"])
