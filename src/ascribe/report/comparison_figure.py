"""Methods compared, drawn: predictions while features are put in and taken out, and how alike the methods rank."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from ascribe.core.faithfulness.compare import RANDOM, Comparison
from ascribe.report.ink import blank, lettered, measured
from ascribe.report.panel import INK, RULE, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A6D00")  # Okabe and Ito's
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY = "#9A9A9A"
PANEL, CELL, MARGIN, GAP, BELOW, ABOVE = 3.6, 0.5, 0.25, 0.35, 0.55, 0.55  # inches
TEXT, SMALL = 9.5, 8.0  # points


@lettered()
def figure(c: Comparison) -> Figure:
    """Two panels of curves with one legend, and the agreement as a matrix. Raises MissingExtra without matplotlib."""
    ink = measured()
    told = [j for j in c.judged if j.insertion_curve]
    names = [j.method for j in told]
    legend = max(ink.width(name, TEXT) for name in names) + 0.55
    row = max((ink.width(name, TEXT) for name in c.methods), default=0.0) + 0.15
    matrix = max(CELL * len(c.methods), 1.0) if len(c.methods) > 1 else 0.0
    tick = 0.6
    width = 2 * MARGIN + 2 * (PANEL + tick) + GAP + legend + (GAP + row + matrix if matrix else 0.0)
    tall = max(PANEL * 0.8, matrix + (row if matrix else 0.0) - BELOW, 0.22 * len(names))
    height = ABOVE + tall + BELOW + MARGIN
    drawn = blank(width, height)

    ends = _ends([at for j in told for at in (*j.insertion_curve, *j.deletion_curve)])
    x, unit = MARGIN, f" ({c.unit})" if c.unit else ""
    for title, field in (
        ("put in, most raising first", "insertion_curve"),
        ("taken out, most raising first", "deletion_curve"),
    ):
        axes = drawn.add_axes(
            ((x + tick) / width, (MARGIN + BELOW) / height, PANEL / width, tall / height), facecolor="white"
        )
        for k, j in enumerate(told):
            colour = GREY if j.method == RANDOM else COLOURS[k % len(COLOURS)]
            axes.plot(
                c.share, getattr(j, field), color=colour, linewidth=1.4, linestyle="--" if j.method == RANDOM else "-",
                marker=None if j.method == RANDOM else MARKERS[k % len(MARKERS)], markevery=(2 * k % 8, 8),
                markersize=4.5, label=j.method,
            )  # fmt: skip
        axes.set_title(title, size=TEXT, color=INK, loc="left")
        axes.set_xlabel("share of the features", size=SMALL, color=SOFT)
        if field == "insertion_curve":
            label = ink.fitted(f"mean {c.output or 'prediction'}{unit}", SMALL, tall)
            axes.set_ylabel(label, size=SMALL, color=SOFT, parse_math=False)
        axes.tick_params(labelsize=SMALL, colors=SOFT)
        axes.grid(color=RULE, linewidth=0.6)
        axes.set_xlim(0, 1)
        axes.set_ylim(*ends)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        x += PANEL + tick
    drawn.legend(
        *axes.get_legend_handles_labels(), loc="upper left", frameon=False, fontsize=TEXT,
        bbox_to_anchor=((x + 0.1) / width, (height - ABOVE + 0.1) / height), borderpad=0, handlelength=1.8,
    )  # fmt: skip
    x += legend + GAP
    if matrix:
        axes = drawn.add_axes(
            ((x + row) / width, (height - ABOVE - matrix) / height, matrix / width, matrix / height), facecolor="white"
        )
        axes.imshow(c.agreement, cmap="RdBu", vmin=-1, vmax=1)
        for a in range(len(c.methods)):
            for b in range(len(c.methods)):
                rho = float(c.agreement[a, b])
                text = f"{rho:.2f}".replace("-", "\N{MINUS SIGN}") if isfinite(rho) else "\N{EN DASH}"
                axes.text(b, a, text, ha="center", va="center", size=SMALL, color="white" if abs(rho) > 0.6 else INK)
        axes.set_xticks(range(len(c.methods)), c.methods, rotation=90, size=SMALL, color=SOFT)
        axes.set_yticks(range(len(c.methods)), c.methods, size=SMALL, color=SOFT)
        axes.tick_params(length=0)
        axes.set_title("how alike they rank", size=TEXT, color=INK, loc="left")
        for spine in axes.spines.values():
            spine.set_visible(False)
    return drawn


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The same for both panels, so that they compare."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room
