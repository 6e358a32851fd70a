"""Attention: for each layer and head, how much each position looks at each other. Never shares of the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from ascribe.core.answer import Answer
from ascribe.core.arrays import Float, np
from ascribe.core.attention import Matrices
from ascribe.core.errors import InputError, NotFound
from ascribe.core.words import listed, quoted
from ascribe.report.captions import foot_of
from ascribe.report.colours import AMOUNT, ramp
from ascribe.report.drawn import Cells, Drawn, View
from ascribe.report.frame import framed, name_of, strip
from ascribe.report.ink import measured
from ascribe.report.panel import INK, SMALL
from ascribe.report.players import chosen
from ascribe.report.sheet import Words

__all__ = ["attention", "panels_of", "shortened"]

WIDE, GAP, CAP = 8.6, 0.3, 0.24  # inches
MOST = 24  # matrices on a sheet; more are means over heads
MOST_NAMED = 48  # positions whose names fit

Panel = tuple[str, Float[np.ndarray, "q k"]]


def panels_of(m: Matrices, row: int, layer: str) -> list[Panel]:
    """`layer` empty: each head of each layer, or where they are many the mean over the heads of each layer; then the
    rollout. NAME: the heads of a layer; NAME/2: its third head; rollout.

    Raises NotFound naming what there is.
    """
    called = dict(zip(m.layers, shortened(m.layers), strict=True))
    heads = [(name, [w[row, h] for h in range(w.shape[1])]) for name, w in zip(m.layers, m.weights, strict=True)]
    roll: list[Panel] = [] if m.rollout is None else [("rollout, all layers", m.rollout[row])]
    if layer == "rollout" and roll:
        return roll
    name, _, head = (layer, "", "") if layer in m.layers else layer.rpartition("/")
    if layer and name not in m.layers:
        raise NotFound(f"no layer {quoted(layer)}: this answer has {listed(m.layers)}" + ", rollout" * bool(roll))
    if layer:
        held = dict(heads)[name]
        if head and not (head.isdecimal() and int(head) < len(held)):
            raise NotFound(f"no head {quoted(head)} of layer {name}: it has 0 ... {len(held) - 1}")
        return [(f"{called[name]}, head {h}", w) for h, w in enumerate(held) if not head or h == int(head)]
    if sum(len(held) for _, held in heads) <= MOST:
        return [(f"{called[name]}, head {h}", w) for name, held in heads for h, w in enumerate(held)] + roll
    return [(f"{called[name]}, mean over {len(held)} heads", np.mean(held, axis=0)) for name, held in heads] + roll


def shortened(names: Sequence[str]) -> list[str]:
    """Names of layers without the parts that all of them share.

    >>> shortened(["encoder.layers.0.attn", "encoder.layers.1.attn"])
    ['layer 0', 'layer 1']
    """
    parts = [name.split(".") for name in names]
    least = min((len(p) for p in parts), default=0)
    front = next((k for k in range(least) if len({p[k] for p in parts}) > 1), 0)
    back = next((k for k in range(least - front) if len({p[-1 - k] for p in parts}) > 1), 0)
    return [f"layer {text}" if text.isdigit() else text for text in (".".join(p[front : len(p) - back]) for p in parts)]


def attention(answer: Answer, view: View) -> Drawn:
    """One row: lines look, columns are looked at. Raises InputError where the answer holds no weights."""
    m, a = answer.matrices, answer.attribution
    if m is None:
        raise InputError("this answer holds no attention weights: explain with --method attention")
    row = chosen(answer, view.rows, 1)[0] if view.rows else chosen(answer, None, 1)[0]
    panels = panels_of(m, row, view.layer)
    names, kept = _positions(answer, m, row)
    square = [(title, w[np.ix_(kept, kept)] if w.shape == (len(m.names),) * 2 else w) for title, w in panels]
    edge = max(float(w.max()) for _, w in square) or 1.0
    across = min(len(square), 4 if len(square) > 2 else 2)
    down = ceil(len(square) / across)
    named = len(names) <= MOST_NAMED
    ink = measured()
    tall = max(ink.width(name, 6.0) for name in names) + 0.1 if named else 0.1
    side = min(3.4, (WIDE - tall - across * GAP) / across)
    shown = named and side / len(names) > 0.085
    left = tall if shown else 0.1
    words = Words(
        head=f"attention of {name_of(answer.label(row))}: where the network looked",
        sub="each line is a position that looks, each column one that is looked at; a line sums to 1 · "
        "attention is no share of the prediction",
        foot=foot_of(a), axis="",
    )  # fmt: skip
    low = tall + 0.05 if shown else 0.1
    body = framed(words, left + across * (side + GAP) + 0.55, down * (side + CAP + 0.12) + low)
    colours, cells = ramp(AMOUNT), {}
    for k, (title, w) in enumerate(square):
        i, j = divmod(k, across)
        x, y = left + j * (side + GAP), i * (side + CAP + 0.12)
        body.write(x, y, [(body.ink.fitted(title, SMALL, side), SMALL, INK, "normal")])
        axes = body.axes(x, y + CAP, side, side)
        picture = axes.imshow(w, cmap=colours, vmin=0, vmax=edge, aspect="auto", interpolation="none")
        picture.set_gid(f"attention-{k}")
        lines, columns = _labels(m, title, w, names)
        cells[f"attention-{k}"] = Cells(lines, columns, w)
        last = k + across >= len(square)
        axes.set_xticks(range(w.shape[1]) if shown and last else [], columns if shown and last else [], rotation=90)
        axes.set_yticks(range(w.shape[0]) if shown and j == 0 else [], lines if shown and j == 0 else [])
        axes.tick_params(length=0, labelsize=6.0, labelcolor=INK, pad=2)
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            text.set_parse_math(False)
        for spine in axes.spines.values():
            spine.set_color("#CCCCCC")
    strip(body, (left + across * (side + GAP) - 0.12, CAP, 0.12, side), colours, "0", f"{edge:.2g}", "weight")
    return Drawn(
        body.figure,
        f"Attention weights of {len(square)} matrices over {len(names)} positions.",
        ("matrix", "position that looks", "position looked at", "weight"),
        tuple(_largest(square, names)),
        cells=cells,
    )


def _positions(answer: Answer, m: Matrices, row: int) -> tuple[list[str], np.ndarray]:
    """Names of the positions that are drawn: words in place of numbers; padding is left out."""
    names, kept = list(m.names), np.arange(len(m.names))
    layout = answer.layout
    if layout.kind == "text" and len(names) - m.extra == layout.n:
        numbers = answer.attribution.data[row].astype(int)
        told = [layout.words[n] if n < len(layout.words) else str(n) for n in numbers]
        names[m.extra :] = told
        held = np.flatnonzero(numbers != layout.padding)
        kept = np.arange(m.extra + (int(held[-1]) + 1 if len(held) else 0))
    return [name_of(names[k]) for k in kept], kept


def _labels(m: Matrices, title: str, w: np.ndarray, names: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Of the lines and columns of a matrix: its own where its positions are parts of a window."""
    for name, called in zip(m.layers, shortened(m.layers), strict=True):
        if name in m.parts and title.startswith(f"{called},"):
            return m.parts[name].query, m.parts[name].key
    whole = w.shape == (len(names), len(names))
    lines = names if whole else [str(q) for q in range(w.shape[0])]
    return lines, names if w.shape[1] == len(names) else [str(q) for q in range(w.shape[1])]


def _largest(panels: Sequence[Panel], names: Sequence[str], most: int = 12) -> list[tuple[str, str, str, float]]:
    """The largest weights of each matrix."""
    found = []
    for title, w in panels:
        at = np.argsort(-w.reshape(-1), kind="stable")[:most]
        for q, k in zip(*np.unravel_index(at, w.shape), strict=True):
            line = names[q] if w.shape[0] == len(names) else str(q)
            column = names[k] if w.shape[1] == len(names) else str(k)
            found.append((title, line, column, float(w[q, k])))
    return found
