"""A sheet around a free body: measured lines above and below; lengths in inches from the body's corner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ascribe.core.arrays import np
from ascribe.report.ink import Ink, blank, measured, short
from ascribe.report.panel import INK, RULE, SMALL, SOFT
from ascribe.report.sheet import HEAD, LEADING, MARGIN, SUB, Line, Words, height_of, lines_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Body", "framed", "name_of", "plain_axes", "strip"]

LINES = 3  # beside a strip of colours


@dataclass(frozen=True, eq=False)
class Body:
    """`axes(x, y, width, height)` and `write(x, y, lines)`, in inches from the body's top left corner."""

    figure: Figure
    ink: Ink
    axes: Callable[[float, float, float, float], Axes]
    write: Callable[..., None]


def framed(words: Words, width: float, height: float) -> Body:
    """A figure with the words around an empty body of `width` x `height` inches."""
    ink = measured()
    head = lines_of(ink, words.head, HEAD, INK, "bold", width) + lines_of(ink, words.sub, SUB, SOFT, "normal", width)
    legend = [line for _, text in words.legend for line in lines_of(ink, text, SUB, SOFT, "normal", width)]
    foot = legend + lines_of(ink, words.foot, SMALL, SOFT, "normal", width)
    top = MARGIN + height_of(head) + 0.18
    below = top + height + 0.12
    across, down = width + 2 * MARGIN, below + height_of(foot) + MARGIN
    figure = blank(across, down)

    def at(x: float, y: float, lines: Sequence[Line], ha: str = "left") -> None:
        for text, size, colour, weight in lines:
            figure.text(
                x / across, 1 - y / down, text, size=size, color=colour, weight=weight, va="top", ha=ha,
                parse_math=False,
            )  # fmt: skip
            y += size * LEADING

    at(MARGIN, MARGIN, head)
    at(MARGIN, below, foot)

    def axes(x: float, y: float, w: float, h: float) -> Any:
        return figure.add_axes(((MARGIN + x) / across, 1 - (top + y + h) / down, w / across, h / down))

    def write(x: float, y: float, lines: Sequence[Line], ha: str = "left") -> None:
        at(MARGIN + x, top + y, lines, ha)

    return Body(figure, ink, axes, write)


def plain_axes(axes: Axes, grid: str = "x") -> None:
    """Thin grey lines, no box."""
    axes.tick_params(axis="both", labelsize=SMALL, labelcolor=SOFT, length=3, color=RULE)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    if grid:
        axes.grid(axis=grid, color=RULE, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def strip(body: Body, box: tuple[float, float, float, float], colours: Any, low: str, high: str, label: str) -> None:
    """A colour ramp, upright, with words at its ends and along it."""
    axes = body.axes(*box)
    axes.imshow(np.linspace(1, 0, 255)[:, None], cmap=colours, aspect="auto", interpolation="none")
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    x, y, width, height = box
    beside = x + width + 0.06
    room = height - 2 * 0.25  # the words at the ends
    line = SMALL * LEADING
    body.write(beside, y - 0.03, [(high, SMALL, SOFT, "normal")])
    body.write(beside, y + height - line + 0.03, [(low, SMALL, SOFT, "normal")])
    lines = body.ink.wrapped(label, SMALL, room) if room > 0 else []
    text = "\n".join(lines) if len(lines) <= LINES else body.ink.fitted(label, SMALL, room)
    if text and all(body.ink.width(line, SMALL) <= room for line in text.splitlines()):
        axes.text(
            1 + 0.08 / width, 0.5, text, size=SMALL, color=SOFT, rotation=90, rotation_mode="default",
            transform=axes.transAxes, ha="left", va="center", parse_math=False,
        )  # fmt: skip


def name_of(name: str) -> str:
    """A name as it can be drawn: on one line, printable, its middle left out where it is very long."""
    return short("".join(c if c.isprintable() else " " for c in name)) or "(no name)"
