"""Image: the photo, what speaks for and against the output laid over it, and each of both alone.

value of a pixel = sum over its channels; of a pixel of a segment: the value of the whole segment
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ascribe.core.answer import Answer, additive
from ascribe.core.arrays import Float, np
from ascribe.core.quantities import scale_of
from ascribe.report.captions import subject, title_of, words_for
from ascribe.report.colours import AMOUNT, DIVERGING, ramp
from ascribe.report.drawn import Cells, Drawn, View
from ascribe.report.frame import framed, strip
from ascribe.report.panel import BODY, INK, LOWERS, RAISES, SMALL, SOFT
from ascribe.report.players import chosen
from ascribe.report.ranked import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["borders", "image", "pixels_of", "values_of"]

SIDE, GAP, TITLE = 2.5, 0.12, 0.5  # inches
EDGE = 99.0  # percentile of |value| of pixels where colours end
MOST_CELLS = 70_000  # numbers that a page carries for its pointer
GREY = np.array([0.299, 0.587, 0.114])


def pixels_of(answer: Answer, row: int) -> Float[np.ndarray, "h w c"]:
    """The picture explained, 0 ... 1."""
    return np.asarray(np.clip(answer.attribution.data[row].reshape(answer.layout.shape) / 255.0, 0, 1))


def values_of(answer: Answer, row: int) -> tuple[Float[np.ndarray, "h w"], np.ndarray | None]:
    """The value of each pixel, or of the segment that it is part of, and the segments' numbers (h, w)."""
    a, shape = answer.attribution, answer.layout.shape
    if a.segments is None:
        return a.values[row].reshape(shape).sum(axis=2), None
    labels, owner = np.unique(a.segments[row], return_inverse=True)
    sums = np.bincount(owner.reshape(-1), a.values[row], len(labels))
    held = owner.reshape(shape)[:, :, 0]
    return sums[held], held


def borders(segments: np.ndarray) -> list[list[tuple[float, float]]]:
    """The edges between pixels of different segments, as lines (x, y) of an image whose pixel centres are whole.

    >>> borders(np.array([[0, 1], [0, 1]]))
    [[(0.5, -0.5), (0.5, 0.5)], [(0.5, 0.5), (0.5, 1.5)]]
    """
    y, x = np.nonzero(segments[:, 1:] != segments[:, :-1])
    upright = [[(i + 0.5, j - 0.5), (i + 0.5, j + 0.5)] for j, i in zip(y.tolist(), x.tolist(), strict=True)]
    y, x = np.nonzero(segments[1:] != segments[:-1])
    return upright + [[(i - 0.5, j + 0.5), (i + 0.5, j + 0.5)] for j, i in zip(y.tolist(), x.tolist(), strict=True)]


def image(answer: Answer, view: View) -> Drawn:
    """Up to four pictures. Colours end at the largest |value| of a segment, or at the 99th percentile of pixels."""
    a = answer.attribution
    rows = chosen(answer, view.rows, 4)
    held = [values_of(answer, row) for row in rows]
    size = np.abs(np.concatenate([v.reshape(-1) for v, _ in held]))
    edge = float(size.max() if a.segments is not None else np.percentile(size, EDGE)) or float(size.max()) or 1.0
    signed = additive(a) or any((v < 0).any() for v, _ in held)
    scale = scale_of([edge], unit_of(answer))
    unit = f" {scale.unit}" if scale.unit else ""
    what = "segment" if a.segments is not None else "pixel"
    columns = ["photo", "overlay"] + (["raises it", "lowers it"] if signed else ["map alone"])
    high = SIDE * min(2.0, answer.layout.shape[0] / answer.layout.shape[1])
    words = words_for(a, "", scale.unit, False, ((SOFT, _legend(what, signed, edge / 10.0**scale.power, unit)),))
    width = len(columns) * (SIDE + GAP) + 0.95
    body = framed(words, width, (high + TITLE) * len(rows) + 0.05)
    colours = ramp(DIVERGING if signed else AMOUNT)
    cells: dict[str, Cells] = {}
    table: list[tuple[str, str, float, float, float]] = []
    for k, (row, (values, segments)) in enumerate(zip(rows, held, strict=True)):
        y = k * (high + TITLE)
        body.write(0, y, [(body.ink.fitted(title_of(answer, row), BODY, width), BODY, INK, "bold")])
        photo = pixels_of(answer, row)
        share = values / edge
        layers = [None, share, np.maximum(share, 0), np.minimum(share, 0)] if signed else [None, share, share]
        for j, (name, layer) in enumerate(zip(columns, layers, strict=True)):
            x = j * (SIDE + GAP)
            axes = body.axes(x, y + TITLE - 0.04, SIDE, high)
            colour = {"raises it": RAISES, "lowers it": LOWERS}.get(name, SOFT)
            body.write(x, y + 0.22, [(name + _sum(answer, row, name), SMALL, colour, "normal")])
            _bare(axes)
            if layer is None:
                axes.imshow(photo[:, :, 0] if photo.shape[2] == 1 else photo, cmap="gray", vmin=0, vmax=1,
                            interpolation="none")  # fmt: skip
                continue
            if name == "overlay":
                grey = photo[:, :, 0] if photo.shape[2] == 1 else photo @ GREY
                axes.imshow(0.35 + 0.6 * grey, cmap="gray", vmin=0, vmax=1, interpolation="none")
            gid = f"{'overlay' if name == 'overlay' else 'alone'}-{k}-{j}"
            axes.imshow(_coloured(layer, colours, signed, view.opacity if name == "overlay" else None),
                        interpolation="none").set_gid(gid)  # fmt: skip
            if values.size <= MOST_CELLS:
                cells[gid] = _cells(values)
            if segments is not None:
                _outlined(axes, segments, "#333333" if name == "overlay" else "#BBBBBB")
        table += _regions(answer, row, values, segments)
    low = scale.amount(-edge if signed else 0.0, scale.decimals([edge]), sign=signed)
    strip(body, (len(columns) * (SIDE + GAP) + 0.05, TITLE, 0.13, high), colours, low,
          scale.amount(edge, scale.decimals([edge]), sign=signed), f"value of a {what}")  # fmt: skip
    return Drawn(
        body.figure, f"{len(rows)} pictures beside what the model's {subject(a)} owes to their parts.",
        ("row", "part", "x", "y", "value"), tuple(table), cells=cells, slider="overlay",
    )  # fmt: skip


def _coloured(share: Float[np.ndarray, "h w"], colours: object, signed: bool, opacity: float | None) -> np.ndarray:
    """RGBA; over a photo as opaque as the value is large."""
    clipped = np.clip(share, -1, 1)
    made = np.array(colours((clipped + 1) / 2 if signed else clipped))  # type: ignore[operator]
    if opacity is not None:
        made[..., 3] = opacity * np.abs(clipped) ** 0.6
    return made


def _outlined(axes: Axes, segments: np.ndarray, colour: str) -> None:
    """All edges as one path: a page of thousands of lines would be large."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    edges = borders(segments)
    if edges:
        points = np.array(edges).reshape(-1, 2)
        path = Path(points, np.tile([Path.MOVETO, Path.LINETO], len(edges)))
        axes.add_patch(PathPatch(path, facecolor="none", edgecolor=colour, linewidth=0.5))


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color("#CCCCCC")


def _sum(answer: Answer, row: int, name: str) -> str:
    """All that raises, or lowers, together: with the base value they are the prediction."""
    a = answer.attribution
    if name not in ("raises it", "lowers it") or not additive(a):
        return ""
    shares = a.values[row].reshape(answer.layout.shape).sum(axis=2)
    if a.segments is not None:
        shares = np.bincount(np.unique(a.segments[row], return_inverse=True)[1].reshape(-1), a.values[row])
    total = float(shares[shares > 0].sum() if name == "raises it" else shares[shares < 0].sum())
    scale = scale_of([float(a.prediction[row])], a.info.unit)
    return f": {scale.amount(total, 3, sign=True)}"


def _cells(values: Float[np.ndarray, "h w"]) -> Cells:
    return Cells([f"y {j}" for j in range(len(values))], [f"x {i}" for i in range(values.shape[1])], values)


def _regions(
    answer: Answer, row: int, values: np.ndarray, segments: np.ndarray | None
) -> Sequence[tuple[str, str, float, float, float]]:
    """Segments by size; else the ten pixels of the largest |value|."""
    label = answer.label(row)
    if segments is None:
        largest = np.argsort(-np.abs(values).reshape(-1), kind="stable")[:10]
        y, x = np.unravel_index(largest, values.shape)
        return [(label, "pixel", float(i), float(j), float(values[j, i])) for j, i in zip(y, x, strict=True)]
    down, across = (np.asarray(place) for place in np.indices(segments.shape))
    count = np.bincount(segments.reshape(-1))
    found = []
    for k in np.flatnonzero(count):
        inside = segments == k
        middle = float(np.round(across[inside].mean(), 1)), float(np.round(down[inside].mean(), 1))
        found.append((label, f"segment {k}", *middle, float(values[inside][0])))
    return sorted(found, key=lambda one: -abs(one[4]))


def _legend(what: str, signed: bool, edge: float, unit: str) -> str:
    if not signed:
        return f"dark: a large value of a {what}, up to {edge:.3g}{unit}"
    return f"vermilion: the {what} raises the prediction, blue: it lowers it; full colour at ± {edge:.3g}{unit}"
