"""A forecast beside its past, with its band, and with what came where that is known.

The past is grey, what came is black, the forecast is blue in its pale band; the moment of the forecast is a line. One
panel for each curve. Numbers are in the unit asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ascribe.core.arrays import np
from ascribe.core.conversions import conversion
from ascribe.core.errors import InputError
from ascribe.core.quantities import scale_of
from ascribe.report.ink import Ink, blank, lettered, measured
from ascribe.report.panel import INK, LOWERS, RULE, SMALL, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "curve_of", "figure"]

PAST, BAND, TRUE, TOLD = "#9A9A9A", "#C9DFEF", "#1A1A1A", LOWERS
WIDE, TALL, LEFT, RIGHT, ABOVE, BETWEEN, BELOW = 9.0, 2.3, 0.95, 0.3, 1.0, 0.62, 0.6  # inches
HEAD, MOST = 12.0, 8
DATES = ["%Y", "%b %Y", "%-d %b", "%H:%M", "%H:%M", "%S"]  # of ticks of years, months, days, hours ...
ZEROS = ["", "%Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M"]  # and where the smaller part is 0


@dataclass(frozen=True, eq=False)
class Curve:
    """`time_s (h,)`: epoch seconds of the forecast's steps; `past`: values of the steps before it, of one step each.
    `true (h,)`, `lower`, `upper` where they are known; NaN leaves a gap.
    """

    title: str
    time_s: np.ndarray
    forecast: np.ndarray
    past: np.ndarray
    true: np.ndarray | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    step_s: float = 0.0


def curve_of(told: dict[str, Any], model: str, step_s: float) -> Curve:
    """A curve of a backtest's report (`curves`), of one model."""

    def numbers(values: list[float | None] | None) -> np.ndarray | None:
        return None if values is None else np.array([np.nan if v is None else v for v in values], dtype=float)

    one = told["models"][model]
    f, past = numbers(one["forecast"]), numbers(told["past"])
    assert f is not None and past is not None
    time_s = told["moment_s"] + step_s * np.arange(len(f))
    title = f"{told['series']}, {model.replace('_', ' ')}"
    return Curve(
        title, time_s, f, past, numbers(told["true"]), numbers(one.get("lower")), numbers(one.get("upper")), step_s
    )


@lettered()
def figure(
    curves: Sequence[Curve], unit: str = "", wanted: str = "", nominal: float = 0.9, days: float | None = None
) -> Figure:
    """A panel for each curve. `wanted`: the unit to draw in, such as Gb/s; `days` of the past that are shown.

    Raises InputError for no curve or too many, or a unit that cannot be had; MissingExtra without matplotlib.
    """
    if not 1 <= len(curves) <= MOST:
        raise InputError(f"{len(curves)} forecasts were chosen: one sheet holds 1 to {MOST}")
    ink = measured()
    factor = conversion(unit, wanted, curves[0].step_s or None) if wanted else 1.0
    scale = scale_of([] if wanted else _all(curves), unit)
    by, name = (factor, wanted) if wanted else (10.0**-scale.power, scale.unit)
    height = ABOVE + len(curves) * TALL + (len(curves) - 1) * BETWEEN + BELOW
    drawn = blank(WIDE, height)
    wide = WIDE - LEFT - RIGHT
    for k, curve in enumerate(curves):
        y = height - ABOVE - TALL - k * (TALL + BETWEEN)
        axes = drawn.add_axes((LEFT / WIDE, y / height, wide / WIDE, TALL / height), facecolor="white")
        _panel(axes, curve, by, name, ink, days)
    _legend(drawn, curves, nominal, ink, height)
    axes.set_xlabel("time, UTC", size=SMALL, color=SOFT)
    return drawn


def _all(curves: Sequence[Curve]) -> list[float]:
    parts = [part for c in curves for part in (c.past, c.forecast, c.true, c.upper) if part is not None]
    return list(map(float, np.concatenate(parts)))


def _panel(axes: Axes, c: Curve, by: float, unit: str, ink: Ink, days: float | None) -> None:
    import matplotlib.dates as dates

    step = c.step_s or (float(c.time_s[1] - c.time_s[0]) if len(c.time_s) > 1 else 1.0)
    kept = len(c.past) if days is None else max(1, int(days * 86400 / step))
    past = c.past[-kept:]
    before = c.time_s[0] - step * np.arange(len(past), 0, -1)
    at, told = _moments(before), _moments(c.time_s)
    if c.lower is not None and c.upper is not None:
        axes.fill_between(told, c.lower * by, c.upper * by, color=BAND, linewidth=0)
    axes.plot(at, past * by, color=PAST, linewidth=0.9)
    if c.true is not None:
        axes.plot(told, c.true * by, color=TRUE, linewidth=1.0)
    axes.plot(told, c.forecast * by, color=TOLD, linewidth=1.5)
    axes.axvline(float(told[0]), color=SOFT, linewidth=0.8, linestyle=":")
    axes.xaxis_date()
    axes.set_xlim(float(at[0]), float(told[-1]))
    if not any((part < 0).any() for part in (past, c.forecast, c.true, c.lower) if part is not None):
        axes.set_ylim(0.0, None)
    axes.set_title(ink.fitted(c.title, 9.5, WIDE - LEFT - RIGHT), size=9.5, color=INK, loc="left", parse_math=False)
    axes.set_ylabel(unit, size=SMALL, color=SOFT, parse_math=False)
    locator = dates.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(locator, formats=DATES, zero_formats=ZEROS, show_offset=False)
    )
    axes.tick_params(labelsize=SMALL, labelcolor=SOFT, color=RULE)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _moments(time_s: np.ndarray) -> np.ndarray:
    """Days since 1970: how matplotlib counts."""
    return np.asarray(time_s, dtype=float) / 86400


def _legend(drawn: Figure, curves: Sequence[Curve], nominal: float, ink: Ink, height: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    first = datetime.fromtimestamp(float(curves[0].time_s[0]), UTC)
    many = f" and {len(curves) - 1} more" if len(curves) > 1 else ""
    head = ink.fitted(f"Forecast from {first:%A %-d %B %Y, %H:%M}{many}", HEAD, WIDE - LEFT - RIGHT)
    drawn.text(LEFT / WIDE, 1 - 0.12 / height, head, size=HEAD, color=INK, va="top", parse_math=False)
    marks: list[tuple[Any, str]] = [
        (Line2D([], [], color=PAST), "past"),
        (Line2D([], [], color=TOLD, linewidth=1.5), "forecast"),
    ]
    if any(c.lower is not None for c in curves):
        marks.append((Patch(color=BAND), f"{100 * nominal:.0f} % interval"))
    if any(c.true is not None for c in curves):
        marks.append((Line2D([], [], color=TRUE), "what came"))
    drawn.legend(
        *zip(*marks, strict=True), loc="upper left", ncol=len(marks), fontsize=SMALL, frameon=False,
        bbox_to_anchor=(LEFT / WIDE, 1 - 0.42 / height), borderpad=0, borderaxespad=0, handlelength=1.6,
        columnspacing=1.4,
    )  # fmt: skip
