"""Pictures of forecasts: numbers in the unit asked for, and nothing beyond the edge or on top of something else."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from ascribe.core.errors import InputError
from ascribe.core.forecast import window_of
from ascribe.report import forecast, forecast_table, losses
from ascribe.train.forecasting.backtest import BacktestOptions, of_series
from tests.train.forecasting.made import UNTIL
from tests.train.forecasting.series import DAY, STEP_S, weekly


@pytest.fixture(scope="module")
def report():
    series = weekly()
    return of_series(series, window_of(series, 7 * DAY, DAY), {}, BacktestOptions(), UNTIL)


def texts(figure):
    """Every text that is seen, with its box in pixels."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    both = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    ticks = [(axis, tick) for axis in both for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())]
    beyond = [tick.label1 for axis, tick in ticks if tick not in axis._update_ticks()]  # there, and never drawn
    every = figure.findobj(lambda t: isinstance(t, Text) and t not in beyond)
    found = [t for t in every if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in found]


def check(figure):
    width, height = figure.canvas.get_width_height()
    seen = texts(figure)
    for text, box in seen:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
    for (a, one), (b, other) in itertools.combinations(seen, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        along = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across < 1 or along < 1, (a, b)


def test_a_forecast_in_another_unit(report):
    curves = [forecast.curve_of(told, "yesterday", STEP_S) for told in report["curves"][:3]]
    figure = forecast.figure(curves, "Mb/s", "kb/s", nominal=0.9, days=3)
    check(figure)
    assert [axes.get_ylabel() for axes in figure.axes] == ["kb/s"] * 3
    told = next(line for line in figure.axes[0].lines if line.get_color() == forecast.TOLD)
    assert told.get_ydata() == pytest.approx(1000 * curves[0].forecast)
    past = next(line for line in figure.axes[0].lines if line.get_color() == forecast.PAST)
    assert len(past.get_ydata()) == 3 * DAY
    assert past.get_xdata()[-1] == pytest.approx((curves[0].time_s[0] - STEP_S) / 86400)
    true = next(line for line in figure.axes[0].lines if line.get_color() == forecast.TRUE)
    assert np.isnan(true.get_ydata()).sum() == np.isnan(curves[0].true).sum()


def test_a_forecast_without_truth_or_band(report):
    one = forecast.curve_of(report["curves"][0], "yesterday", STEP_S)
    bare = forecast.Curve("a very long name of a series " * 8, one.time_s, one.forecast, one.past)
    figure = forecast.figure([bare], "Mb/s")
    check(figure)
    assert "what came" not in [text for text, _ in texts(figure)]
    with pytest.raises(InputError, match="different things"):
        forecast.figure([bare], "Mb/s", "W")
    with pytest.raises(InputError, match="1 to 8"):
        forecast.figure([], "Mb/s")


def test_what_lies_below_zero_is_drawn():
    """A past above zero says nothing of what comes: of degrees, of a balance."""
    time_s, past = 3600.0 * np.arange(6), np.linspace(5, 1, 20)
    for told, lower, ends in ((past[:6], None, 0), (past[:6], past[:6] - 9, -5), (np.linspace(0, -5, 6), None, -5)):
        figure = forecast.figure(
            [forecast.Curve("t", time_s, told, past, None, lower, None if lower is None else told)]
        )
        low = figure.axes[0].get_ylim()[0]
        assert low == 0 if not ends else low <= ends


def test_the_table_says_what_the_report_says(report):
    rows = forecast_table.rows_of(report)
    assert {row[0] for row in rows} == {"persistence", "yesterday", "last week", "seasonal mean"}
    assert [float(row[3]) for row in rows] == sorted(float(row[3]) for row in rows)
    first = report["models"][rows[0][0].replace(" ", "_")]
    assert float(rows[0][1].replace(",", "")) == pytest.approx(first["mae"], rel=5e-3)
    assert [row[7] == "" for row in rows].count(True) == 1
    thousand = forecast_table.rows_of(report, "kb/s")
    assert float(thousand[0][1].replace(",", "")) == pytest.approx(1000 * first["mae"], rel=5e-3)


def test_the_picture_of_a_backtest(report):
    figure = forecast_table.figure(report, "Gb/s")
    check(figure)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "MAE (Gb/s)"
    assert len(axes.lines) == 4
    yesterday = next(line for line in axes.lines if line.get_label() == "yesterday")
    assert yesterday.get_ydata() == pytest.approx(np.array(report["models"]["yesterday"]["by_step"]["mae"]) / 1000)
    with pytest.raises(InputError, match="judges no forecaster"):
        forecast_table.figure({"models": {}})


def test_losses():
    figure = losses.figure([0.9, 0.5, 0.4], [0.8, 0.6, 0.7], "loss", "Mb/s", "kb/s")
    check(figure)
    assert figure.axes[0].lines[1].get_ydata().tolist() == [800, 600, 700]
    assert "kept: epoch 2, 600" in [text for text, _ in texts(figure)]
    check(losses.figure([1.0], []))
    assert losses.figure([50.0, 1.0, 0.5]).axes[0].get_yscale() == "log"
    with pytest.raises(InputError, match="no losses"):
        losses.figure([])
