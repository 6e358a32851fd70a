"""v(S) of a plan's inner coalitions, chunk by chunk: from completions, from the surrogate, or from both.

What stays in memory at a time is one chunk for all rows; a chunk of a single row fits the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.core.control import Control
from ascribe.core.games import FALLBACK
from ascribe.core.scaling import Scores
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
    shares = given.law.parts(padded, given.control)
    row = given.law.outside(sheet, forward(sheet, x, scores))

    def body(inner: Sheet, held: list[str]) -> list[str]:
        observed = held[0]
        drawn = given.law.draw(inner, row, observed, size, held[1:], given.control)
        wide = inner.op("Unsqueeze", observed, inner.ints(1))  # (m, 1, n)
        natural = inner.op("Where", wide, inner.op("Unsqueeze", x, inner.ints(1, 2)), inverse(inner, drawn.z, scores))
        shape = inner.op("Shape", drawn.z, start=0, end=3)
        rows = inner.op("Reshape", natural, inner.ints(-1, n))
        f = inner.op("Reshape", inner.inline(given.predict, "predict", rows)[0], shape)
        found = [f]
        if given.control is not None:
            found.append(above_mean(inner, given.control, drawn.z, drawn.pi, drawn.m, drawn.spread, drawn.bend))
        if given.energy is not None:
            seen = inner.op("Reshape", inner.op("Expand", wide, inner.op("Shape", drawn.z)), inner.ints(-1, n))
            t = inner.inline(given.energy, "energy", inner.op("Reshape", drawn.z, inner.ints(-1, n)), seen)[0]
            found.append(inner.op("Reshape", t, shape))
        return [*found, natural, drawn.z] if inside else found

    consts = [sheet.const(padded, bool), *(sheet.const(a, a.dtype) for a, _ in shares)]
    stacks = sheet.scan(chunks, consts, ["bool", *(kind for _, kind in shares)], body)
    seen = tuple(_joined(sheet, a, len(S), (s, n)) for a in (stacks[-2:] if inside else ()))
    f, *rest = (sheet.cast(_joined(sheet, a, len(S), (s,)), "double") for a in (stacks[:-2] if inside else stacks))
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
    """`core.surrogate.Surrogate`: one evaluation a coalition."""
    n = S.shape[1]
    chunks, _, padded = _chunked(S, AT_ONCE // 4)
    z = sheet.op("Unsqueeze", sheet.cast(forward(sheet, x, scores), "float"), sheet.ints(1))

    def body(inner: Sheet, held: list[str]) -> list[str]:
        known = inner.op("Where", held[0], z, inner.const(0.0))
        observed = inner.op("Expand", held[0], inner.op("Shape", known))
        flat = [inner.op("Reshape", a, inner.ints(-1, n)) for a in (known, observed)]
        return [
            inner.op("Reshape", inner.inline(graph, "surrogate", *flat)[0], inner.op("Shape", known, start=0, end=2))
        ]

    stacks = sheet.scan(chunks, [sheet.const(padded, bool)], ["bool"], body)
    return Values(sheet.cast(_joined(sheet, stacks[0], len(S), ()), "double"))


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
    over = lambda name, a, axis, keep: sheet.op(name, a, sheet.ints(axis), keepdims=keep)  # noqa: E731
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


def _joined(sheet: Sheet, stack: str, m: int, tail: tuple[int, ...]) -> str:
    """(chunks, b, size, ..) -> (b, m, ..)."""
    order = [1, 0, 2, *range(3, 3 + len(tail))]
    flat = sheet.op("Reshape", sheet.op("Transpose", stack, perm=order), sheet.ints(0, -1, *tail))
    return sheet.op("Slice", flat, sheet.ints(0), sheet.ints(m), sheet.ints(1))


def _each_row(sheet: Sheet, x: str) -> str:
    """1 for each row of `x (b, n)`, (b,)."""
    shape = sheet.op("Shape", x, start=0, end=1)
    return sheet.op("Expand", sheet.const([1.0]), shape)
