"""Parts by time, the newest contexts beside a lake, and the two data sets of the repository."""

from itertools import groupby
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import write_deltalake

from ascribe.bundle.state import State, beside
from ascribe.bundle.zones import clock
from ascribe.core.errors import InputError
from ascribe.core.forecast import rows, targets, window_of
from ascribe.core.forecast.context import of_latest
from ascribe.core.forecast.gaps import Rules
from ascribe.core.forecast.rows import reach
from ascribe.train.series.latest import leave_latest, refresh_latest
from ascribe.train.series.options import SeriesOptions
from ascribe.train.series.read import mended, read_series
from ascribe.train.series.split import parts_of
from tests.train.series.made import hourly, options

DATA = Path(__file__).parents[3] / "examples" / "data"


@pytest.mark.parametrize(("test", "hours"), [(0.25, 120), ("5d", 120), ("0.5", 240)])
def test_parts_share_no_step_that_is_forecast(test, hours):
    series = mended(hourly(), options(), Rules()).series
    window = window_of(series, 48, 24)
    parts = parts_of(series, window, test)
    assert parts.end - parts.test == hours and parts.end == series.steps
    forecast = []
    for name, found in (("training", parts.training), ("validation", parts.validation), ("test", parts.testing)):
        at = found(series, window, 6)
        assert len(at), name
        forecast.append({k for i in at[:, 0].tolist() for k in range(i, i + 24)})
        assert np.isfinite(targets(series, window, at)).all()
    assert max(forecast[0]) < parts.fit <= min(forecast[1]) and max(forecast[1]) < parts.test <= min(forecast[2])
    assert len(parts.testing(series, window, 6)) == 2 * ((hours - 24) // 6 + 1)


def test_parts_that_hold_no_window_are_refused():
    series = mended(hourly(), options(), Rules()).series
    for context, test, part in ((24 * 16, 0.25, "training"), (48, "12h", "test")):
        with pytest.raises(InputError, match=f"the {part} part has no whole window: one takes .* the data spans 20d"):
            parts_of(series, window_of(series, context, 24), test)
    hole = hourly().filter(~pl.col("time").dt.day().is_between(6, 19))
    series = mended(hole, options(), Rules()).series
    with pytest.raises(
        InputError, match=r"validation part .* from 2024-01-\d\dT\d\d:00:00 to .* north was measured for \d+%"
    ):
        parts_of(series, window_of(series, 48, 24))
    with pytest.raises(InputError, match="a share between 0 and 1"):
        parts_of(series, window_of(series, 48, 24), "30d")


def test_the_grid_ends_with_the_last_number():
    table = hourly().with_columns(bits=pl.when(pl.col("time").dt.day() < 15).then("bits"))
    found = mended(table, options(), Rules())
    assert found.series.steps == 24 * 14 and found.mends == ()


def test_the_newest_context_lies_beside_the_lake(tmp_path):
    lake = str(tmp_path / "lake")
    table = hourly(40, ("north 1", "südwest/2", "gone"))
    table = table.filter((pl.col("link") != "gone") | (pl.col("time") < table["time"][24 * 3 * 10]))
    write_deltalake(
        lake, table.with_columns(day=pl.col("time").dt.strftime("%Y-%m-%d")).to_arrow(), partition_by=["day"]
    )
    whole = read_series(options(lake, zone="Europe/London"))
    window = window_of(whole.series, 24 * 7, 24, derived=("lag_1d",))
    read = refresh_latest(options(lake, zone="Europe/London"), window)
    assert read.series.steps < whole.series.steps  # old days were not read
    state = State(beside(lake))
    assert state.names("series") == ["north 1", "südwest/2"]
    held = [state.get("series", name) for name in ("north 1", "südwest/2")]
    assert held[0]["zone"] == "Europe/London" and len(held[0]["values"]) == reach(window)
    told = of_latest(held, window, clock("Europe/London"))
    order = [whole.series.names.index(name) for name in ("north 1", "südwest/2")]
    at = np.array([[whole.series.steps, j] for j in order])
    assert told.rows.tobytes() == rows(whole.series, window, at).tobytes()
    assert told.start_s[0] == whole.series.time_s[-1] + 3600
    assert leave_latest(whole.series, window, "UTC", state) == 2


def test_the_backbone_is_whole_and_its_christmas_is_told():
    found = read_series(
        SeriesOptions(str(DATA / "B5M.csv.gz"), "timestamp", ("bits",), step="5min", zone="Europe/London")
    )
    series = found.series
    assert (series.steps, series.step_s, series.names) == (19888, 300, ("bits",)) and series.observed.all()
    assert [(m.kind, m.from_s // 86400) for m in found.mends] == [("shift", 12768), ("shift", 12790)]  # 16 Dec, 7 Jan
    window = window_of(series, 2016, 288)
    parts = parts_of(series, window)
    at = parts.testing(series, window, 72)  # every six hours
    assert len(at) == 66 and rows(series, window, at[:2]).shape == (2, 2016 * 8)


def test_the_two_missing_days_of_the_machines_are_filled_by_the_week_before():
    path = DATA / "rnd_24vm_5min.parquet"
    names = tuple(name for name in pl.read_parquet_schema(path) if name.endswith("rx_kbs"))
    assert len(names) == 24
    found = read_series(SeriesOptions(str(path), "timestamp_utc", names, step="5min", zone="UTC", unit="kB/s"))
    series = found.series
    assert series.values.shape == (26208, 24)
    whole_days = [m for m in found.mends if m.kind == "gap" and m.series == "all 24 series" and m.count == 288 * 24]
    assert [m.rule for m in whole_days] == ["12 x the last value, 276 x the same time a week before"]
    values = pl.read_parquet(path).select(names).to_numpy()
    days = np.isnan(values).all(axis=1).reshape(-1, 288).all(axis=1)
    assert int(days.sum()) == 2
    for day in np.flatnonzero(days).tolist():
        at = np.arange(288 * day + 12, 288 * (day + 1))
        assert not series.observed[at].any()
        week = series.observed[at - 2016]
        np.testing.assert_array_equal(series.values[at][week], series.values[at - 2016][week])
    frozen = {m.series for m in found.mends if m.kind == "outage" and m.count > 1000}
    runs = {
        name: max(len(list(run)) for _, run in groupby(column)) for name, column in zip(names, values.T, strict=True)
    }
    assert frozen == {name for name, longest in runs.items() if longest > 1000}
    assert frozen == {"vm412_rx_kbs", "vm415_rx_kbs", "vm421_rx_kbs"}
    assert len(parts_of(series, window_of(series, 2016, 288)).testing(series, window_of(series, 2016, 288), 72)) > 1500
