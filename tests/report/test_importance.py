"""Importance as dots: names are text, whatever signs they hold."""

from __future__ import annotations

import numpy as np

from ascribe.core.importance.record import Importance
from ascribe.report import plots
from ascribe.report.importance import figure


def test_signs_of_formulas_in_names_and_units_are_only_text(tmp_path):
    names = ("cost_$_low_$", "load")
    drawn = figure(Importance(names, np.array([2.0, 1.0]), np.full(2, 0.1), "mean_abs", 30, "$_per_$"))
    assert plots.save(drawn, tmp_path / "importance.png").read_bytes().startswith(b"\x89PNG")
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == list(names)
