"""One account as bars that start where the one above ended, drawn into axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from ascribe.core.quantities import Scale
from ascribe.report.account import MARKS, Entry
from ascribe.report.ink import DPI, Ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BODY", "INK", "LOWERS", "RAISES", "SMALL", "SOFT", "Panel", "Window", "draw_panel", "fit", "numbers_of"]

RAISES, LOWERS = "#D55E00", "#0072B2"  # Okabe and Ito's vermilion and blue: told apart by every kind of eye
RAISES_PALE, LOWERS_PALE = "#F2B98E", "#8FC1E3"
INK, SOFT, LINE, RULE, BAND = "#1A1A1A", "#5A5A5A", "#9A9A9A", "#DDDDDD", "#F3F3F3"
BODY, SMALL = 9.5, 8.0  # points
BAR, BAND_HEIGHT = 0.62, 0.84  # of a row
BESIDE = 6.0  # dots between a bar and its number
SIZES = ("size", "sum")  # bars that begin at 0 and lead nowhere


@dataclass(frozen=True)
class Panel:
    """One account under a title; `note` is a caution about the row (its status)."""

    title: str
    entries: tuple[Entry, ...]
    note: str = ""


@dataclass(frozen=True)
class Window:
    """The stretch of the axis that a panel shows, in the output's unit."""

    low: float
    high: float

    @property
    def span(self) -> float:
        return self.high - self.low


def fit(entries: Sequence[Entry], texts: Sequence[str], ink: Ink, plot: float) -> Window:
    """Smallest limits that hold every bar, whisker and number on `plot` inches:

        low <= x - left u,   x + right u <= high,   u = (high - low) / dots

    for every end x that needs `left` and `right` dots beside it.
    """
    points = [(at, BESIDE, BESIDE) for e in entries for at in (e.start, e.end - _whisker(e), e.end + _whisker(e))]
    for entry, text in zip(entries, texts, strict=True):
        if entry.kind not in MARKS:  # marks write inwards
            room = ink.width(text, BODY) * DPI + 2 * BESIDE
            points.append((_tip(entry), 0.0, room) if entry.value >= 0 else (_tip(entry), room, 0.0))
    low, high = min(x for x, _, _ in points), max(x for x, _, _ in points)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # nothing moved: any length will do
        room = max(abs(low), abs(high)) / 20 or 1.0
        points += [(low - room, 0.0, 0.0), (high + room, 0.0, 0.0)]
    for _ in range(100):
        u = (high - low) / (plot * DPI)
        low, high = min(x - left * u for x, left, _ in points), max(x + right * u for x, _, right in points)
    return Window(low, high)


def numbers_of(entries: Sequence[Entry], scale: Scale) -> list[str]:
    """`+12.3 W` beside bars that lead somewhere, `105.0 W` beside totals; the same decimals in the whole panel."""
    decimals = scale.decimals(e.value for e in entries)
    return [
        scale.amount(e.start, decimals)
        if e.kind in MARKS
        else scale.amount(e.value, decimals, sign=e.kind not in SIZES)
        for e in entries
    ]


def draw_panel(
    axes: Axes, panel: Panel, names: Sequence[str], texts: Sequence[str], window: Window, scale: Scale, ink: Ink,
    plot: float,
) -> None:  # fmt: skip
    """Entries from top to bottom, one unit of the y axis each; the x axis is in the output's unit."""
    axes.set_xlim(window.low, window.high)
    ticks, labels = _ticks(window, scale, ink, plot)
    axes.set_xticks(ticks, labels)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="x", labelsize=SMALL, labelcolor=SOFT, length=3, color=RULE)
    axes.tick_params(axis="y", labelsize=BODY, length=0, pad=5)
    for label, entry in zip(axes.get_yticklabels(), panel.entries, strict=True):
        label.set_parse_math(False)
        label.set_fontweight("bold" if entry.kind in MARKS else "normal")
        label.set_color(INK if entry.kind in (*MARKS, "player", "size") else SOFT)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    for y, (entry, text) in enumerate(zip(panel.entries, texts, strict=True)):
        if entry.kind in MARKS:
            _mark(axes, entry, y, text, window, len(names) - 1)
        else:
            _bar(axes, entry, y, text)


def _bar(axes: Axes, entry: Entry, y: int, text: str) -> None:
    up = entry.value >= 0
    strong, pale = (RAISES, RAISES_PALE) if up and entry.kind not in SIZES else (LOWERS, LOWERS_PALE)
    face, edge, hatch = {"folded": (pale, strong, ""), "sum": (pale, strong, "")}.get(entry.kind, (strong, strong, ""))
    if entry.kind in ("gap", "unexplained"):
        face, edge, hatch = "white", LINE, "////"
    elif entry.value == 0:
        face, edge = LINE, LINE
    bar = axes.barh(y, entry.value, BAR, left=entry.start, color=face, edgecolor=edge, linewidth=0.8, hatch=hatch)
    bar[0].set(gid=entry.kind, zorder=2)
    if _whisker(entry) > 0:
        axes.errorbar(
            entry.end, y, xerr=entry.error, fmt="none", ecolor=INK, elinewidth=1.1, capsize=2.5, capthick=1.1, zorder=3
        )
    if entry.kind not in SIZES:  # lead from the line above and to the line below
        axes.plot([entry.start] * 2, [y - 1, y], color=SOFT, linewidth=0.8, zorder=1.5)
        axes.plot([entry.end] * 2, [y, y + 1], color=SOFT, linewidth=0.8, zorder=1.5)
    _number(axes, text, _tip(entry), y, right=up)


def _mark(axes: Axes, entry: Entry, y: int, text: str, window: Window, last: int) -> None:
    """A total: its sign on a band, a line down (base) or up (prediction) past the bars, its number."""
    axes.axhspan(y - BAND_HEIGHT / 2, y + BAND_HEIGHT / 2, color=BAND, linewidth=0, zorder=0.4)
    sign, face = {"base": ("o", "white"), "prediction": ("o", INK), "measured": ("D", LINE)}[entry.kind]
    if entry.kind == "base":
        axes.plot([entry.start] * 2, [y, last], color=LINE, linewidth=1.0, linestyle=(0, (3, 3)), zorder=1)
    elif entry.kind == "prediction":
        axes.plot([entry.start] * 2, [0, y], color=LINE, linewidth=1.0, zorder=1)
    mark = axes.plot([entry.start], [y], sign, markerfacecolor=face, markeredgecolor=INK, markersize=6, zorder=4)
    mark[0].set_gid(entry.kind)
    _number(axes, text, entry.start, y, right=entry.start < (window.low + window.high) / 2, total=True)


def _number(axes: Axes, text: str, x: float, y: int, right: bool, total: bool = False) -> None:
    points = (9.0 if total else BESIDE) * 72 / DPI
    axes.annotate(
        text, (x, y), xytext=(points if right else -points, 0), textcoords="offset points",
        ha="left" if right else "right", va="center_baseline", size=BODY, weight="bold" if total else "normal",
        color=INK, zorder=5, annotation_clip=False, parse_math=False,
        bbox={"boxstyle": "square,pad=0.18", "facecolor": BAND if total else "white", "edgecolor": "none"},
    )  # fmt: skip


def _whisker(entry: Entry) -> float:
    return entry.error if isfinite(entry.error) else 0.0


def _tip(entry: Entry) -> float:
    """Where the bar and its whisker end."""
    return entry.end + _whisker(entry) if entry.value >= 0 else entry.end - _whisker(entry)


def _ticks(window: Window, scale: Scale, ink: Ink, plot: float) -> tuple[list[float], list[str]]:
    """Round numbers, as many as fit beside one another."""
    from matplotlib.ticker import MaxNLocator

    unit = 10.0**scale.power
    for bins in (6, 5, 4, 3, 2, 1):
        found = MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10]).tick_values(window.low / unit, window.high / unit)
        ticks = [float(t) for t in found if window.low / unit <= t <= window.high / unit]
        step = float(found[1] - found[0])
        decimals = next((d for d in range(10) if abs(step * 10**d - round(step * 10**d)) < 1e-6 * step * 10**d), 10)
        labels = [scale.number(t * unit, decimals) if round(t, decimals) else "0" for t in ticks]
        if sum(ink.width(text, SMALL) + 0.15 for text in labels) < plot:
            break
    return [t * unit for t in ticks], labels
