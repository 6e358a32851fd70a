"""Completions of hidden features under fixed coalitions, in scores, by one of two forms of EmSHAP's proposal.

`FixedMixture`   the closed-form mixture alone. What depends on the coalition is a constant (`core.factor_mixture`), and
                 as the noise is fixed too, so is  G eps + sqrt(psi) delta:  a completion is a mean and a constant.
`AnyProposal`    the bundle's proposal graph as it stands, once for each row and coalition: any network, any correction.

A law answers `Completed` for a chunk of coalitions; `parts` are its constants, one chunk a row of the leading axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtri

from ascribe.core.control import Control
from ascribe.core.factor_mixture import FactorMixture
from ascribe.train.compiled.control import spread_of
from ascribe.train.compiled.sheet import Sheet

__all__ = ["AnyProposal", "Completed", "FixedMixture", "Law", "Parts"]

Parts = list[tuple[np.ndarray, str]]  # a constant with a leading axis of chunks, and its element type


@dataclass(frozen=True)
class Completed:
    """`z (b, m, s, n)` with observed scores in place; the components' means `m (b, m, c, n)` likewise, their weights
    `pi (b, m, c)` (None: one), and what `control.above_mean` needs.
    """

    z: str
    m: str
    pi: str | None
    spread: str
    bend: str | None


class Law(Protocol):
    """What `completions` asks for."""

    def parts(self, S: np.ndarray, control: Control | None) -> Parts:
        """Constants of coalitions `S (chunks, m, n)`."""
        ...

    def outside(self, sheet: Sheet, z: str) -> list[str]:
        """What is computed once for a row, from its scores `z (b, n)` double."""
        ...

    def draw(self, sheet: Sheet, row: list[str], S: str, m: int, held: list[str], control: Control | None) -> Completed:
        """A chunk of m coalitions: `row` from `outside`, `S (m, n)` bool, `held` its constants."""
        ...


class FixedMixture:
    """Draws and weights are counted in double, so that no completion changes its component by rounding."""

    def __init__(self, mixture: FactorMixture, noise: np.ndarray) -> None:
        self.mixture = mixture
        self.c, self.n, self.rank = mixture.loading.shape
        self.first, normal = noise[:, 0], ndtri(noise[:, 1:])
        self.eps, self.delta = normal[:, : self.rank], normal[:, self.rank :]

    def parts(self, S: np.ndarray, control: Control | None) -> Parts:
        chunks, m, n = S.shape
        s, c = len(self.first), self.c
        given = self.mixture.regression(S.reshape(-1, n))
        hidden = ~S.reshape(-1, 1, n)
        G = np.where(hidden[..., None], given.G, 0.0)
        gain = np.swapaxes(G @ given.white, 2, 3)  # (m, c, from, to)
        drawn = np.einsum("mcnl,sl->mscn", G, self.eps, optimize=True)
        drawn += np.where(hidden, np.sqrt(self.mixture.psi), 0.0)[:, None] * self.delta[:, None, :]
        by_component = (chunks, m, c, n, n)
        held: Parts = [
            (np.moveaxis(gain.reshape(by_component), 1, 3).reshape(chunks, c, n, m * n).astype(np.float32), "float"),
            (drawn.reshape(chunks, m * s * c, n).astype(np.float32), "float"),
        ]
        if c > 1:
            white = np.moveaxis(given.white.reshape(chunks, m, c, self.rank, n), 1, 2)  # (chunks, c, m, l, n)
            white = np.swapaxes(white.reshape(chunks, c, m * self.rank, n), 2, 3)
            held += [(np.ascontiguousarray(white), "double"), (given.log_norm.reshape(chunks, m, c), "double")]
        if control is not None:
            spread, bend = spread_of(control, G, np.where(hidden, self.mixture.psi, 0.0))
            held.append((spread.reshape(chunks, m, c).astype(np.float32), "float"))
            if bend is not None:
                held.append((bend.reshape(chunks, m, c, n).astype(np.float32), "float"))
        return held

    def outside(self, sheet: Sheet, z: str) -> list[str]:
        """z float, r (c, b, n) double and float, r^2/psi (c, b, n) double."""
        mu = sheet.const(self.mixture.mu[:, None], np.float64)
        r = sheet.op("Sub", sheet.op("Unsqueeze", z, sheet.ints(0)), mu)
        square = sheet.op("Div", sheet.op("Mul", r, r), sheet.const(self.mixture.psi[:, None], np.float64))
        return [sheet.cast(z, "float"), r, sheet.cast(r, "float"), square]

    def draw(self, sheet: Sheet, row: list[str], S: str, m: int, held: list[str], control: Control | None) -> Completed:
        z, r, r_single, square = row
        c, n, s = self.c, self.n, len(self.first)
        gain, drawn, *rest = held
        moved = sheet.op("Reshape", sheet.op("MatMul", r_single, gain), sheet.ints(c, 0, -1, n))  # (c, b, m, n)
        mean = sheet.op("Add", moved, sheet.const(self.mixture.mu[:, None, None]))
        mean = sheet.op("Where", S, sheet.op("Unsqueeze", z, sheet.ints(1)), mean)
        mean = sheet.op("Transpose", mean, perm=[1, 2, 0, 3])  # (b, m, c, n)
        pi = None
        if c == 1:
            at = sheet.op("Reshape", drawn, sheet.ints(-1, s, n))
            full = sheet.op("Add", mean, at)
        else:
            white, log_norm, *rest = rest
            seen = sheet.op("Transpose", sheet.cast(S, "double"), perm=[1, 0])
            told = sheet.op("Reshape", sheet.op("MatMul", r, white), sheet.ints(c, 0, -1, self.rank))
            quadratic = sheet.op("Sub", sheet.op("MatMul", square, seen),
                                 sheet.op("ReduceSumSquare", told, sheet.ints(3), keepdims=0))  # fmt: skip
            quadratic = sheet.op("Transpose", quadratic, perm=[1, 2, 0])  # (b, m, c)
            logits = sheet.op("Sub", log_norm, sheet.op("Mul", quadratic, sheet.const(0.5, np.float64)))
            j, pi = component(sheet, logits, self.first)
            own = sheet.op("GatherND", mean, sheet.op("Unsqueeze", j, sheet.ints(3)), batch_dims=2)
            place = sheet.const(np.arange(0, m * s * c, c).reshape(m, s), np.int64)
            full = sheet.op("Add", own, sheet.op("Gather", drawn, sheet.op("Add", j, place)))
        if control is None:
            return Completed(full, mean, pi, "", None)
        return Completed(full, mean, pi, rest[0], rest[1] if len(rest) > 1 else None)


class AnyProposal:
    """`graph`: a `proposal` graph (docs/onnx.md); `rank`: of its factors."""

    def __init__(self, graph: bytes, n: int, rank: int, noise: np.ndarray) -> None:
        self.graph, self.n, self.rank = graph, n, rank
        self.first, normal = noise[:, 0], ndtri(noise[:, 1:]).astype(np.float32)
        self.eps, self.delta = normal[:, :rank], normal[:, rank:]

    def parts(self, S: np.ndarray, control: Control | None) -> Parts:
        return []

    def outside(self, sheet: Sheet, z: str) -> list[str]:
        return [sheet.cast(z, "float")]

    def draw(self, sheet: Sheet, row: list[str], S: str, m: int, held: list[str], control: Control | None) -> Completed:
        n, l, s = self.n, self.rank, len(self.first)  # noqa: E741 - the page's letter for the rank
        z = sheet.op("Unsqueeze", row[0], sheet.ints(1))
        known = sheet.op("Where", S, z, sheet.const(0.0))  # (b, m, n)
        observed = sheet.op("Expand", S, sheet.op("Shape", known))
        flat = [sheet.op("Reshape", a, sheet.ints(-1, n)) for a in (known, observed)]
        logits, mean, diag, factor = sheet.inline(self.graph, "proposal", *flat)
        shape = sheet.op("Shape", known, start=0, end=2)
        logits, mean, diag, factor = (
            sheet.op("Reshape", a, sheet.op("Concat", shape, sheet.ints(*tail), axis=0))
            for a, tail in ((logits, (-1,)), (mean, (-1, n)), (diag, (-1, n)), (factor, (-1, n * l)))
        )
        mean = sheet.op("Where", sheet.op("Unsqueeze", S, sheet.ints(1)), sheet.op("Unsqueeze", z, sheet.ints(1)), mean)
        hidden = sheet.cast(sheet.op("Not", sheet.op("Unsqueeze", S, sheet.ints(1))), "float")  # (m, 1, n)
        diag = sheet.op("Mul", diag, hidden)
        j, pi = component(sheet, logits, self.first)
        at = sheet.op("Unsqueeze", j, sheet.ints(3))
        own, variance, rows = (sheet.op("GatherND", a, at, batch_dims=2) for a in (mean, diag, factor))
        rows = sheet.op("Reshape", rows, sheet.op("Concat", shape, sheet.ints(s, n, l), axis=0))
        eps = sheet.op("ReduceSum", sheet.op("Mul", rows, sheet.const(self.eps[:, None])), sheet.ints(4), keepdims=0)
        drawn = sheet.op("Add", sheet.op("Mul", eps, hidden),
                         sheet.op("Mul", sheet.op("Sqrt", variance), sheet.const(self.delta)))  # fmt: skip
        full = sheet.op("Add", own, drawn)
        if control is None:
            return Completed(full, mean, pi, "", None)
        spread, bend = self._spread(sheet, factor, diag, hidden, shape, control)
        return Completed(full, mean, pi, spread, bend)

    def _spread(
        self, sheet: Sheet, factor: str, diag: str, hidden: str, shape: str, control: Control
    ) -> tuple[str, str | None]:
        """`control.spread_of` of covariances that only the row knows."""
        F = sheet.op("Reshape", factor, sheet.op("Concat", shape, sheet.ints(-1, self.n, self.rank), axis=0))
        F = sheet.op("Mul", F, sheet.op("Unsqueeze", hidden, sheet.ints(3)))

        def inner(matrix: np.ndarray, F: str, diag: str) -> str:
            over = sheet.op("ReduceSum", sheet.op("Mul", sheet.op("MatMul", sheet.const(matrix), F), F),
                            sheet.ints(-2, -1), keepdims=0)  # fmt: skip
            return sheet.op("Add", over, sheet.op("MatMul", diag, sheet.const(np.diagonal(matrix, 0, -2, -1))))

        spread = inner(control.A, F, diag)
        if control.T is None:
            return spread, None
        C = sheet.op("MatMul", F, sheet.op("Transpose", F, perm=[0, 1, 2, 4, 3]))
        C = sheet.op("Reshape", C, sheet.op("Concat", shape, sheet.ints(-1, self.n**2), axis=0))
        T = 3 * control.T.reshape(self.n**2, self.n)
        whole = sheet.op("MatMul", C, sheet.const(T))
        return spread, sheet.op("Add", whole, sheet.op("MatMul", diag, sheet.const(T[:: self.n + 1])))


def component(sheet: Sheet, logits: str, first: np.ndarray) -> tuple[str, str]:
    """Index (b, m, s) of each draw's component, by the inverse distribution function at `first (s,)`, and the weights
    (b, m, c) as float.
    """
    pi = sheet.op("Softmax", sheet.cast(logits, "double"), axis=-1)
    edge = sheet.op("CumSum", pi, sheet.const(2, np.int64))
    edge = sheet.op("Slice", edge, sheet.ints(0), sheet.ints(-1), sheet.ints(2))
    above = sheet.op("Greater", sheet.const(first, np.float64), sheet.op("Unsqueeze", edge, sheet.ints(3)))
    return sheet.op("ReduceSum", sheet.cast(above, "int64"), sheet.ints(2), keepdims=0), sheet.cast(pi, "float")
