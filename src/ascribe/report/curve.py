"""A forecast as a line with its interval, after what was measured before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ascribe.core.arrays import Float, np
from ascribe.core.quantities import scale_of
from ascribe.report.drawn import Drawn
from ascribe.report.frame import framed, name_of, plain_axes
from ascribe.report.panel import INK, LOWERS, RAISES, SMALL, SOFT
from ascribe.report.sheet import Words

__all__ = ["MOST", "Line", "curve"]

WIDE, TALL, GAP = 8.6, 1.9, 0.55  # inches
MOST = 6  # series on a sheet
DAY_S = 86400


@dataclass(frozen=True, eq=False)
class Line:
    """One series: `past (c,)` with NaN where nothing was measured, `forecast`, `lower`, `upper (h,)`, and `true (h,)`
    where it is known already. Times in wall-clock seconds of the zone.
    """

    name: str
    past_s: Float[np.ndarray, " c"]
    past: Float[np.ndarray, " c"]
    ahead_s: Float[np.ndarray, " h"]
    forecast: Float[np.ndarray, " h"]
    lower: Float[np.ndarray, " h"]
    upper: Float[np.ndarray, " h"]
    true: Float[np.ndarray, " h"] | None = None


def curve(lines: Sequence[Line], unit: str, levels: tuple[float, float], zone: str, foot: str) -> Drawn:
    """At most `MOST` series, one under the other, each on its own scale."""
    lines = list(lines)[:MOST]
    share = 100 * (levels[1] - levels[0])
    words = Words(
        head="measured and forecast" if len(lines) > 1 else f"{name_of(lines[0].name)}: measured and forecast",
        sub=f"grey measured, blue forecast with its {share:.0f} % interval, vermilion what came · {zone}",
        foot=foot, axis="",
    )  # fmt: skip
    body = framed(words, WIDE + 0.9, len(lines) * (TALL + GAP))
    rows: list[tuple[object, ...]] = []
    for k, line in enumerate(lines):
        every = np.concatenate([line.past[np.isfinite(line.past)], line.lower, line.upper])
        scale = scale_of(every, unit)
        by = 10.0**scale.power
        y = k * (TALL + GAP)
        body.write(
            0, y, [(f"{name_of(line.name)}, {scale.unit}" if scale.unit else name_of(line.name), SMALL, INK, "normal")]
        )
        axes = body.axes(0.8, y + 0.22, WIDE, TALL - 0.22)
        plain_axes(axes, "y")
        axes.plot(line.past_s, line.past / by, color="#8A8A8A", linewidth=0.9, gid=f"past-{k}")
        axes.fill_between(line.ahead_s, line.lower / by, line.upper / by, color=LOWERS, alpha=0.18, linewidth=0)
        if line.true is not None:
            axes.plot(line.ahead_s, line.true / by, color=RAISES, linewidth=1.0, gid=f"true-{k}")
        axes.plot(line.ahead_s, line.forecast / by, color=LOWERS, linewidth=1.3, gid=f"forecast-{k}")
        first, last = float(line.past_s[0]), float(line.ahead_s[-1])
        axes.set_xlim(first, last)
        days = np.arange(np.ceil(first / DAY_S), last / DAY_S + 1e-9) * DAY_S
        days = days[:: max(1, len(days) // 9)]
        axes.set_xticks(days, [str(np.datetime64(int(at), "s"))[:10] for at in days])
        axes.tick_params(labelsize=SMALL, labelcolor=SOFT)
        rows += [
            (line.name, str(np.datetime64(int(at), "s")), *map(float, numbers))
            for at, *numbers in zip(line.ahead_s, line.forecast, line.lower, line.upper, strict=True)
        ]
    return Drawn(
        body.figure, f"Forecasts of {len(lines)} series, each after its window.",
        ("series", "time", "forecast", "lower", "upper"), tuple(rows),
    )  # fmt: skip
