"""Heat map: rows across, players down, the prediction above; rows that are explained alike stand together."""

from __future__ import annotations

from collections.abc import Sequence

from ascribe.core.answer import Answer
from ascribe.core.arrays import Float, np
from ascribe.core.quantities import scale_of
from ascribe.report.captions import subject, words_for
from ascribe.report.colours import DIVERGING, ramp
from ascribe.report.drawn import Cells, Drawn, View
from ascribe.report.frame import framed, name_of, plain_axes, strip
from ascribe.report.ink import Ink, measured
from ascribe.report.panel import BODY, INK, SMALL, SOFT
from ascribe.report.ranked import ranked, unit_of

__all__ = ["heatmap", "order_of"]

LINE_HEIGHT, PLOT, ABOVE = 0.34, 7.2, 0.85  # inches
MOST_LINKED = 1500  # rows whose distances are held; more are ordered along their first direction
MOST_NAMED, MOST_UPRIGHT, LONGEST = 24, 10, 8  # rows that have names below, those beside one another, letters
EDGE = 99.5  # percentile of |value| where colours end, so that one row does not pale all others


def order_of(values: Float[np.ndarray, "r k"], how: str) -> np.ndarray:
    """Rows by similarity (leaves of an average-linkage tree, neighbours close) or by time (as they came)."""
    r = len(values)
    if how == "time" or r < 3:
        return np.arange(r)
    values = values / (np.abs(values).max() or 1.0)  # squares of what is huge are no numbers
    if r > MOST_LINKED:
        centred = values - values.mean(axis=0)
        return np.argsort(centred @ np.linalg.svd(centred, full_matrices=False)[2][0], kind="stable")
    from scipy.cluster.hierarchy import leaves_list, linkage

    return np.asarray(leaves_list(linkage(values, "average", optimal_ordering=r <= 400)))


def heatmap(answer: Answer, view: View) -> Drawn:
    """Colours: vermilion raises, blue lowers; the number beside a line is its mean |value|."""
    a = answer.attribution
    held = ranked(answer, view.top or 12, view.rows)
    order = order_of(held.values, view.order)
    rows, values = held.rows[order], held.values[order].T
    scale = scale_of(values.reshape(-1), unit_of(answer))
    alone = np.abs(values[: len(held.names) - (held.folded > 0)])  # many others together would pale the rest
    edge = float(np.percentile(alone, EDGE)) or float(np.abs(values).max()) or 1.0
    ink = measured()
    names = [name_of(name) for name in held.names]
    sizes = np.abs(values).mean(axis=1)
    decimals = scale.decimals(sizes)
    beside = [scale.number(float(s), decimals) for s in sizes]
    left = max(*(ink.width(name, BODY) for name in names), ink.width("prediction", BODY)) + 0.15
    right = max(*(ink.width(text, SMALL) for text in beside), ink.width("mean |v|", SMALL)) + 0.2
    words = words_for(a, "value for ", scale.unit, False)
    height = LINE_HEIGHT * len(names)
    labels = [answer.label(int(row)) for row in rows]
    below, slanted = _room(ink, labels)
    body = framed(words, left + PLOT + right + 1.15, ABOVE + height + below)
    f = a.prediction[rows]
    line = body.axes(left, 0, PLOT, ABOVE - 0.15)
    plain_axes(line, "y")
    fs = scale_of(f, a.info.unit)
    line.plot(np.arange(len(f)), f / 10.0**fs.power, color=INK, linewidth=1, gid="prediction")
    line.set_xlim(-0.5, len(f) - 0.5)
    line.set_xticks([])
    line.yaxis.tick_right()
    ends = [float(f.min()), float(f.max())] if np.ptp(f) else [float(f[0])]
    line.set_yticks([v / 10.0**fs.power for v in ends], [fs.amount(v, fs.decimals(f)) for v in ends])
    head = [(body.ink.fitted(subject(a), BODY, left - 0.15), BODY, INK, "normal")]
    body.write(left - 0.1, 0.2, head, "right")
    axes = body.axes(left, ABOVE, PLOT, height)
    colours = ramp(DIVERGING)
    picture = axes.imshow(values, cmap=colours, vmin=-edge, vmax=edge, aspect="auto", interpolation="none")
    picture.set_gid("heat")
    plain_axes(axes, "")
    axes.set_yticks(range(len(names)), names)
    for text in axes.get_yticklabels():
        text.set(parse_math=False, size=BODY, color=INK)
    axes.tick_params(axis="y", length=0)
    _name_rows(axes, labels, slanted)
    how = "in the order of the file" if view.order == "time" else "by similarity of their values"
    axes.set_xlabel(f"{len(rows)} row{'s' * (len(rows) != 1)}, {how}", size=SMALL, color=SOFT, parse_math=False)
    for k, size in enumerate(beside):
        body.write(left + PLOT + right, ABOVE + LINE_HEIGHT * (k + 0.28), [(size, SMALL, SOFT, "normal")], "right")
    body.write(left + PLOT + right, ABOVE + height + 0.06, [("mean |v|", SMALL, SOFT, "normal")], "right")
    low, high = (scale.amount(v, scale.decimals([edge]), sign=True) for v in (-edge, edge))
    strip(body, (left + PLOT + right + 0.2, ABOVE, 0.13, height), colours, low, high, "value; colours end here")
    return Drawn(
        body.figure,
        f"Heat map of {len(rows)} rows and {len(names)} players.",
        ("row", "prediction", *held.names),
        tuple((label, float(p), *map(float, v)) for label, p, v in zip(labels, f, values.T, strict=True)),
        cells={"heat": Cells(names, labels, values)},
    )


def _room(ink: Ink, labels: Sequence[str]) -> tuple[float, bool]:
    """Inches below the map for the names of its rows and of its axis; whether the names stand aslant."""
    slanted = len(labels) > MOST_UPRIGHT and _fit(labels)
    tall = max(ink.width(name_of(label), SMALL) for label in labels) if slanted else 0.0
    return 0.35 + (0.75 * tall if slanted else 0.0), slanted


def _fit(labels: Sequence[str]) -> bool:
    return len(labels) <= MOST_NAMED and max(len(name_of(label)) for label in labels) <= LONGEST


def _name_rows(axes: object, labels: Sequence[str], slanted: bool) -> None:
    """Row names under the map where they fit, else none: their order is not that of their numbers."""
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    if _fit(labels):
        axes.set_xticks(range(len(labels)), [name_of(label) for label in labels])
        for text in axes.get_xticklabels():
            text.set(parse_math=False, size=SMALL, rotation=45 if slanted else 0)
    else:
        axes.set_xticks([])
