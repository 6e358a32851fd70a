"""What of a lake is trained on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from ascribe.core.errors import InputError, SchemaError
from ascribe.core.features import Feature
from ascribe.train.definitions import FeatureSet
from ascribe.train.runs.snapshot import FILE, UNITS, take
from ascribe.train.units import read_units

from .telemetry import DEFINED, NAMES, Lake, pour, telemetry


@pytest.fixture
def lake(tmp_path) -> Lake:
    table = telemetry(300, unlabelled=30)
    table = table.append_column("idle", pa.nulls(300, pa.float64()))
    table = table.append_column("kernel", pa.array(["6.1"] * 300))
    return pour(str(tmp_path / "lake"), table)


def test_rows_without_a_label_are_left_out_and_counted(lake, tmp_path):
    taken = take(lake, 0, None, tmp_path)
    rows = pyarrow.parquet.read_table(tmp_path / FILE)
    assert (taken.total, taken.labelled, len(rows)) == (300, 270, 270)
    assert rows["power_w"].null_count == 0
    assert rows.column_names == ["id", "node", "timestamp", "power_w", *NAMES]
    assert (taken.features, taken.features_version) == (NAMES, DEFINED.version)


def test_definitions_travel_as_units_of_training(lake, tmp_path):
    take(lake, 0, None, tmp_path)
    units = read_units(tmp_path / UNITS)
    assert units["busy"] == {"unit": "ratio", "low": -2.0, "high": 3.0, "group": ""}
    assert units["power_w"] == {"unit": "W", "low": 0.0, "high": np.inf, "group": ""}


def test_the_definition_of_the_measured_power_is_kept(lake, tmp_path):
    lake.define(FeatureSet((*DEFINED.features, Feature("power_w", "W", 0.0, 500.0))))
    taken = take(lake, 0, None, tmp_path)
    assert taken.features == NAMES
    assert read_units(tmp_path / UNITS)["power_w"]["high"] == 500.0


def test_without_definitions_every_numeric_column_is_a_feature(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    pour(lake.uri, telemetry(200))
    lake.state.remove("features", "current")
    taken = take(lake, 0, None, tmp_path)
    assert taken.features == NAMES
    assert taken.features_version == ""


def test_a_feature_that_was_never_measured_is_left_out_by_name(lake, tmp_path):
    taken = take(lake, 0, ("busy", "misses", "idle"), tmp_path)
    assert taken.features == ("busy", "misses")
    assert taken.absent == ("idle",)


@pytest.mark.parametrize("name", ["fan", "kernel", "node"])
def test_what_holds_no_numbers_cannot_be_asked_for(lake, tmp_path, name):
    with pytest.raises(SchemaError, match=f"no numbers under {name}: it has busy, ghz, misses, idle"):
        take(lake, 0, ("busy", name), tmp_path)


def test_too_few_labelled_rows_are_refused_with_their_count(tmp_path):
    lake = pour(str(tmp_path / "lake"), telemetry(200, unlabelled=150))
    with pytest.raises(InputError, match="has power_w in 50 of 200 rows, 100 are the least"):
        take(lake, 0, None, tmp_path)


def test_an_older_version_is_taken_as_it_was(lake, tmp_path):
    pour(lake.uri, telemetry(100, seed=3, start=3000).append_column("kernel", pa.array(["6.2"] * 100)))
    assert take(lake, 0, None, tmp_path).total == 300
    assert take(lake, 1, None, tmp_path).total == 400


def test_further_targets_come_along_and_are_no_features(lake, tmp_path):
    taken = take(lake, 0, None, tmp_path, also=("misses",))
    assert taken.features == tuple(name for name in NAMES if name != "misses")
    rows = pyarrow.parquet.read_table(tmp_path / FILE)
    assert rows.column_names == ["id", "node", "timestamp", "power_w", "misses", *taken.features]
    assert read_units(tmp_path / UNITS)["misses"]["unit"]
    with pytest.raises(SchemaError, match="no numbers under nothing"):
        take(lake, 0, None, tmp_path, also=("nothing",))


def test_days_and_rows_are_bounded(lake, tmp_path):
    assert take(lake, 0, None, tmp_path, most=150).total == 150
    assert take(lake, 0, None, tmp_path, days=1).total <= 300
