"""Importance as dots with their intervals, the largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ascribe.core.errors import InputError
from ascribe.core.importance.record import Importance
from ascribe.report.ink import blank, lettered, measured, short
from ascribe.report.panel import INK, RULE, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure"]

DOT, GREY = "#0072B2", "#9A9A9A"
ROW, PLOT, MARGIN, ABOVE, BELOW = 0.28, 4.8, 0.25, 0.75, 0.6  # inches
TEXT, SMALL, HEAD = 9.5, 8.0, 12.0  # points
SAYS = {
    "permutation": "how much worse the model gets when a feature is shuffled",
    "sage": "how much of the loss a feature takes away, shared fairly",
    "mean_abs": "mean size of a feature's part of the predictions",
}


@lettered()
def figure(told: Importance, top: int = 30) -> Figure:
    """The `top` largest. A grey dot: its interval holds 0. Raises MissingExtra without matplotlib."""
    if not len(told.features):
        raise InputError("there is no importance to draw")
    ink = measured()
    shown = told.order[:top]
    names = [short(told.features[j]) for j in shown]
    column = max(ink.width(name, TEXT) for name in names) + 0.15
    width, tall = column + PLOT + 2 * MARGIN, ROW * len(shown) + 0.1
    height = ABOVE + tall + BELOW
    drawn = blank(width, height)
    axes = drawn.add_axes(((MARGIN + column) / width, BELOW / height, PLOT / width, tall / height), facecolor="white")
    low, high = told.interval()
    for k, j in enumerate(shown):
        colour = GREY if low[j] <= 0 <= high[j] else DOT
        axes.plot([low[j], high[j]], [k, k], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot(told.values[j], k, "o", color=colour, markersize=5)
    axes.axvline(0, color=RULE, linewidth=1, zorder=0)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks(range(len(shown)), names, size=TEXT, color=INK, parse_math=False)
    axes.tick_params(axis="x", labelsize=SMALL, colors=SOFT)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    loss = f", {told.loss} loss" if told.loss else ""
    unit = f" ({told.unit})" if told.unit else ""
    axes.set_xlabel(f"{told.method}{loss}{unit}, line: 95 % interval", size=SMALL, color=SOFT, parse_math=False)
    wide = width - 2 * MARGIN
    for y, text, size, colour in (
        (0.15, f"Importance over {told.rows:,} rows", HEAD, INK), (0.42, SAYS[told.method], SMALL, SOFT),
    ):  # fmt: skip
        fitted = ink.fitted(text, size, wide)
        drawn.text(MARGIN / width, 1 - y / height, fitted, size=size, color=colour, va="top", parse_math=False)
    return drawn
