"""Two histograms over the same bins as a small inline SVG: before filled, now as a line."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from ascribe.report.ink import blank

__all__ = ["BEFORE", "spark"]

BEFORE = "#A8A8A8"
HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)  # the XML declaration has no place inside a page
NAMED = re.compile(r'\sid="[^"]*"')  # the same names would stand in every picture of the page
METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)


def spark(
    edges: Sequence[float],
    before: Sequence[float],
    now: Sequence[float],
    colour: str,
    width: float = 1.9,
    height: float = 0.42,
    label: str = "",
) -> str:
    """`edges (k+1)`, shares `before`, `now (k)`; `width`, `height` in inches; `label`: what a screen reader says.

    Raises MissingExtra without matplotlib.
    """
    import matplotlib

    figure = blank(width, height)
    axes = figure.add_axes((0.0, 0.04, 1.0, 0.94))
    axes.set_axis_off()
    axes.stairs(before, edges, fill=True, color=BEFORE, alpha=0.75, linewidth=0, clip_on=False)
    axes.stairs(now, edges, color=colour, linewidth=1.3, clip_on=False)
    axes.axhline(0, color=BEFORE, linewidth=0.8, clip_on=False)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, max(max(before), max(now)) * 1.05)
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "ascribe"}):  # the same numbers, the same page
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    drawn = METADATA.sub("", HEAD.sub("", out.getvalue(), count=1))
    named = f'<svg role="img" aria-label="{label}"' if label else '<svg aria-hidden="true"'
    return NAMED.sub("", drawn).replace("<svg", named, 1).strip()
