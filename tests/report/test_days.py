"""Attention beside the values of a window, on one sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.report.days import looked_by_day
from ascribe.report.drawn import View
from ascribe.report.kinds import draw, fitting

from .answers import LAYOUT, LOOKED, PARTS, window


def test_the_table_under_the_picture_has_both_by_day():
    drawn = draw(window(), "days")
    assert drawn.head == ("day", "attention", "share of |value|", "value", "observed")
    days = {row[0]: row[1:] for row in drawn.rows}
    assert days["3 days ago"] == pytest.approx((0.1, 5 / 10, 4.0, 1.0))
    assert days["1 day ago"] == pytest.approx((0.7, 3 / 10, -3.0, 0.0))
    assert drawn.cells["looked"].values == pytest.approx(LOOKED[0, 0].T)
    assert drawn.cells["values"].values[1].tolist() == [2.0, 0.0]
    assert "days" in fitting(window()) and {"waterfall", "bar", "heatmap"} <= set(fitting(window()))


def test_attention_by_day_sums_to_one_and_needs_to_know_the_positions():
    m = window().matrices
    assert m is not None and looked_by_day(m, LAYOUT, 0).sum() == pytest.approx(1)
    assert looked_by_day(replace(m, parts={}), LAYOUT, 0) is None
    with pytest.raises(InputError, match="not over parts of a window"):
        draw(window(parts=False), "days")


def test_without_attention_the_values_are_drawn_alone():
    alone = replace(window(), matrices=None)
    drawn = draw(alone, "days")
    assert "looked" not in drawn.cells and np.isnan(drawn.rows[0][1])
    assert draw(window(), "attention", View(layer="days")).cells["attention-0"].columns == PARTS.key
    bars = draw(window(), "waterfall")
    assert any("1 day ago" in str(row) for row in bars.rows)


def test_nothing_is_drawn_outside_the_sheet():
    figure = draw(window(), "days").figure
    figure.canvas.draw()
    box = figure.bbox
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_text()):
        held = text.get_window_extent()
        assert held.x0 >= box.x0 - 1 and held.x1 <= box.x1 + 1 and held.y0 >= box.y0 - 1 and held.y1 <= box.y1 + 1, text
