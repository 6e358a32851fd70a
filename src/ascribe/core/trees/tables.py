"""Tables: what each part gives a row, by the part's bits, so that explaining is looking up and adding.

    phi[row] = sum over parts of table[part, bits of the row]

The table of a part sums over its leaves (`laws`). Background rows are counted by their bits first, so that work grows
as rows + background rows, not as their product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from scipy.sparse import csr_array

from ascribe.core.arrays import np
from ascribe.core.trees.laws import independent, pairs, shares
from ascribe.core.trees.parts import Parts

__all__ = ["Table", "counted", "look_up", "tabled"]

CELLS = 1 << 17  # of tests at a time, and of leaves' laws: they stay in the cache
ROWS = 2048


@dataclass(frozen=True, eq=False)
class Table:
    """Of trees `first .. last - 1`: `cells (entries, columns)`, part after part, in units of the margin."""

    first: int
    last: int
    cells: np.ndarray


def entries_of(parts: Parts) -> np.ndarray:
    """Where each part's entries begin (parts + 1,)."""
    return np.concatenate([[0], np.cumsum(1 << parts.bits)])


def read_bits(parts: Parts, X: np.ndarray, first: int, last: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Entries (parts, rows) of rows `X` in trees `first .. last - 1`, a few trees at a time: yields the first and last
    tree and the entries, counted from the first part of tree `first`. Parts come in any order.
    """
    codes = parts.codes.of(X)
    entry = entries_of(parts)
    entry = entry - entry[parts.first[first]]
    mean = (parts.splits[last] - parts.splits[first]) / max(last - first, 1)
    step = max(1, int(CELLS // max(mean * len(X), 1)))
    for k in range(first, last, step):
        end = min(k + step, last)
        s0, s1 = parts.splits[k], parts.splits[end]
        left = parts.codes.lefts(codes, X, s0, s1)
        both = np.concatenate([~left, left]).view(np.uint8)
        p = np.arange(parts.first[k], parts.first[end])
        count = parts.begin[p + 1] - parts.begin[p]
        order = np.argsort(-count, kind="stable")
        p, count = p[order], count[order]
        bits = np.zeros((len(p), len(X)), np.uint16)
        for d in range(int(count.max(initial=0))):
            more = int(np.searchsorted(-count, -d))
            at = parts.begin[p[:more]] + d
            line = parts.test[at] - s0 + (s1 - s0) * parts.goes[at]
            bits[:more] |= both[line] * parts.weight[at][:, None]
        yield k, end, bits + entry[p].astype(np.int32)[:, None]


def look_up(parts: Parts, table: Table, X: np.ndarray) -> np.ndarray:
    """Sums of entries for rows (b, columns)."""
    out = np.zeros((len(X), table.cells.shape[1]))
    for k in range(0, len(X), ROWS):
        at = X[k : k + ROWS]
        for _, _, entry in read_bits(parts, at, table.first, table.last):
            picked = np.ascontiguousarray(entry.T)
            ends = np.arange(0, picked.size + 1, picked.shape[1], dtype=np.int32)
            ones = np.ones(picked.size)
            out[k : k + ROWS] += csr_array((ones, picked.ravel(), ends), shape=(len(at), len(table.cells))) @ table.cells
    return out


def counted(parts: Parts, background: np.ndarray, first: int, last: int) -> np.ndarray:
    """The share of background rows at each entry of trees `first .. last - 1`."""
    entry = entries_of(parts)
    total = np.zeros(entry[parts.first[last]] - entry[parts.first[first]])
    for k in range(0, len(background), ROWS):
        for i, j, held in read_bits(parts, background[k : k + ROWS], first, last):
            low, high = (entry[parts.first[e]] - entry[parts.first[first]] for e in (i, j))
            total[low:high] += np.bincount(held.ravel() - low, minlength=high - low)
    return total / len(background)


def tabled(
    parts: Parts, value: np.ndarray, first: int, last: int, columns: np.ndarray, background: np.ndarray | None,
    pairwise: bool = False,
) -> Table:  # fmt: skip
    """Entries of trees `first .. last - 1`: the sum over leaves of `value (nodes,)` times the leaf's shares.

    `columns (n,)`: the column of each feature, or (n, n) of each pair. `background`: shares of rows by entry
    (`counted`), or None for independent features with the ratios of cover.
    """
    entry = entries_of(parts)
    g0, g1 = parts.first[first], parts.first[last]
    width = int(columns.max()) + 1
    cells = np.zeros((entry[g1] - entry[g0], width))
    for k in np.unique(parts.bits[g0:g1]).tolist():
        g = g0 + np.flatnonzero(parts.bits[g0:g1] == k)
        at = np.flatnonzero(np.isin(parts.part, g))
        table = np.zeros((len(g), width, 2**k))
        rows = (entry[g] - entry[g0])[:, None] + np.arange(2**k)
        for d in np.unique(parts.count[at]).tolist():
            if d < 1 + pairwise:
                continue
            own = at[parts.count[at] == d]
            step = max(1, CELLS // 2 ** max(k, d))
            for c in range(0, len(own), step):
                leaf = own[c : c + step]
                where = np.searchsorted(g, parts.part[leaf])
                _add(table, parts, value, leaf, where, k, d, columns, None if background is None else background[rows])
        cells[rows] = table.transpose(0, 2, 1)
    return Table(first, last, cells)


def _add(
    table: np.ndarray, parts: Parts, value: np.ndarray, leaf: np.ndarray, where: np.ndarray, k: int, d: int,
    columns: np.ndarray, background: np.ndarray | None,
) -> None:  # fmt: skip
    """Shares of leaves of d features in parts of k bits, added to `table (parts, width, 2^k)` at `where`."""
    pattern = _patterns(parts, leaf, k)
    if background is None:
        law = independent(parts.ratio[leaf, :d])
    else:
        flat = pattern + (np.arange(len(leaf)) << d)[:, None]
        law = np.bincount(flat.ravel(), background[where].ravel(), len(leaf) << d).reshape(len(leaf), -1)
    features = parts.features[leaf, :d]
    if columns.ndim == 1:
        share, column = shares(law, d), columns[features]
    else:
        i, j = np.array(list(combinations(range(d), 2))).T
        share, column = pairs(law, d), columns[features[:, i], features[:, j]]
    share *= value[parts.leaf[leaf]][:, None, None]
    read = np.take_along_axis(share, pattern[:, None, :].astype(np.int64), axis=2)
    target = (where[:, None] * table.shape[1] + column).ravel()
    places = table.shape[0] * table.shape[1]
    order = np.argsort(target, kind="stable")
    ends = np.searchsorted(target[order], np.arange(places + 1))
    sums = csr_array((np.ones(len(order)), order, ends), shape=(places, len(order)))
    table += (sums @ read.reshape(len(order), -1)).reshape(table.shape)


def _patterns(parts: Parts, leaf: np.ndarray, k: int) -> np.ndarray:
    """The pattern of failing features of each leaf at each entry of its part (l, 2^k)."""
    entry = np.arange(2**k, dtype=np.int32)
    found = np.zeros((len(leaf), 2**k), np.int32)
    for bit, goes, slot in zip(parts.way_bit[leaf].T, parts.way_goes[leaf].T, parts.way_slot[leaf].T, strict=True):
        real = bit >= 0
        if real.any():
            fails = ((entry >> np.where(real, bit, 0).astype(np.int32)[:, None]) & 1) == goes[:, None]
            found |= (fails & real[:, None]) * (1 << np.where(real, slot, 0)).astype(np.int32)[:, None]
    return found
