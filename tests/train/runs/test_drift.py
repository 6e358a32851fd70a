"""Drift of what production meets, on the lake and on live rows: known shifts are found, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.bundle.live import Live, write_live
from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.core.drifted import Thresholds, word
from ascribe.core.errors import InputError, NotFound, SchemaError
from ascribe.train.lake.rows import EMPTY
from ascribe.train.runs import drift as drifting
from ascribe.train.runs.drift import lake_rows, live_rows, newest
from ascribe.train.runs.run import RunOptions
from ascribe.train.runs.watching import compare, compare_live
from tests.bundle.made import CREATED, made, rows

from .telemetry import NAMES, Lake, pour, telemetry

NAME = "power"
T = Thresholds()


def production(tmp_path, **changes) -> RunOptions:
    """A bundle of the same law as the telemetry, in production."""
    registry = Registry(str(tmp_path / "registry"))
    version = registry.publish(NAME, made(tmp_path / "bundle", **{"amortized": True, "surrogate": True} | changes))
    registry.promote(NAME, version, CREATED)
    return RunOptions(str(tmp_path / "lake"), registry.uri, NAME)


def test_rows_of_the_same_law_are_steady(tmp_path):
    options = production(tmp_path)
    found = compare(options, pour(options.lake, telemetry(2000, seed=10)), 2000)
    assert found.word == "steady"
    assert found.energy_p > 0.01
    assert (found.rows_before, found.rows_now, found.left_out) == (300, 2000, 0)
    assert [s.name for s in found.inputs] == [s.name for s in found.attributions] == list(NAMES)
    assert found.tier == "fast"
    assert found.errors is not None
    assert word(found.errors, T) == "steady"


def test_a_shift_of_one_input_is_found_in_it_its_attribution_and_the_prediction(tmp_path):
    """One standard deviation: 3 W of 9 W that predictions spread by."""
    options = production(tmp_path)
    found = compare(options, pour(options.lake, telemetry(2000, seed=9, shift=1.0)), 2000)
    assert found.word == "drifted"
    assert found.reasons[0].startswith("inputs that carry ")
    assert "drifted: busy (PSI " in found.reasons[0]
    assert [word(s, T) for s in found.inputs] == ["drifted", "steady", "steady"]
    assert [word(s, T) for s in found.attributions] == ["drifted", "steady", "steady"]
    busy = found.inputs[0]
    assert busy.mean_now - busy.mean_before == pytest.approx(0.1, abs=0.02)
    assert busy.ks == pytest.approx(0.38, abs=0.08)  # 2 Phi(1/2) - 1
    assert found.predictions.mean_now - found.predictions.mean_before == pytest.approx(3, abs=1.2)
    assert found.energy_p <= 0.01


def test_watts_that_no_longer_follow_the_counters_are_drift_of_errors_alone(tmp_path):
    options = production(tmp_path)
    found = compare(options, pour(options.lake, telemetry(2000, seed=9, noise=5.0)), 2000)
    assert found.errors is not None
    assert word(found.errors, T) == "drifted"
    assert found.errors.mean_now > 5 * found.errors.mean_before
    assert {word(s, T) for s in (*found.inputs, found.predictions, *found.attributions)} == {"steady"}


def test_weights_are_shares_of_what_is_attributed(tmp_path):
    options = production(tmp_path)
    found = compare(options, pour(options.lake, telemetry(1000, seed=9)), 1000)
    weights = np.array([s.weight for s in found.inputs])
    wanted = np.array([3.0, 3.2, 4.0])  # weight times spread
    assert weights == pytest.approx(wanted / wanted.sum(), abs=0.04)


def test_only_the_newest_rows_count(tmp_path):
    options = production(tmp_path)
    pour(options.lake, telemetry(1000, seed=9, shift=3.0))
    lake = pour(options.lake, telemetry(1000, seed=8, start=1000))
    assert compare(options, lake, 1000).word == "steady"
    found = compare(options, lake, 2000)
    assert found.word == "drifted"
    assert "2000 newest rows, 2026-11-01 00:00 to 2026-11-01 00:24 UTC" in found.now


def test_rows_that_no_model_can_answer_are_left_out_and_counted(tmp_path):
    options = production(tmp_path)
    table = telemetry(500, seed=9)
    held = table["busy"].to_numpy().copy()
    held[:7], held[7:10] = np.nan, 99.0
    table = table.set_column(table.column_names.index("busy"), "busy", [held])
    found = compare(options, pour(options.lake, table), 500)
    assert (found.left_out, found.rows_now) == (10, 490)


def test_without_labels_errors_are_left_out(tmp_path):
    options = production(tmp_path)
    assert compare(options, pour(options.lake, telemetry(500, seed=9, unlabelled=480)), 500).errors is None


def test_a_bundle_without_a_cheap_tier_is_compared_without_attributions(tmp_path):
    options = production(tmp_path, amortized=False)
    found = compare(options, pour(options.lake, telemetry(500, seed=9)), 500)
    assert (found.tier, found.attributions) == ("", ())
    assert [s.weight for s in found.inputs] == pytest.approx([1 / 3] * 3)


def test_what_was_found_is_kept_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(drifting, "KEPT", 2)
    options = production(tmp_path)
    lake = pour(options.lake, telemetry(500, seed=9))
    state = State(beside(options.lake))
    assert newest(state, NAME) is None
    for at in range(3):
        found = compare(options, lake, 500, clock=lambda at=at: 1_800_000_000.0 + at)
    assert newest(state, NAME) == found
    assert state.names("drift", NAME) == ["2027-01-15T08:00:01Z", "2027-01-15T08:00:02Z"]


def test_the_same_rows_give_the_same_answer(tmp_path):
    options = production(tmp_path)
    lake = pour(options.lake, telemetry(500, seed=9))
    a, b = (compare(options, lake, 500, clock=lambda: 1.8e9) for _ in range(2))
    assert a == b


def test_too_few_rows_and_absent_columns_are_named(tmp_path):
    options = production(tmp_path)
    lake = pour(options.lake, telemetry(30, seed=9))
    with pytest.raises(InputError, match="30 rows now and 300 before can be compared, 50 are the least"):
        compare(options, lake, 500)
    with pytest.raises(SchemaError, match="no column fan"):
        lake_rows(lake.snapshot(), ("busy", "fan"), 0)


def test_nothing_in_production_and_an_empty_lake_are_named(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    options = RunOptions(lake.uri, str(tmp_path / "registry"), NAME)
    with pytest.raises(NotFound):
        compare(options, lake, 500)
    options = production(tmp_path)
    with pytest.raises(InputError, match="is empty"):
        compare(options, lake, 500)
    lake.append(EMPTY, None, None, {"s": 7})  # every row was refused
    with pytest.raises(InputError, match="version 1 holds no rows: `ascribe lake show"):
        compare(options, lake, 500)


def live(options: RunOptions, seed: int, count: int = 200, shift: float = 0.0) -> Live:
    version = Registry(options.registry).channel(NAME).current.version
    X = rows(count, seed) + np.array([0.1 * shift, 0, 0])
    f = (40 + X @ np.array([30.0, 8.0, 2.0])).tolist()
    return Live(version, f"2026-11-26T00:00:{seed:02d}Z", list(NAMES), X.tolist(), f, [], 10 * count)


def test_live_rows_of_all_servers_are_compared_with_what_the_model_was_judged_on(tmp_path):
    options = production(tmp_path)
    state = State(beside(options.lake))
    for server in range(3):
        write_live(state, NAME, f"server-{server}", live(options, 10 + server))
    found = compare_live(options)
    assert found.word == "steady"
    assert found.now == "live traffic, 600 of 6000 rows answered until 2026-11-26T00:00:12Z"
    assert found.errors is None
    for server in range(3):
        write_live(state, NAME, f"server-{server}", live(options, 10 + server, shift=2.0))
    assert compare_live(options).word == "drifted"


def test_live_rows_of_another_version_do_not_count(tmp_path):
    options = production(tmp_path)
    write_live(State(beside(options.lake)), NAME, "a", replace_version(live(options, 1), "old"))
    with pytest.raises(NotFound, match="no live rows of power"):
        compare_live(options)


def test_live_rows_are_thinned_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(drifting, "MOST_ROWS", 50)
    options = production(tmp_path)
    sample = live(options, 1, count=99)
    kept = live_rows(sample)
    assert kept.X.tolist() == sample.X[::2]
    assert np.isnan(kept.y).all()


def replace_version(sample: Live, version: str) -> Live:
    return Live(version, sample.at, sample.names, sample.X, sample.predictions, sample.attributions, sample.seen)


def test_thresholds_are_the_operators(tmp_path):
    options = production(tmp_path)
    lake = pour(options.lake, telemetry(2000, seed=9, shift=1.0))
    calm = compare(options, lake, 2000, replace(T, watch=5.0, drifted=9.0))
    assert calm.word == "steady"
