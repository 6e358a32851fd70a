"""Tables: what each part gives a row, by the part's bits, so that explaining is looking up and adding.

    phi[row] = sum over parts of table[part, bits of the row]

The table of a part sums over its leaves (`laws`). Background rows are counted by their bits first, so that work grows
as rows + background rows, not as their product.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from scipy.sparse import csr_array

from ascribe.core.arrays import np
from ascribe.core.trees.laws import independent, pairs, shares
from ascribe.core.trees.parts import Parts

__all__ = ["counted", "look_up", "tabled"]

CELLS = 1 << 17  # of tests at a time, and of leaves' laws: they stay in the cache
ROWS = 2048
UNIT = 64  # splits whose parts are summed together


def read_bits(parts: Parts, X: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Bits of rows `X` at all parts, some trees at a time: yields the first and the last tree and bits (parts, b)."""
    codes, ends = parts.codes.of(X), _units(parts)
    kind = np.dtype(np.uint8 if parts.bits.max(initial=0) <= 8 else np.uint16)
    step = max(1, CELLS // (UNIT * max(len(X), 1)))
    for first, last in zip(ends[:-1:step], [*ends[step::step], ends[-1]], strict=False):
        s0, s1 = int(parts.splits[first]), int(parts.splits[last])
        left = parts.codes.lefts(codes, X, s0, s1)
        both = np.concatenate([~left, left]).view(np.uint8).astype(kind, copy=False)
        p = np.arange(parts.first[first], parts.first[last])
        count = parts.begin[p + 1] - parts.begin[p]
        order = np.argsort(-count, kind="stable")
        p, count = p[order], count[order]
        bits = np.zeros((len(p), len(X)), kind)
        for d in range(int(count.max(initial=0))):
            at = parts.begin[p[: int(np.searchsorted(-count, -d))]] + d
            told = both.take(parts.test[at] - s0 + (s1 - s0) * parts.goes[at], axis=0)
            told *= parts.weight[at].astype(kind)[:, None]
            bits[: len(at)] |= told
        yield first, last, bits[np.argsort(order)]


def _units(parts: Parts) -> list[int]:
    """Where runs of trees with about `UNIT` splits end. Sums are taken unit by unit whatever the number of rows, so
    that a row's answer is the same bits alone and among others.
    """
    place = parts.splits[1:] // UNIT
    return [0, *(np.flatnonzero(np.diff(place)) + 1).tolist(), len(place)]


def look_up(parts: Parts, cells: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Sums over parts of `cells (entries, columns)` at the bits of each row: (b, columns)."""
    out, ends = np.zeros((len(X), cells.shape[1])), np.array(_units(parts))
    for k in range(0, len(X), ROWS):
        at = X[k : k + ROWS]
        for first, last, bits in read_bits(parts, at):
            p = parts.first[ends[(ends >= first) & (ends <= last)]] - parts.first[first]
            entry = parts.entry[parts.first[first] : parts.first[last]].astype(np.int32)
            picked = [np.add(bits[i:j].T, entry[i:j], order="C").ravel() for i, j in pairwise(p)]
            lengths = np.repeat(np.diff(p), len(at))  # a line for each unit and row
            matrix = csr_array(
                (np.ones(lengths.sum()), np.concatenate(picked), np.concatenate([[0], np.cumsum(lengths)])),
                shape=(len(lengths), len(cells)),
            )
            for found in (matrix @ cells).reshape(len(picked), len(at), -1):
                out[k : k + ROWS] += found
    return out


def counted(parts: Parts, background: np.ndarray) -> np.ndarray:
    """The share of background rows at each entry (entries,)."""
    total = np.zeros(parts.entry[-1])
    for k in range(0, len(background), ROWS):
        for first, last, bits in read_bits(parts, background[k : k + ROWS]):
            low, high = parts.entry[parts.first[first]], parts.entry[parts.first[last]]
            held = bits + (parts.entry[parts.first[first] : parts.first[last]] - low)[:, None]
            total[low:high] += np.bincount(held.ravel(), minlength=high - low)
    return total / len(background)


def tabled(parts: Parts, value: np.ndarray, columns: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Cells (entries, columns): the sum over leaves of `value (nodes,)` times the leaf's shares.

    `columns (n,)`: the column of each feature; or (n, n), of each pair of features. `background (entries,)`: shares of
    rows (`counted`), or None for independent features with the ratios of cover.
    """
    width = int(columns.max()) + 1
    cells = np.zeros((parts.entry[-1], width))
    for k in np.unique(parts.bits).tolist():
        g = np.flatnonzero(parts.bits == k)
        table = np.zeros((len(g), width, 2**k))
        rows = parts.entry[g][:, None] + np.arange(2**k)
        law = None if background is None else background[rows]
        at = np.flatnonzero(parts.bits[parts.part] == k)
        for d in range(columns.ndim, int(parts.count[at].max(initial=0)) + 1):
            own = at[parts.count[at] == d]
            step = max(1, CELLS // 2 ** max(k, d))
            for c in range(0, len(own), step):
                leaf = own[c : c + step]
                _add(table, parts, value, leaf, np.searchsorted(g, parts.part[leaf]), k, d, columns, law)
        cells[rows] = table.transpose(0, 2, 1)
    return cells


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
        i, j = np.triu_indices(d, 1)
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
        on = np.flatnonzero(bit >= 0)  # the others' ways have ended
        fails = ((entry >> bit[on, None]) & 1) == goes[on, None]
        found[on] |= fails << slot[on, None]
    return found
