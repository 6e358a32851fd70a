"""Colours that every kind of eye tells apart: for raising and lowering, for values, for amounts."""

from __future__ import annotations

from typing import Any

from ascribe.report.panel import LOWERS, RAISES

__all__ = ["AMOUNT", "BARE", "DIVERGING", "VALUE", "ramp", "tint"]

BARE = "#8A8A8A"  # a point without a value of its own
DIVERGING = ("#00507F", LOWERS, "#FFFFFF", RAISES, "#9A4300")
VALUE = ("#1B2A7A", "#6A3FA0", "#B5498D", "#E1716B", "#F2A93B")  # dark to light: reads in grey too
AMOUNT = ("#FFFFFF", "#BFD9EA", "#5B9DC4", "#1F5F91", "#0B2B4F")


def ramp(colours: tuple[str, ...], bad: str = BARE) -> Any:
    """A matplotlib colour map through the colours; what is no number is `bad`."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("ramp", list(colours), N=255).with_extremes(bad=bad)


def tint(share: float) -> str:
    """Of a share -1 ... 1 of the largest, on white: pale where small, so that dark text stays readable."""
    strong = RAISES if share > 0 else LOWERS
    weight = 0.72 * min(1.0, abs(share))
    parts = [round(255 + (int(strong[k : k + 2], 16) - 255) * weight) for k in (1, 3, 5)]
    return "#" + "".join(f"{part:02X}" for part in parts)
