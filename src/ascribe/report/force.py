"""Force: the shares of a row as arrows on one line; what raises pushes from the left, what lowers from the right, and
they meet at the prediction.

    base + sum raising + sum lowering = prediction
    raising: prediction - sum raising ... prediction,      lowering: prediction ... prediction + |sum lowering|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from ascribe.core.answer import Answer
from ascribe.core.quantities import Scale, scale_of
from ascribe.report.account import Entry
from ascribe.report.captions import words_for
from ascribe.report.drawn import Drawn, View
from ascribe.report.frame import Body, framed, name_of, plain_axes
from ascribe.report.ink import Ink, measured
from ascribe.report.panel import INK, LOWERS, LOWERS_PALE, RAISES, RAISES_PALE, RULE, SMALL, SOFT
from ascribe.report.players import accounts_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Arrow", "arrows_of", "force", "levels_of"]

WIDE = 9.4  # inches
STRIP, LABEL, ABOVE, GAP = 0.34, 0.19, 0.62, 0.75
TIP = 0.07  # inches of an arrow's point
LABELLED = 0.012  # of the line: a narrower arrow has no label, but a line of the table


@dataclass(frozen=True)
class Arrow:
    """From `start` to `end` in the output's unit, the way it pushes: an arrow that lowers ends left of its start."""

    entry: Entry
    start: float
    end: float

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2


def arrows_of(entries: Sequence[Entry], prediction: float) -> list[Arrow]:
    """The largest stand beside the prediction."""
    found = []
    for sign in (1, -1):
        at = prediction
        for entry in sorted((e for e in entries if e.value * sign > 0), key=lambda e: -abs(e.value)):
            found.append(Arrow(entry, at - entry.value, at))
            at -= entry.value
    return found


def levels_of(spans: Sequence[tuple[float, float]]) -> list[int]:
    """For each stretch of text, the first line below the arrows where it meets no other.

    >>> levels_of([(0, 2), (1, 3), (2.5, 4)])
    [0, 1, 0]
    """
    ends: list[float] = []
    found = []
    for left, right in spans:
        level = next((k for k, end in enumerate(ends) if left > end), len(ends))
        ends[level:] = [right, *ends[level + 1 :]]
        found.append(level)
    return found


def force(answer: Answer, view: View) -> Drawn:
    """A line for each of up to four rows, on one axis."""
    told = accounts_of(answer, view, 8, most=4)
    lines = [(label, base, f, arrows_of(entries, f)) for label, base, f, entries in told]
    scale = scale_of((v for _, base, f, arrows in lines for v in (base, f, *(a.start for a in arrows))), _unit(answer))
    ends = [v for _, base, f, arrows in lines for v in (base, f, *(a.start for a in arrows))]
    low, high = min(ends), max(ends)
    room = 0.08 * ((high - low) or abs(high) or 1.0)
    low, high = low - room, high + room
    ink = measured()
    labels = [_labels(arrows, scale, low, high, ink) for *_, arrows in lines]
    heights = [ABOVE + STRIP + LABEL * (max((k for *_, k in held), default=0) + 1.6) for held in labels]
    raises, lowers = "vermilion, from the left: raises the prediction", "blue, from the right: lowers it"
    words = words_for(
        answer.attribution, "", scale.unit, False, ((SOFT, f"{raises}; {lowers}; pale: others together"),)
    )
    body = framed(words, WIDE, sum(heights) + GAP * 0.8)
    y, tips, says = 0.0, {}, []
    for k, ((label, base, f, arrows), held, height) in enumerate(zip(lines, labels, heights, strict=True)):
        axes = body.axes(0, y + ABOVE, WIDE, height - ABOVE)
        axes.set_xlim(low, high)
        axes.set_ylim(height - ABOVE, 0)
        axes.axis("off")
        _strip(axes, arrows, (high - low) / WIDE, k)
        _labelled(axes, held)
        decimals = _decimals(arrows, scale) if arrows else scale.decimals([base, f])  # the two differ where arrows do
        ends_told = [scale.amount(at, decimals) for at in (base, f)]
        says.append(f"{label}: from {ends_told[0]} to {ends_told[1]}")
        _marks(body, axes, label, ((base, ends_told[0]), (f, ends_told[1])), (low, high), y)
        for j, arrow in enumerate(arrows):
            tips[f"force-{k}-{j}"] = [_told(arrow.entry, scale)]
        y += height
    axes = body.axes(0, y + 0.05, WIDE, 0.01)
    plain_axes(axes, "")
    axes.set_xlim(low / 10.0**scale.power, high / 10.0**scale.power)
    axes.set_yticks([])
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set_xlabel(body.ink.fitted(words.axis, SMALL, WIDE), size=SMALL, color=SOFT, parse_math=False)
    return Drawn(
        body.figure,
        "; ".join(says),
        ("row", "player", "value", "standard error"),
        tuple((label, a.entry.label, a.entry.value, a.entry.error) for label, _, _, arrows in lines for a in arrows),
        tips,
    )


def _unit(answer: Answer) -> str:
    return answer.attribution.info.unit


def _strip(axes: Axes, arrows: Sequence[Arrow], inch: float, line: int) -> None:
    from matplotlib.patches import Polygon

    for j, arrow in enumerate(arrows):
        up = arrow.entry.value > 0
        strong, pale = (RAISES, RAISES_PALE) if up else (LOWERS, LOWERS_PALE)
        colour = pale if arrow.entry.kind in ("folded", "gap") else strong
        tip = min(TIP * inch, abs(arrow.entry.value)) * (1 if up else -1)
        start, end = arrow.start, arrow.end
        corners = [(start, 0), (end - tip, 0), (end, STRIP / 2), (end - tip, STRIP), (start, STRIP)]
        corners.append((min(start + tip, end) if up else max(start + tip, end), STRIP / 2))
        axes.add_patch(
            Polygon(corners, closed=True, facecolor=colour, edgecolor="white", linewidth=0.8, gid=f"force-{line}-{j}")
        )


def _labels(
    arrows: Sequence[Arrow], scale: Scale, low: float, high: float, ink: Ink
) -> list[tuple[Arrow, str, float, int]]:
    """Arrow, text, the text's middle, its line; within the axes, from left to right."""
    inch = (high - low) / WIDE
    decimals = _decimals(arrows, scale)
    wide = [a for a in arrows if abs(a.entry.value) > LABELLED * (high - low)]
    held = []
    for arrow in sorted(wide, key=lambda a: a.middle):
        text = f"{name_of(arrow.entry.label)}: {scale.amount(arrow.entry.value, decimals, sign=True)}"
        half = ink.width(text, SMALL) / 2 * inch
        held.append((arrow, text, min(max(arrow.middle, low + half), high - half), half + 0.08 * inch))
    levels = levels_of([(at - half, at + half) for _, _, at, half in held])
    return [(arrow, text, at, level) for (arrow, text, at, _), level in zip(held, levels, strict=True)]


def _decimals(arrows: Sequence[Arrow], scale: Scale) -> int:
    return scale.decimals(a.entry.value for a in arrows)


def _labelled(axes: Axes, held: Sequence[tuple[Arrow, str, float, int]]) -> None:
    for arrow, text, at, level in held:
        y = STRIP + 0.08 + LABEL * level
        axes.plot([arrow.middle, arrow.middle], [STRIP, y + 0.02], color=RULE, linewidth=0.8, zorder=1)
        axes.text(at, y, text, size=SMALL, color=INK, ha="center", va="top", parse_math=False, zorder=3)


def _marks(
    body: Body, axes: Axes, label: str, told: tuple[tuple[float, str], tuple[float, str]], ends: tuple[float, float],
    y: float,
) -> None:  # fmt: skip
    """The row's name, then base value and prediction (with their texts) above the arrows, apart even where close."""
    (base, of_base), (f, of_f) = told
    texts = [(base, f"base value {of_base}", "normal"),
             (f, f"prediction {of_f}", "bold")]  # fmt: skip
    body.write(0, y, [(body.ink.fitted(name_of(label), 10.0, WIDE / 2), 10.0, INK, "bold")])
    low, high = ends
    inch = (high - low) / WIDE
    places = []
    for at, text, weight in texts:
        half = body.ink.width(text, SMALL + 1, bold=weight == "bold") / 2
        places.append([min(max((at - low) / inch, half), WIDE - half), half])
    first, second = (0, 1) if base <= f else (1, 0)
    short = places[first][0] + places[first][1] + 0.15 - (places[second][0] - places[second][1])
    if short > 0:
        places[first][0] -= short / 2
        places[second][0] += short / 2
        over = places[second][0] + places[second][1] - WIDE
        under = places[first][1] - places[first][0]
        shift = -over if over > 0 else under if under > 0 else 0.0
        for place in places:
            place[0] += shift
    for (at, text, weight), (x, _) in zip(texts, places, strict=True):
        body.write(x, y + 0.32, [(text, SMALL + 1, INK if weight == "bold" else SOFT, weight)], "center")
        axes.plot([at, at], [-0.1, STRIP + 0.03], color=INK if weight == "bold" else SOFT, linewidth=1.3, clip_on=False,
                  linestyle="-" if weight == "bold" else (0, (2, 2)), zorder=4)  # fmt: skip


def _told(entry: Entry, scale: Scale) -> str:
    error = f" ± {scale.number(entry.error, 3)}" if isfinite(entry.error) and entry.error > 0 else ""
    return f"{entry.label}: {scale.amount(entry.value, 3, sign=True)}{error}"
