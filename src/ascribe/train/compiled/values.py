"""v(S) of a plan's inner coalitions, row by row and chunk by chunk: from completions, from the surrogate, or both.

Every row is computed by the same products of the same shapes, whatever is asked beside it: its answer is the same bits
alone and in a batch. One chunk of one row is in memory at a time, and fits the cache; a batch has no larger working set
than a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ascribe.core.control import Control
from ascribe.core.games import FALLBACK
from ascribe.core.scaling import Scores
from ascribe.train.compiled.additive import cut
from ascribe.train.compiled.control import above_mean
from ascribe.train.compiled.law import Law
from ascribe.train.compiled.scaling import forward, inverse
from ascribe.train.compiled.sheet import Sheet

__all__ = ["Drawn", "Values", "completions", "stacked", "surrogate"]

AT_ONCE = 1024  # completions, or coalitions of the surrogate, of one row at a time


@dataclass(frozen=True)
class Values:
    """`v (b, m)` double, its `replicates (b, m, s)` double or None, `ess (b,)` float or None (infinite). `inside`: the
    completions in natural units and scores, (b, m, s, n), where they were asked for.
    """

    v: str
    replicates: str | None = None
    ess: str | None = None
    inside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """What completions are made of. `energy`: the tilt's graph where completions are weighted."""

    predict: bytes
    law: Law
    samples: int
    control: Control | None
    energy: bytes | None


def completions(sheet: Sheet, x: str, S: np.ndarray, scores: Scores, given: Drawn, inside: bool = False) -> Values:
    """`core.games.ConditionalGame` by completions; `x (b, n)` float, `S (m, n)`. `inside`: give the completions too."""
    n, s = S.shape[1], given.samples
    chunks, size, padded = _chunked(S, max(1, AT_ONCE // s))
    held = given.law.parts(padded, given.control)
    shares = [sheet.const(padded, bool), *(sheet.const(a, a.dtype) for a, _ in held)]
    types = ["bool", *(kind for _, kind in held)]

    def one_row(inner: Sheet, of_row: list[str]) -> list[str]:
        x, z = (inner.op("Unsqueeze", a, inner.ints(0)) for a in of_row)
        row = given.law.outside(inner, z)

        def one_chunk(inner: Sheet, parts: list[str]) -> list[str]:
            drawn = given.law.draw(inner, row, parts[0], size, parts[1:], given.control)
            observed = inner.op("Unsqueeze", parts[0], inner.ints(1))  # (m, 1, n)
            natural = inner.op("Where", observed, inner.op("Unsqueeze", x, inner.ints(1)),
                               inverse(inner, drawn.z, scores))  # fmt: skip
            f = inner.inline(given.predict, "predict", inner.op("Reshape", natural, inner.ints(-1, n)))[0]
            found = [inner.op("Reshape", f, inner.ints(size, s))]
            if given.control is not None:
                over = above_mean(inner, given.control, drawn.z, drawn.pi, drawn.m, drawn.spread, drawn.bend)
                found.append(inner.op("Reshape", over, inner.ints(size, s)))
            if given.energy is not None:
                seen = inner.op("Reshape", inner.op("Expand", observed, inner.ints(size, s, n)), inner.ints(-1, n))
                z = inner.op("Reshape", drawn.z, inner.ints(-1, n))
                found.append(inner.op("Reshape", inner.inline(given.energy, "energy", z, seen)[0], inner.ints(size, s)))
            if inside:
                found += [inner.op("Reshape", a, inner.ints(size, s, n)) for a in (natural, drawn.z)]
            return found

        return _joined(inner, chunks, shares, types, one_chunk, len(S))

    f, *rest = sheet.scan([x, forward(sheet, x, scores)], ["float", "double"], one_row)
    seen = tuple(rest[-2:]) if inside else ()
    f, *rest = (sheet.cast(a, "double") for a in [f, *rest][: len(rest) + 1 - len(seen)])
    over = rest.pop(0) if given.control is not None else None
    plain = f if over is None else sheet.op("Sub", f, over)
    count = sheet.const(s, np.float64)
    if given.energy is None:
        ess = sheet.op("Mul", _each_row(sheet, x), sheet.const(float(s)))
        return Values(sheet.op("ReduceMean", plain, sheet.ints(2), keepdims=0), plain, ess, seen)
    weighted, ess = _weighed(sheet, f, rest[0], count)
    if over is not None:
        weighted = sheet.op("Sub", weighted, over)
    low = sheet.op("Less", ess, sheet.const(FALLBACK * s, np.float64))
    replicates = sheet.op("Where", sheet.op("Unsqueeze", low, sheet.ints(1, 2)), plain, weighted)
    v = sheet.op("ReduceMean", replicates, sheet.ints(2), keepdims=0)
    return Values(v, replicates, sheet.cast(ess, "float"), seen)


def surrogate(sheet: Sheet, x: str, S: np.ndarray, scores: Scores, graph: bytes) -> Values:
    """`core.surrogate.Surrogate`: one evaluation a coalition, its first layer shared by them where that can be."""
    n = S.shape[1]
    chunks, size, padded = _chunked(S, AT_ONCE // 4)
    parts = cut(graph, n)
    shares = [sheet.const(padded, bool if parts is None else np.float32)]
    alone = np.vstack([np.zeros((1, n), bool), np.eye(n, dtype=bool)])

    def one_row(inner: Sheet, of_row: list[str]) -> list[str]:
        z = of_row[0]
        empty = each = ""
        if parts is not None:
            known = inner.op("Where", inner.const(alone, bool), z, inner.const(0.0))
            h = inner.inline(parts.head, "first_layer", known, inner.const(alone, bool))[0]
            empty, rest = inner.split(h, 0, 1, n)
            each = inner.op("Sub", rest, empty)

        def one_chunk(inner: Sheet, held: list[str]) -> list[str]:
            if parts is not None:
                summed = inner.op("Add", inner.op("MatMul", held[0], each), empty)
                return [inner.op("Reshape", inner.inline(parts.tail, "surrogate", summed)[0], inner.ints(size))]
            known = inner.op("Where", held[0], z, inner.const(0.0))
            return [inner.op("Reshape", inner.inline(graph, "surrogate", known, held[0])[0], inner.ints(size))]

        return _joined(inner, chunks, shares, ["bool" if parts is None else "float"], one_chunk, len(S))

    z = sheet.cast(forward(sheet, x, scores), "float")
    return Values(sheet.cast(sheet.scan([z], ["float"], one_row)[0], "double"))


def stacked(sheet: Sheet, S: np.ndarray, share: np.ndarray, c: Values, g: Values) -> Values:
    """share[|S|] of completions, the rest of the surrogate; replicates likewise."""
    part = sheet.const(share[S.sum(axis=1)], np.float64)
    v = sheet.op("Add", g.v, sheet.op("Mul", part, sheet.op("Sub", c.v, g.v)))
    assert c.replicates is not None
    wide = sheet.op("Unsqueeze", g.v, sheet.ints(2))
    apart = sheet.op("Mul", sheet.op("Sub", c.replicates, wide), sheet.const(share[S.sum(axis=1)][:, None], np.float64))
    return Values(v, sheet.op("Add", wide, apart), c.ess, c.inside)


def _weighed(sheet: Sheet, f: str, tilt: str, s: str) -> tuple[str, str]:
    """Jackknife replicates s V - (s-1) V_(-k) of the mean weighted by exp(-tilt), and the least ess of each row."""

    def over(name: str, a: str, axis: int, keep: int) -> str:
        return sheet.op(name, a, sheet.ints(axis), keepdims=keep)

    w = sheet.op("Exp", sheet.op("Sub", over("ReduceMin", tilt, 2, 1), tilt))
    wf = sheet.op("Mul", w, f)
    D, N = over("ReduceSum", w, 2, 1), over("ReduceSum", wf, 2, 1)
    square = over("ReduceSumSquare", w, 2, 1)
    ess = over("ReduceMin", sheet.op("Squeeze", sheet.op("Div", sheet.op("Mul", D, D), square), sheet.ints(2)), 1, 0)
    left = sheet.op("Div", sheet.op("Sub", N, wf), sheet.op("Sub", D, w))
    less = sheet.op("Sub", s, sheet.const(1.0, np.float64))
    return sheet.op("Sub", sheet.op("Mul", s, sheet.op("Div", N, D)), sheet.op("Mul", less, left)), ess


def _chunked(S: np.ndarray, most: int) -> tuple[int, int, np.ndarray]:
    """Count, size (at most `most`) and chunks (count, size, n), the last filled up with the last coalition."""
    chunks = -(-len(S) // most)
    size = -(-len(S) // chunks)
    at = np.minimum(np.arange(chunks * size), len(S) - 1)
    return chunks, size, S[at].reshape(chunks, size, S.shape[1])


def _joined(
    sheet: Sheet, chunks: int, parts: list[str], types: list[str], body: Callable[[Sheet, list[str]], list[str]], m: int
) -> list[str]:
    """Results (m, ..) of `body` over chunks of coalitions; a single chunk needs no loop."""
    if chunks == 1:
        return body(sheet, [sheet.op("Squeeze", part, sheet.ints(0)) for part in parts])
    joined = []
    for stack in sheet.scan(parts, types, body):
        tail = sheet.op("Shape", stack, start=2)
        flat = sheet.op("Reshape", stack, sheet.op("Concat", sheet.ints(-1), tail, axis=0))
        joined.append(sheet.op("Slice", flat, sheet.ints(0), sheet.ints(m), sheet.ints(0)))
    return joined


def _each_row(sheet: Sheet, x: str) -> str:
    """1 for each row of `x (b, n)`, (b,)."""
    shape = sheet.op("Shape", x, start=0, end=1)
    return sheet.op("Expand", sheet.const([1.0]), shape)
