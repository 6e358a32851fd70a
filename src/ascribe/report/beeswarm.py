"""Beeswarm: a line for each player, a point for each row; where many rows have the same value the line is thick."""

from __future__ import annotations

from ascribe.core.answer import Answer
from ascribe.core.arrays import Float, np
from ascribe.core.quantities import scale_of
from ascribe.report.captions import words_for
from ascribe.report.colours import BARE, VALUE, ramp
from ascribe.report.drawn import Drawn, View
from ascribe.report.frame import framed, name_of, plain_axes, strip
from ascribe.report.ink import measured
from ascribe.report.panel import BODY, INK, LINE, SMALL, SOFT
from ascribe.report.ranked import ranked, unit_of

__all__ = ["beeswarm", "swarm"]

LINE_HEIGHT, PLOT = 0.42, 7.2  # inches
HALF = 0.40  # of a line, how far points may stand off
POINT = 0.055  # inches between the middles of points


def swarm(x: Float[np.ndarray, " r"], width: float, step: float, most: float) -> Float[np.ndarray, " r"]:
    """How far each point stands off its line so that points of one stretch of `width` do not hide one another:

        0, +step, -step, +2 step, ...      by their order within the stretch; one that would pass `most` is pressed

    >>> swarm(np.array([0.0, 0.1, 5.0, 0.2]), 1.0, 1.0, 9.0).tolist()
    [0.0, 1.0, 0.0, -1.0]
    """
    if not len(x):
        return np.zeros(0)
    stretch = np.floor((x - x.min()) / width).astype(int)
    order = np.argsort(stretch, kind="stable")
    first = np.r_[True, np.diff(stretch[order]) != 0]
    place = np.arange(len(x)) - np.maximum.accumulate(np.where(first, np.arange(len(x)), 0))
    rank = np.empty(len(x), dtype=int)
    rank[order] = place
    off = (rank + 1) // 2 * np.where(rank % 2, 1.0, -1.0) * step
    count = np.bincount(stretch)[stretch]
    return np.asarray(np.where(rank, off, 0.0) * np.minimum(1.0, most / np.maximum(count // 2 * step, 1e-300)))


def beeswarm(answer: Answer, view: View) -> Drawn:
    """Colour: the row's own value of the feature, from its 5th to its 95th percentile."""
    held = ranked(answer, view.top or 12, view.rows)
    scale = scale_of(held.values.reshape(-1), unit_of(answer))
    ink = measured()
    names = [name_of(name) for name in held.names]
    left = max(ink.width(name, BODY) for name in names) + 0.15
    words = words_for(answer.attribution, "value for ", scale.unit, False)
    height = LINE_HEIGHT * len(names)
    body = framed(words, left + PLOT + 0.95, height + 0.55)
    axes = body.axes(left, 0, PLOT, height)
    plain_axes(axes)
    values = held.values / 10.0**scale.power
    low, high = min(0.0, values.min()), max(0.0, values.max())
    span = (high - low) or 1.0
    axes.set_xlim(low - 0.03 * span, high + 0.03 * span)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color=LINE, linewidth=1)
    colours, tips = ramp(VALUE), {}
    step = 0.5 * POINT / LINE_HEIGHT
    for k, name in enumerate(held.names):
        y = k + swarm(values[:, k], POINT * span * 1.06 / PLOT, step * 2, HALF)
        own = _ranked_colour(held.data[:, k])
        points = axes.scatter(
            values[:, k], y, c=own, cmap=colours, vmin=0, vmax=1, s=13, linewidths=0, plotnonfinite=True
        )
        points.set_gid(f"swarm-{k}")
        tips[f"swarm-{k}"] = [
            f"{answer.label(int(row))}: {_own(answer, int(row), name)} {scale.amount(float(v), 3, sign=True)}"
            for row, v in zip(held.rows, held.values[:, k], strict=True)
        ]
    axes.set_yticks(range(len(names)), names)
    for text in axes.get_yticklabels():
        text.set(parse_math=False, size=BODY, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(body.ink.fitted(words.axis, SMALL, PLOT), size=SMALL, color=SOFT, parse_math=False)
    strip(body, (left + PLOT + 0.25, 0, 0.13, height), colours, "low", "high", "feature's own value")
    if held.folded:
        body.write(left + PLOT + 0.95, height + 0.36, [("grey: others, summed", SMALL, BARE, "normal")], "right")
    return Drawn(
        body.figure,
        f"Beeswarm of {len(held.rows)} rows: {', '.join(names[:3])} matter most.",
        ("player", "mean |value|", "least", "largest", "mean standard error"),
        tuple(
            (name, float(np.abs(v).mean()), float(v.min()), float(v.max()), float(np.nanmean(e)))
            for name, v, e in zip(held.names, held.values.T, held.stderr.T, strict=True)
        ),
        tips,
    )


def _ranked_colour(data: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
    """0 ... 1 between the 5th and 95th percentiles; NaN stays."""
    good = data[np.isfinite(data)]
    if not len(good):
        return data
    low, high = np.percentile(good, [5, 95])
    if low == high:
        low, high = good.min(), good.max()
    return np.clip((data - low) / (high - low), 0, 1) if high > low else np.where(np.isfinite(data), 0.5, np.nan)


def _own(answer: Answer, row: int, name: str) -> str:
    shown = answer.shown(row, name)
    return f"{name} = {shown}," if shown else f"{name},"
