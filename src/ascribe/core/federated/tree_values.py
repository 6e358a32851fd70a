"""Exact Shapley values of trees that several parties hold, each host one player, from the ways that are known already.

For a leaf with players Q on its path (k of them), z_q the product of cover(child) / cover(node) over q's nodes there,
and o_q = 1 where all of them agree with the row, else 0 (a host with several nodes has one z and one o):

    v(S) gets   value prod_{q in S} o_q prod_{q not in S} z_q
    phi_i gets  value (o_i - z_i) sum_{R in Q - i} |R|! (k - |R| - 1)! / k!  prod_{q in R} o_q prod_{q not in R, i} z_q
              = value (o_i - z_i) int_0^1 prod_{q != i} (t o_q + (1 - t) z_q) dt

o is one of 2^k patterns: what a leaf gives each of its players is a table, made once. Leaves of many players have none:
the integral, a polynomial in t below degree k, is taken by Gauss-Legendre points, exactly. A row then costs one pass
down the nodes and k look-ups a leaf; memory of a table: 8 k 2^k bytes a leaf.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.sparse import csr_array

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import InputError
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.structure import Structure
from ascribe.core.trees.laws import independent, points, shares

__all__ = ["TreeValues", "tree_values"]

TABLED = 10  # most players of a leaf that has a table
MOST = 1 << 24  # numbers in all tables: 128 MB; leaves beyond it are integrated
MOST_PLAYERS = 62  # of one path: patterns are bits of an integer
ENTRIES = 1 << 22  # nodes x rows at once
INTEGRATED = 1 << 20  # leaves x rows x players at once


@dataclass(frozen=True, eq=False)
class _Group:
    """Leaves (l,) of k players each: `table (k, l * 2^k)` by pattern of players that disagree, or None; `z (l, k)`.
    `spread`: for each slot (K * p, l), a leaf's value to its outputs and the player in that slot.
    """

    leaf: np.ndarray
    z: np.ndarray
    table: np.ndarray | None
    spread: tuple[csr_array, ...]

    def add(self, failing: np.ndarray, out: np.ndarray) -> None:
        """What the leaves give, from patterns (l, b), added to (K * p, b)."""
        k = self.z.shape[1]
        if self.table is None:
            step = max(1, INTEGRATED // max(k * len(self.leaf), 1))
            for i in range(0, failing.shape[1], step):
                unit = self._integrated(failing[:, i : i + step])
                for q in range(k):
                    out[:, i : i + step] += self.spread[q] @ unit[:, :, q]
            return
        at = failing.astype(np.int64) + (np.arange(len(self.leaf)) << k)[:, None]
        for q in range(k):
            out += self.spread[q] @ np.take(self.table[q], at)

    def _integrated(self, failing: np.ndarray) -> np.ndarray:
        """Values for leaves of value 1 (l, b, k)."""
        k = self.z.shape[1]
        o = (((failing[:, :, None] >> np.arange(k)) & 1) == 0).astype(float)
        z = self.z[:, None]
        out, one = np.zeros(o.shape), np.ones((*o.shape[:2], 1))
        for t, w in zip(*points(max(k - 1, 0)), strict=True):
            each = t * o + (1 - t) * z
            before = np.cumprod(np.concatenate([one, each[:, :, :-1]], axis=2), axis=2)
            after = np.cumprod(np.concatenate([one, each[:, :, :0:-1]], axis=2), axis=2)
            out += w * before * after[:, :, ::-1]
        return out * (o - z)


@dataclass(frozen=True, eq=False)
class TreeValues:
    """Call it with the ways of rows (b, nodes) for values (b, K, p). `base_value (K,)`: margin with nobody known."""

    structure: Structure
    slot: np.ndarray
    groups: tuple[_Group, ...]
    base_value: np.ndarray
    players: int

    def __call__(self, left: Bool[np.ndarray, "b nodes"]) -> Float[np.ndarray, "b k p"]:
        """In the margin's unit; sums to margin - base_value."""
        out = np.zeros((len(left), len(self.base_value) * self.players))
        step = max(1, ENTRIES // max(left.shape[1], 1))
        for i in range(0, len(left), step):
            failing = self._failing(np.ascontiguousarray(left[i : i + step].T))
            held = np.zeros((out.shape[1], failing.shape[1]))
            for group in self.groups:
                group.add(failing[group.leaf], held)
            out[i : i + step] = held.T
        return out.reshape(len(left), len(self.base_value), self.players)

    def _failing(self, left: np.ndarray) -> np.ndarray:
        """For each node and row (nodes, b), the players on the path that disagree with the row, as bits by slot."""
        s, most = self.structure, int(self.slot.max(initial=0))
        kind = np.uint16 if most < 16 else np.int64
        out = np.zeros(left.shape, kind)
        for level in s.levels[:-1]:
            n = level[~s.leaf[level]]
            bit = np.left_shift(1, self.slot[n]).astype(kind)[:, None]
            above, went = out[n], left[n] * bit
            out[s.left[n]] = above | (went ^ bit)
            out[s.right[n]] = above | went
        return out


def tree_values(structure: Structure, leaves: Leaves, player: np.ndarray, players: int) -> TreeValues:
    """Tables for the path-dependent game by `leaves.cover`. Raises InputError where there is no cover."""
    cover = leaves.cover
    if cover is None:
        raise InputError(
            "the model has no leaf counts: give background rows to be counted (`with_cover`), or counts (`with_counts`)"
        )
    slot, paths, ratios = _paths(structure, cover, player)
    sizes = np.array([len(paths[n]) for n in np.flatnonzero(structure.leaf)], dtype=int)
    ends = np.flatnonzero(structure.leaf)
    base = leaves.base.astype(float).copy()
    groups, left = [], MOST
    wide = leaves.value.shape[1] > 1
    for k in np.unique(sizes):
        leaf = ends[sizes == k]
        z = np.array([[ratios[n][q] for q in paths[n]] for n in leaf]).reshape(len(leaf), k)
        value, output = leaves.value[leaf], leaves.output[structure.tree[leaf]]
        for c in range(len(base)):
            own = value[:, c] if wide else np.where(output == c, value[:, 0], 0.0)
            base[c] += float((own * z.prod(axis=1)).sum())
        if k == 0:
            continue
        if k > MOST_PLAYERS:
            raise InputError(f"a path has {k} players, at most {MOST_PLAYERS} can be explained")
        table = None
        if k <= TABLED and len(leaf) * k * 2**k <= left:
            left -= len(leaf) * int(k) * 2 ** int(k)
            table = np.ascontiguousarray(shares(independent(z), int(k)).transpose(1, 0, 2)).reshape(int(k), -1)
        groups.append(_Group(leaf, z, table, _spread(leaf, paths, value, output, len(base), players)))
    return TreeValues(structure, slot, tuple(groups), base, players)


def _paths(
    structure: Structure, cover: np.ndarray, player: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, ...]], list[dict[int, float]]]:
    """Of each node: the slot of its player on the way, the players before it in order, and their z."""
    slot = np.zeros(len(cover), np.int64)
    paths: list[tuple[int, ...]] = [()] * len(cover)
    ratios: list[dict[int, float]] = [{} for _ in cover]
    for level in structure.levels:
        for n in level[~structure.leaf[level]].tolist():
            q = int(player[n])
            path = paths[n] if q in paths[n] else (*paths[n], q)
            slot[n] = path.index(q)
            for child in (int(structure.left[n]), int(structure.right[n])):
                part = cover[child] / cover[n] if cover[n] > 0 else 0.0  # a node without rows is reached with weight 0
                paths[child] = path
                ratios[child] = {**ratios[n], q: ratios[n].get(q, 1.0) * part}
    return slot, paths, ratios


def _spread(
    leaf: np.ndarray, paths: list[tuple[int, ...]], value: np.ndarray, output: np.ndarray, outputs: int, players: int
) -> tuple[csr_array, ...]:
    owners = np.array([paths[n] for n in leaf])  # (l, k)
    column, found = np.arange(len(leaf)), []
    for owner in owners.T:
        if value.shape[1] > 1:
            rows = np.concatenate([c * players + owner for c in range(outputs)])
            held, columns = value.T.ravel(), np.tile(column, outputs)
        else:
            rows, held, columns = output * players + owner, value[:, 0], column
        found.append(csr_array((held, (rows, columns)), shape=(outputs * players, len(leaf))))
    return tuple(found)
