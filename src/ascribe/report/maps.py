"""Features: the maps of a layer of a convolutional network for one picture, the strongest first."""

from __future__ import annotations

from math import ceil

from ascribe.core.answer import Answer
from ascribe.core.arrays import np
from ascribe.core.errors import InputError, NotFound
from ascribe.core.words import listed, quoted
from ascribe.report.captions import foot_of, subject
from ascribe.report.colours import AMOUNT, DIVERGING, ramp
from ascribe.report.drawn import Cells, Drawn, View
from ascribe.report.frame import framed, name_of, strip
from ascribe.report.image import pixels_of
from ascribe.report.panel import INK, SMALL, SOFT
from ascribe.report.players import chosen
from ascribe.report.sheet import Words

__all__ = ["maps"]

SIDE, GAP, CAP, ACROSS, TOP = 1.16, 0.08, 0.2, 7, 27


def maps(answer: Answer, view: View) -> Drawn:
    """One picture; `top` maps by mean |value|. Raises InputError where the answer holds none, NotFound for a layer."""
    if not answer.maps:
        raise InputError("this answer holds no maps of layers: explain with --method grad_cam")
    layer = view.layer or next(iter(answer.maps))
    if layer not in answer.maps:
        raise NotFound(f"no layer {quoted(layer)}: this answer has {listed(tuple(answer.maps))}")
    row = chosen(answer, view.rows, 1)[0]
    held = np.asarray(answer.maps[layer][row], dtype=float)
    strength = np.abs(held).mean(axis=(1, 2))
    order = np.argsort(-strength, kind="stable")[: view.top or TOP]
    shown = held[order]
    signed = bool((shown < 0).any())
    edge = float(np.abs(shown).max()) or 1.0
    photo = answer.layout.kind == "image"
    count = len(shown) + photo
    across = min(ACROSS, count)
    down = ceil(count / across)
    words = Words(
        head=f"maps of layer {name_of(layer)} for {name_of(answer.label(row))}",
        sub=f"{len(shown)} of {len(held)} maps, {held.shape[1]} \N{MULTIPLICATION SIGN} {held.shape[2]} cells each, "
        f"the largest mean |value| first; what a layer holds, no share of {subject(answer.attribution)}",
        foot=foot_of(answer.attribution), axis="",
    )  # fmt: skip
    body = framed(words, across * (SIDE + GAP) + 0.75, down * (SIDE + CAP + 0.04))
    colours, cells = ramp(DIVERGING if signed else AMOUNT), {}
    for k in range(count):
        i, j = divmod(k, across)
        x, y = j * (SIDE + GAP), i * (SIDE + CAP + 0.04)
        axes = body.axes(x, y + CAP, SIDE, SIDE)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#CCCCCC")
        if photo and k == 0:
            pixels = pixels_of(answer, row)
            axes.imshow(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, cmap="gray", vmin=0, vmax=1,
                        aspect="auto", interpolation="none")  # fmt: skip
            body.write(x, y, [("photo", SMALL, INK, "normal")])
            continue
        number = int(order[k - photo])
        picture = axes.imshow(held[number], cmap=colours, vmin=-edge if signed else 0, vmax=edge, aspect="auto",
                              interpolation="none")  # fmt: skip
        picture.set_gid(f"map-{number}")
        lines, columns = ([f"{name} {c}" for c in range(n)] for name, n in zip("yx", held.shape[1:], strict=True))
        cells[f"map-{number}"] = Cells(lines, columns, held[number])
        body.write(x, y, [(f"map {number}", SMALL, SOFT, "normal")])
    strip(body, (across * (SIDE + GAP) + 0.02, CAP, 0.12, SIDE), colours, f"{-edge if signed else 0:.2g}",
          f"{edge:.2g}", "value")  # fmt: skip
    return Drawn(
        body.figure, f"{len(shown)} maps of layer {layer}.", ("map", "mean |value|", "largest |value|"),
        tuple((f"map {k}", float(strength[k]), float(np.abs(held[k]).max())) for k in order), cells=cells,
    )  # fmt: skip
