"""Attention beside the values of a window, on one sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.answer import Answer
from ascribe.core.attention import Matrices
from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.inside import Parts
from ascribe.core.layout import Layout
from ascribe.report.days import looked_by_day
from ascribe.report.drawn import View
from ascribe.report.kinds import draw, fitting

LAYOUT = Layout("series", (6, 2), words=("value", "observed"), step_s=43200, day=2)
VALUES = np.array([[4.0, 0, 0, 1, 0, 0, 2, 0, -1, 0, -2, 0]])
PARTS = Parts(("+1", "+2"), ("k0", "k1", "k2"), np.array([[0, 2], [2, 4], [4, 6]]))
LOOKED = np.array([[[[0.2, 0.3, 0.5], [0.0, 0.1, 0.9]]]])


def answer(parts: bool = True) -> Answer:
    info = Info("integrated_gradients", "baseline", "path", "gauss_legendre", 16, 1, 0, unit="Gb/s", output="peak")
    one = np.ones(1)
    a = Attribution(
        VALUES, 1.0, np.array([5.0]), np.zeros((1, 12)), one, np.array(["ok"]), ("",), LAYOUT.names(()),
        np.ones((1, 12)), info, LAYOUT.names(()), layout=LAYOUT,
    )  # fmt: skip
    m = Matrices(("days",), PARTS.key, (LOOKED,), None, 0, {"days": PARTS} if parts else {})
    return Answer(a, (), ("north",), m)


def test_the_table_under_the_picture_has_both_by_day():
    drawn = draw(answer(), "days")
    assert drawn.head == ("day", "attention", "share of |value|", "value", "observed")
    days = {row[0]: row[1:] for row in drawn.rows}
    assert days["3 days ago"] == pytest.approx((0.1, 5 / 10, 4.0, 1.0))
    assert days["1 day ago"] == pytest.approx((0.7, 3 / 10, -3.0, 0.0))
    assert drawn.cells["looked"].values == pytest.approx(LOOKED[0, 0].T)
    assert drawn.cells["values"].values[1].tolist() == [2.0, 0.0]
    assert "days" in fitting(answer()) and {"waterfall", "bar", "heatmap"} <= set(fitting(answer()))


def test_attention_by_day_sums_to_one_and_needs_to_know_the_positions():
    m = answer().matrices
    assert m is not None and looked_by_day(m, LAYOUT, 0).sum() == pytest.approx(1)
    assert looked_by_day(replace(m, parts={}), LAYOUT, 0) is None
    with pytest.raises(InputError, match="not over parts of a window"):
        draw(answer(parts=False), "days")


def test_without_attention_the_values_are_drawn_alone():
    alone = replace(answer(), matrices=None)
    drawn = draw(alone, "days")
    assert "looked" not in drawn.cells and np.isnan(drawn.rows[0][1])
    assert draw(answer(), "attention", View(layer="days")).cells["attention-0"].columns == PARTS.key
    bars = draw(answer(), "waterfall")
    assert any("1 day ago" in str(row) for row in bars.rows)


def test_nothing_is_drawn_outside_the_sheet():
    figure = draw(answer(), "days").figure
    figure.canvas.draw()
    box = figure.bbox
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_text()):
        held = text.get_window_extent()
        assert held.x0 >= box.x0 - 1 and held.x1 <= box.x1 + 1 and held.y0 >= box.y0 - 1 and held.y1 <= box.y1 + 1, text
