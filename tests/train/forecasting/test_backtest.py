"""The backtest against loops, through the file that serves, and blind to what comes after."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ascribe.core.errors import InputError
from ascribe.core.forecast import origins, rows, targets, window_of
from ascribe.train.forecasting.backtest import BacktestOptions, backtest, of_series, write_report
from ascribe.train.forecasting.judged import Asked, judged
from ascribe.train.series.options import SeriesOptions
from ascribe.train.watch import Watcher
from tests.train.forecasting.made import UNTIL, bundle_of, weights
from tests.train.forecasting.series import DAY, weekly

GOOD = {1: 0.4, 7: 0.6}
EVERY = BacktestOptions(every="6h", families=("persistence", "yesterday", "last_week"))


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """A bundle, its series in a file, and what the command would report."""
    place, series = tmp_path_factory.mktemp("backtest"), weekly()
    bundle_of(place / "bundle", GOOD)
    time = pl.Series(series.start_s + series.step_s * np.arange(series.steps)).cast(pl.Int64)
    values = np.where(series.observed, series.values, np.nan)
    frame = pl.DataFrame({"time": pl.from_epoch(time), **{n: values[:, j] for j, n in enumerate(series.names)}})
    frame.fill_nan(None).write_parquet(place / "data.parquet")
    data = SeriesOptions(str(place / "data.parquet"), "time", series.names, unit="Mb/s", zone="UTC")
    return place, series, data, backtest(place / "bundle", data, EVERY)


def test_the_report_is_that_of_a_loop():
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    report = of_series(series, window, {}, EVERY, UNTIL)
    told = report["models"]["yesterday"]
    missed, scaled, by_step, by_series = [], [], [[] for _ in range(DAY)], {n: [] for n in series.names}
    past = np.where(series.observed, series.values, np.nan)[:UNTIL]
    scale = np.nanmean(np.abs(past[DAY:] - past[:-DAY]), axis=0)
    for at in range(UNTIL, series.steps - DAY + 1, 3):
        for j, name in enumerate(series.names):
            for t in range(DAY):
                if series.observed[at + t, j]:
                    one = abs(series.values[at + t, j] - np.float32(series.values[at + t - DAY, j]))
                    missed.append(one)
                    scaled.append(one / scale[j])
                    by_step[t].append(one)
                    by_series[name].append(one)
    assert told["mae"] == pytest.approx(np.mean(missed), rel=1e-6)
    assert told["mase"] == pytest.approx(np.mean(scaled), rel=1e-6)
    assert told["by_step"]["mae"] == pytest.approx([np.mean(v) for v in by_step], rel=1e-6)
    assert {n: v["mae"] for n, v in told["by_series"].items()} == pytest.approx(
        {n: np.mean(v) for n, v in by_series.items()}, rel=1e-6
    )
    assert told["mase_median"] == pytest.approx(
        np.median([np.mean(by_series[n]) / scale[j] for j, n in enumerate(series.names)])
    )
    assert report["targets"] == len(missed)
    assert report["test"]["moments"] == 53
    assert report["test"]["block"] == 8


def test_through_the_file_that_serves(held):
    _, series, _, report = held
    told = report["models"]["sum"]
    window = window_of(series, 7 * DAY, DAY)
    assert report["data"]["sha256"] and report["bundle"]["family"] == "sum"
    best = report["best_plain"]
    assert best == min(("persistence", "yesterday", "last_week"), key=lambda n: report["models"][n]["mase"])
    ratio = told["ratio_to_best_plain"]
    assert ratio["ratio"] == pytest.approx(told["mase"] / report["models"][best]["mase"], rel=1e-6)
    assert ratio["low"] < ratio["ratio"] < ratio["high"]
    assert report["models"][best]["ratio_to_best_plain"]["high"] == 1
    assert {"mae", "mape", "smape", "mase", "pinball", "coverage", "width"} <= set(told)
    assert len(told["by_step"]["coverage"]) == window.horizon
    curve = report["curves"][0]
    at = (curve["moment_s"] - series.start_s) // series.step_s
    j = series.names.index(curve["series"])
    wanted = 0.4 * series.values[at - DAY : at, j] + 0.6 * series.values[at - 7 * DAY : at - 6 * DAY, j]
    seen = series.observed[at - DAY : at, j] & series.observed[at - 7 * DAY : at - 6 * DAY, j]
    assert np.array(curve["models"]["sum"]["forecast"])[seen] == pytest.approx(wanted[seen], rel=1e-5)


def test_a_test_part_that_reaches_into_training_is_told(held):
    place, _, data, report = held
    notes = []
    watch = Watcher()
    watch.note = notes.append
    again = backtest(place / "bundle", data, replace(EVERY, test="14d"), watch)
    assert again["test"] == report["test"] and not notes  # where training ended
    backtest(place / "bundle", data, replace(EVERY, test="15d"), watch)
    assert len(notes) == 1 and "trained until 1970-02-16T00:00:00Z, after this test part begins" in notes[0]


def test_the_report_is_json_that_repeats(held, tmp_path):
    place, _, data, report = held
    first = write_report(report, tmp_path / "deep" / "REPORT.json").read_bytes()
    second = write_report(backtest(place / "bundle", data, EVERY), tmp_path / "again.json").read_bytes()
    assert first == second
    assert json.loads(first)["models"]["sum"]["mae"] == report["models"]["sum"]["mae"]
    assert b"NaN" not in first
    with pytest.raises(InputError, match="choose a folder that is yours"):
        write_report(report, place / "data.parquet" / "REPORT.json")


def test_a_target_that_one_cannot_answer_is_left_out_for_all():
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    at = origins(series, window, UNTIL, series.steps, 12)
    W = weights(window, GOOD)

    def ask(X):
        return X @ W, None

    def lame(X):
        f = X @ W
        f[:, 3] = np.nan
        return f, None

    report = judged(series, window, at, UNTIL, {"yesterday": Asked(ask), "lame": Asked(lame)}, 2)
    assert report["targets_left_out"] == int(np.isfinite(targets(series, window, at)[:, 3]).sum())
    assert report["models"]["yesterday"]["mae"] == report["models"]["lame"]["mae"]
    assert report["models"]["lame"]["by_step"]["mae"][3] is None
    assert "coverage" not in report["models"]["lame"]
    assert np.isfinite(rows(series, window, at)).all()


def test_what_is_fitted_beside_it_reads_nothing_of_the_test_part():
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    values = np.where(np.arange(series.steps)[:, None] < UNTIL, series.values, 1e7)
    poisoned = replace(series, values=values)
    found = [of_series(one, window, {}, EVERY, UNTIL)["models"]["yesterday"]["told"] for one in (series, poisoned)]
    assert found[0] == found[1]


def test_data_that_do_not_fit_are_refused(held, tmp_path):
    place, _, data, _ = held
    with pytest.raises(InputError, match="give more data"):
        backtest(place / "bundle", replace(data, last="3d"), EVERY)
    pl.read_parquet(data.data)[::2].write_parquet(tmp_path / "coarse.parquet")
    with pytest.raises(InputError, match="the data has a step of 4h, the model one of 2h: --step 2h"):
        backtest(place / "bundle", replace(data, data=str(tmp_path / "coarse.parquet")), EVERY)


def test_a_family_that_needs_more_context_is_left_out_and_said(tmp_path):
    series = weekly()
    report = of_series(series, window_of(series, 3 * DAY, DAY), {}, EVERY, UNTIL)
    assert list(report["models"]) == ["persistence", "yesterday"]
    assert "--context 7d" in report["left_out"]["last_week"]
    with pytest.raises(InputError, match="no family 'arima' of forecasts"):
        of_series(series, window_of(series, 3 * DAY, DAY), {}, BacktestOptions(families=("arima",)), UNTIL)
