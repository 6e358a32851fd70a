"""From a file of series to a bundle: every candidate, the choice among them, one by name."""

import numpy as np
import polars as pl
import pytest

from ascribe.bundle import archive
from ascribe.bundle.forecast import open_forecaster
from ascribe.bundle.held_windows import held_windows
from ascribe.core.errors import InputError
from ascribe.core.forecast import window_of
from ascribe.train.forecasting.choosing import chosen, hidden
from ascribe.train.forecasting.train import CANDIDATES, ForecastOptions, train_forecast
from ascribe.train.series.options import SeriesOptions
from tests.train.forecasting.series import DAY, STEP_S, weekly


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    series = weekly(days=40, names=("north", "south"))
    path = tmp_path_factory.mktemp("data") / "series.parquet"
    time = pl.Series("time", series.time_s * 1000).cast(pl.Datetime("ms", "UTC"))
    values = np.where(series.observed, series.values, np.nan)
    pl.DataFrame({"time": time, "north": values[:, 0], "south": values[:, 1]}).write_parquet(path)
    return path


def asked(place, out, **more):
    """With a small network: it is to compete, not to win."""
    data = SeriesOptions(str(place), "time", ("north", "south"), step=f"{STEP_S}s", zone="UTC", unit="Mb/s")
    small = ("patch=0", "hidden=8", "dense=8")  # a day of the context is a step
    return ForecastOptions(data, out, "3d", "18h", epochs=2, network=small, **more)


def test_from_a_file_to_a_bundle(place, tmp_path):
    report = train_forecast(asked(place, tmp_path / "bundle"))
    assert set(report.candidates) | set(report.left_out) == set(CANDIDATES)
    assert "last_week" in report.left_out  # three days hold none
    least = min(report.candidates, key=lambda name: report.candidates[name]["mase"])
    assert report.family == least
    bundle = archive.open_directory(tmp_path / "bundle")
    served, held = open_forecaster(bundle), held_windows(bundle)
    assert bundle.manifest.family == report.family and bundle.manifest.metrics["candidates"] == report.candidates
    told = bundle.manifest.origin["forecast"]
    first_s = told["test_from_s"]
    start_s = weekly().start_s
    assert (start_s + STEP_S * held.moment >= first_s).all()
    f, lower, upper = served.forecast(held.x)
    there = np.isfinite(held.y)
    assert np.nanmean(np.abs(held.y - f) / held.scale[:, None]) < 1
    assert 0.75 < ((held.y >= lower) & (held.y <= upper))[there].mean() < 0.99


def test_one_family_by_name_and_the_same_seed(place, tmp_path, monkeypatch):
    monkeypatch.setattr("ascribe.train.forecasting.bundle.GRADIENT_STEPS", 0)  # no slopes: they are asked above
    for name in ("a", "b"):
        train_forecast(asked(place, tmp_path / name, family="traffic_seq2seq", seed=4))
    a, b = (archive.open_directory(tmp_path / name) for name in ("a", "b"))
    assert a.manifest.family == "traffic_seq2seq" and a.read("predict") == b.read("predict")
    losses = a.manifest.metrics["losses"][0]
    assert len(losses["learn"]) == len(losses["judge"]) >= losses["best"] >= 1
    with pytest.raises(InputError, match="no family"):
        train_forecast(asked(place, tmp_path / "c", family="oracle"))


def test_steps_of_a_day_and_of_25_minutes_are_trained(tmp_path):
    """No whole number of them is six hours."""
    for step_s, context, horizon, apart in ((86400, "14d", "7d", 1), (1500, "75h", "5h", 12)):
        time_s, k = 1672531200 + step_s * np.arange(400), np.arange(400)
        place, out = tmp_path / f"{step_s}.parquet", tmp_path / str(step_s)
        pl.DataFrame({"time": time_s, "n": 100 + 9 * np.sin(k / 3) + k % 7}).write_parquet(place)
        data = SeriesOptions(str(place), "time", ("n",), zone="UTC")
        train_forecast(ForecastOptions(data, out, context, horizon, family="seasonal_mean"))
        held = held_windows(archive.open_directory(out))
        assert len(held.x) and set(np.diff(held.moment)) == {apart}


def test_hidden_blocks_are_hidden_and_what_wins_can_be_served():
    series = weekly(days=40)
    window = window_of(series, 3 * DAY, DAY)
    blocks, at = hidden(series, window, 36 * DAY)
    steps = at[:, :1] + np.arange(window.horizon)
    assert len(at) and not blocks.observed[steps, at[:, 1:]].any() and steps.max() < 36 * DAY
    assert blocks.observed.mean() > 0.6 and np.array_equal(blocks.values, series.values)
    told = {"trees": {"mase": 0.5}, "ridge": {"mase": 0.7}, "network": {"mase": 0.7}, "dead": {"mase": None}}
    assert chosen(told, {"ridge", "network", "dead"}) == "ridge"
