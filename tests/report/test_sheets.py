"""Sheets of unusual answers: nothing lies over anything, what differs is told apart, names are text in every script."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from ascribe.core.answer import Answer
from ascribe.core.faithfulness.compare import Comparison, Judged
from ascribe.core.importance.record import Importance
from ascribe.report import comparison_figure, importance, plots
from ascribe.report.drawn import View
from ascribe.report.ink import CHINESE
from ascribe.report.kinds import draw

from .answers import table


def times(by: float, rows: int = 12) -> Answer:
    """A table whose values, and their distance from the base value, are so many times as large."""
    answer = table(rows)
    a = answer.attribution
    prediction = a.base_value + by * (a.prediction - a.base_value)
    return replace(answer, attribution=replace(a, values=by * a.values, stderr=by * a.stderr, prediction=prediction))


@pytest.mark.parametrize("rows", [6, 12, 24, 30])
def test_names_of_rows_of_a_heat_map_leave_room_for_what_is_written_below(rows):
    figure = draw(table(rows), "heatmap").figure
    figure.draw_without_rendering()
    below = figure.axes[1]
    boxes = [text.get_window_extent() for text in (*figure.texts, below.xaxis.label)]
    boxes += [text.get_window_extent() for text in below.get_xticklabels()] if rows <= 10 else []
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    lowest = min((text.get_window_extent().y0 for text in below.get_xticklabels()), default=0.0)
    assert rows > 24 or below.xaxis.label.get_window_extent().y1 <= lowest + 1


def test_words_beside_a_strip_of_colours_are_whole_where_lines_do():
    told = [text.get_text() for axes in draw(table(3), "heatmap", View(top=3)).figure.axes for text in axes.texts]
    assert " ".join(told[0].split()) == "value; colours end here"


def test_a_prediction_near_its_base_value_is_told_apart():
    figure = draw(times(1e-4), "force", View(rows=(0,))).figure
    base, prediction = (
        next(text.get_text().removeprefix(name) for text in figure.texts if text.get_text().startswith(name))
        for name in ("base value", "prediction")
    )
    assert base != prediction
    figure.draw_without_rendering()
    assert figure.axes[-1].xaxis.get_offset_text().get_text() == ""  # the axis has whole numbers


@pytest.mark.parametrize("kind", ["heatmap", "beeswarm", "force", "waterfall", "bar"])
@pytest.mark.parametrize("by", [1e200, 1e-200])
def test_what_is_huge_or_tiny_is_drawn(kind, by):
    draw(times(by), kind)


def test_chinese_names_are_drawn_wherever_names_are(tmp_path):
    from matplotlib.font_manager import fontManager

    if not {font.name for font in fontManager.ttflist} & set(CHINESE):
        pytest.skip("no font here has Chinese letters")
    drawn = importance.figure(Importance(("处理器占用率", "内存"), np.ones(2), np.full(2, 0.1), "mean_abs", 30, "W"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save(drawn, tmp_path / "importance.png")


def test_signs_of_formulas_in_the_output_of_a_comparison_are_only_text(tmp_path):
    judged = tuple(Judged(name, insertion_curve=(0.0, 1.0), deletion_curve=(1.0, 0.0)) for name in ("lime", "random"))
    told = Comparison(judged, ("lime",), np.ones((1, 1)), (0.0, 1.0), 3, "W", r"$\frac$ of $x_1$", "v", 0.1, 0)
    plots.save(comparison_figure.figure(told), tmp_path / "comparison.png")
