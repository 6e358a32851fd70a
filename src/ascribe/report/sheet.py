"""Panels side by side on one sheet, laid out by measured text: nothing overlaps and nothing is cut.

The width of every name and number is measured first; columns, margins and axis limits follow from it. Objects only:
no pyplot, no global state. Lengths are in inches, from the top left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ascribe.core.quantities import Scale
from ascribe.report.account import MARKS
from ascribe.report.ink import Ink, blank, measured, short
from ascribe.report.panel import BODY, INK, SMALL, SOFT, Panel, Window, draw_panel, fit, numbers_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Words", "draw", "height_of", "lines_of", "shared"]

ROW, MARGIN, GUTTER, BELOW_AXES = 0.33, 0.25, 0.35, 0.62
HEAD, SUB, TITLE = 14.0, 9.5, 11.0  # points
LEADING = 1.45 / 72  # inches of line per point of text
PLOT_WIDTH = {1: 6.2, 2: 4.5}
NARROW_PLOT = 3.8
LEAST_FILLED = 0.25

Line = tuple[str, float, str, str]  # text, points, colour, weight


@dataclass(frozen=True)
class Words:
    """Everything written around the panels. `legend`: (colour, text) pairs."""

    head: str
    sub: str
    foot: str
    axis: str
    legend: tuple[tuple[str, str], ...] = ()


def draw(panels: Sequence[Panel], words: Words, scale: Scale) -> Figure:
    """The figure, with one axes per panel in their order. Raises MissingExtra without matplotlib."""
    ink = measured()
    texts = [numbers_of(p.entries, scale) for p in panels]
    names = [[short(e.label) for e in p.entries] for p in panels]
    columns = [
        max(ink.width(name, BODY, bold=e.kind in MARKS) for name, e in zip(given, p.entries, strict=True)) + 0.12
        for given, p in zip(names, panels, strict=True)
    ]
    longest = max(ink.width(text, BODY, bold=True) for given in texts for text in given)
    plot = max(PLOT_WIDTH.get(len(panels), NARROW_PLOT), longest / 0.4)  # a number on either side leaves room for bars
    inner = sum(columns) + plot * len(panels) + GUTTER * (len(panels) - 1)
    windows, remark = shared([fit(p.entries, t, ink, plot) for p, t in zip(panels, texts, strict=True)])

    head = lines_of(ink, words.head, HEAD, INK, "bold", inner) + lines_of(ink, words.sub, SUB, SOFT, "normal", inner)
    caps = [
        lines_of(ink, p.title, TITLE, INK, "bold", c + plot) + lines_of(ink, p.note, SMALL, INK, "normal", c + plot)
        for p, c in zip(panels, columns, strict=True)
    ]
    legend = _legend(ink, words.legend, inner)
    foot = lines_of(ink, " · ".join(filter(None, (words.foot, remark))), SMALL, SOFT, "normal", inner)
    top = MARGIN + height_of(head) + 0.18
    start = top + max(map(height_of, caps)) + 0.06
    body = ROW * (max(len(p.entries) for p in panels) + 0.3)
    below = start + body + BELOW_AXES
    last = below + len(legend) * SUB * LEADING + 0.1
    width, height = inner + 2 * MARGIN, last + height_of(foot) + MARGIN

    figure = blank(width, height)

    def write(x: float, y: float, lines: Sequence[Line]) -> None:
        for text, size, colour, weight in lines:
            figure.text(
                x / width, 1 - y / height, text, size=size, color=colour, weight=weight, va="top", parse_math=False
            )
            y += size * LEADING

    write(MARGIN, MARGIN, head)
    x = MARGIN
    for panel, given, text, column, cap, window in zip(panels, names, texts, columns, caps, windows, strict=True):
        write(x, top, cap)
        axes = figure.add_axes(
            ((x + column) / width, 1 - (start + body) / height, plot / width, body / height), facecolor="white"
        )
        axes.set_ylim(body / ROW - 0.65, -0.65)
        draw_panel(axes, panel, given, text, window, scale, ink, plot)
        axes.set_xlabel(ink.fitted(words.axis, SMALL, plot), size=SMALL, color=SOFT, parse_math=False)
        x += column + plot + GUTTER
    for k, items in enumerate(legend):
        for at, colour, text in items:
            write(MARGIN + at, below + k * SUB * LEADING, [(text, SUB, colour, _weight(colour))])
    write(MARGIN, last, foot)
    return figure


def shared(windows: Sequence[Window]) -> tuple[list[Window], str]:
    """Windows of one length, so that a watt is as long in every panel, and the remark that says so.

    Where that would leave a panel filled to less than a quarter, each keeps its own, and the remark warns.
    """
    widest = max(w.span for w in windows)
    if len(windows) == 1:
        return list(windows), ""
    if min(w.span for w in windows) < LEAST_FILLED * widest:
        return list(windows), "each panel has its own scale: do not compare lengths between panels"
    middles = [(w.low + w.high) / 2 for w in windows]
    return [Window(m - widest / 2, m + widest / 2) for m in middles], "lengths compare between panels"


def lines_of(ink: Ink, text: str, size: float, colour: str, weight: str, width: float) -> list[Line]:
    return [(line, size, colour, weight) for line in ink.wrapped(text, size, width, bold=weight == "bold")]


def height_of(lines: Sequence[Line]) -> float:
    return sum(size for _, size, _, _ in lines) * LEADING


def _weight(colour: str) -> str:
    return "normal" if colour == SOFT else "bold"


def _legend(ink: Ink, items: Sequence[tuple[str, str]], width: float) -> list[list[tuple[float, str, str]]]:
    """Lines of (x, colour, text)."""
    lines: list[list[tuple[float, str, str]]] = []
    x = 0.0
    for colour, text in items:
        wide = ink.width(text, SUB, bold=_weight(colour) == "bold")
        if not lines or x + wide > width:
            lines.append([])
            x = 0.0
        lines[-1].append((x, colour, text))
        x += wide + 0.3
    return lines
