"""A forecast explained, on one sheet: where the network looked beside what each day and input accounts for.

    left      attention: the past from top to bottom, the forecast's steps from left to right, mean over heads
    middle    by day, shares of 1: attention, and |value| summed over inputs
    right     values by day (down) and input (across), in the output's unit

All three have the same clock from top to bottom, so that a day stands on one line: where the bars of a day differ,
attention misleads.
"""

from __future__ import annotations

from ascribe.core.answer import Answer
from ascribe.core.arrays import Float, np
from ascribe.core.attention import Matrices
from ascribe.core.days import ago, by_player, days_of, grid_of
from ascribe.core.errors import InputError
from ascribe.core.layout import Layout
from ascribe.core.quantities import scale_of
from ascribe.report.attention import panels_of
from ascribe.report.captions import foot_of, sub_of, subject
from ascribe.report.colours import AMOUNT, DIVERGING, ramp
from ascribe.report.drawn import Cells, Drawn, View
from ascribe.report.frame import Body, framed, name_of, plain_axes, strip
from ascribe.report.ink import measured
from ascribe.report.panel import INK, SMALL, SOFT
from ascribe.report.players import chosen
from ascribe.report.sheet import Words

__all__ = ["days", "looked_by_day"]

LEFT, MIDDLE, CELL, GAP, STRIP = 3.3, 1.7, 0.62, 0.45, 1.0  # inches
LINE, LEAST, MOST = 0.42, 2.4, 5.2
CAP, ROOM = 0.3, 0.75  # above and below the panels
MOST_WRITTEN = 14  # days whose cells have their numbers in them
LABELS = 8  # along an axis
LITTLE = 0.005  # of the largest value: below, no number is written


def days(answer: Answer, view: View) -> Drawn:
    """One window. Raises InputError for one that was not answered. Without attention the left panel is left out."""
    row = chosen(answer, view.rows, 1)[0]
    a, layout = answer.attribution, answer.layout
    values = grid_of(layout, by_player(a).values)[row]
    names = [layout.input(i) for i in range(layout.shape[1])]
    d = int(days_of(layout).max())
    labels = [ago(k) for k in range(d, 0, -1)]
    ink = measured()
    tall = min(MOST, max(LEAST, LINE * d))
    beside = max(ink.width(text, SMALL) for text in labels) + 0.12
    seen = _seen(answer.matrices, row, view.layer) if answer.matrices is not None else None
    left = LEFT + GAP if seen is not None else 0.0
    across = CELL * len(names)
    down = tall + CAP + max(ROOM, max(ink.width(name_of(n), SMALL) for n in names) + 0.25)
    words = Words(
        head=f"{subject(a)} of {name_of(answer.label(row))}: where it looked, and what came of it",
        sub=f"{sub_of(a)} · attention is no share of the forecast",
        foot=foot_of(a), axis="",
    )  # fmt: skip
    body = framed(words, beside + left + MIDDLE + GAP + across + STRIP, down)
    cells: dict[str, Cells] = {}
    if seen is not None:
        cells["looked"] = _looked(body, beside, tall, layout, *seen)
    x = beside + left
    looked = (
        None if seen is None or answer.matrices is None else looked_by_day(answer.matrices, layout, row, view.layer)
    )
    _bars(body, x, tall, values, looked, labels, seen is None)
    x += MIDDLE + GAP
    cells["values"] = _map(body, x, tall, across, values, labels, names, a.info.unit)
    share = np.abs(values).sum(axis=1)
    share = share / (share.sum() or 1.0)
    rows = [
        (labels[k], float("nan") if looked is None else float(looked[k]), float(share[k]), *map(float, values[k]))
        for k in range(d)
    ]
    return Drawn(
        body.figure,
        f"Attention and values of {d} days and {len(names)} inputs.",
        ("day", "attention", "share of |value|", *names), tuple(rows), cells=cells,
    )  # fmt: skip


def looked_by_day(m: Matrices, layout: Layout, row: int, layer: str = "") -> Float[np.ndarray, " days"] | None:
    """Attention to each day, the oldest first, as shares of 1; None where nobody said what the positions are."""
    day, found = days_of(layout), []
    for name, w in zip(m.layers, m.weights, strict=True):
        if name in m.parts and (not layer or layer.rpartition("/")[0] == name or layer == name):
            steps = w[row].mean(axis=(0, 1)) @ m.parts[name].shares(layout.shape[0])
            found.append(np.bincount(day.max() - day, steps, int(day.max())))
    return np.mean(found, axis=0) if found else None


def _seen(m: Matrices, row: int, layer: str) -> tuple[str, np.ndarray] | None:
    """Name of a layer and its weights (q, k), the mean over heads: the first layer unless one is named."""
    if not m.parts:
        raise InputError("the attention of this answer is not over parts of a window: draw the kind attention")
    name = layer.rpartition("/")[0] or layer or m.layers[0]
    return name, np.mean([w for _, w in panels_of(m, row, layer or name)], axis=0)


def _looked(body: Body, x: float, tall: float, layout: Layout, name: str, w: np.ndarray) -> Cells:
    axes = body.axes(x, CAP, LEFT, tall)
    body.write(x, 0, [(body.ink.fitted(f"attention, {name}", SMALL, LEFT), SMALL, INK, "normal")])
    picture = axes.imshow(
        w.T, cmap=ramp(AMOUNT), vmin=0, vmax=float(w.max()) or 1.0, aspect="auto", interpolation="none"
    )
    picture.set_gid("looked")
    _ticks_of_days(axes, layout, w.shape[1])
    at = np.linspace(0, w.shape[0] - 1, min(LABELS, w.shape[0])).round().astype(int)
    axes.set_xticks(at, [str(k + 1) for k in at])
    axes.set_xlabel(f"of {w.shape[0]} positions of the forecast, in time", size=SMALL, color=SOFT, parse_math=False)
    axes.tick_params(length=2, labelsize=SMALL, labelcolor=SOFT)
    text = f"white 0 to dark {float(w.max()):.2g}"
    body.write(x, CAP + tall + 0.42, [(text, SMALL, SOFT, "normal")])
    return Cells([str(k) for k in range(w.shape[1])], [str(q) for q in range(w.shape[0])], w.T)


def _ticks_of_days(axes: object, layout: Layout, keys: int) -> None:
    """A line and a name for each day, whatever the positions are."""
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    day, context = days_of(layout), layout.shape[0]
    last = int(day.max())
    middle = [float(np.flatnonzero(day == k).mean() + 0.5) for k in range(last, 0, -1)]
    axes.set_yticks([m / context * keys - 0.5 for m in middle], [ago(k) for k in range(last, 0, -1)])
    for k in range(last - 1, 0, -1):
        edge = float(np.flatnonzero(day == k)[0]) / context * keys - 0.5
        axes.axhline(edge, color="#FFFFFF", linewidth=0.8)
        axes.axhline(edge, color="#BBBBBB", linewidth=0.4, linestyle=(0, (2, 2)))


def _bars(
    body: Body, x: float, tall: float, values: np.ndarray, looked: np.ndarray | None, labels: list[str], named: bool
) -> None:
    axes = body.axes(x, CAP, MIDDLE, tall)
    body.write(x, 0, [("attention and |value|, by day", SMALL, INK, "normal")])
    share = np.abs(values).sum(axis=1)
    share = share / (share.sum() or 1.0)
    at = np.arange(len(labels))
    if looked is not None:
        axes.barh(at - 0.19, looked, 0.36, color=AMOUNT[2], gid="looked-by-day")
    axes.barh(at + 0.19, share, 0.36, color="#5A5A5A", gid="values-by-day")
    axes.set_ylim(len(labels) - 0.5, -0.5)
    plain_axes(axes, "x")
    axes.set_yticks(at if named else [], labels if named else [])
    axes.set_xlabel("share of 1: blue looked, grey |value|", size=SMALL, color=SOFT, parse_math=False)


def _map(
    body: Body, x: float, tall: float, across: float, values: np.ndarray, labels: list[str], names: list[str], unit: str
) -> Cells:
    axes = body.axes(x, CAP, across, tall)
    scale = scale_of(values.reshape(-1), unit)
    edge = float(np.abs(values).max()) or 1.0
    told = f"value by input, {scale.unit}" if scale.unit else "value by input"
    body.write(x, 0, [(body.ink.fitted(told, SMALL, across), SMALL, INK, "normal")])
    picture = axes.imshow(values, cmap=ramp(DIVERGING), vmin=-edge, vmax=edge, aspect="auto", interpolation="none")
    picture.set_gid("values")
    axes.set_yticks([])
    axes.set_xticks(range(len(names)), [name_of(n) for n in names], rotation=90)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=INK)
    for text in axes.get_xticklabels():
        text.set_parse_math(False)
    decimals = scale.decimals([edge])
    if len(labels) <= MOST_WRITTEN:
        for k, i in np.ndindex(values.shape):
            if abs(values[k, i]) < LITTLE * edge:
                continue
            dark = abs(values[k, i]) > 0.6 * edge
            axes.text(
                i, k, scale.number(float(values[k, i]), decimals), size=6.5, ha="center", va="center",
                color="white" if dark else INK, parse_math=False,
            )  # fmt: skip
    low, high = (scale.amount(v, scale.decimals([edge]), sign=True) for v in (-edge, edge))
    strip(body, (x + across + 0.15, CAP, 0.12, tall), ramp(DIVERGING), low, high, "lowers, raises")
    return Cells(labels, names, values)
