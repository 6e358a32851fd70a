"""Bottom subtrees: a few tests decide what all leaves of one give a row.

A row and a leaf are told by which of the leaf's features fail: a feature fails if any of its tests on the way down
does. A part is a subtree with so few features above it and splits within it that all outcomes can be tabled:

    bits = (features on the way to its root: does any test fail) + (its own splits: does the row go left)

and every leaf in it reads its own pattern of failing features off those bits. Taking the largest subtrees of at most
`BITS` bits, a tree of depth 6 has 16 parts of 7 bits in place of 64 leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.trees.codes import Codes, codes_of
from ascribe.core.trees.record import Trees

__all__ = ["BITS", "Parts", "Paths", "parts_of"]

BITS = 7


@dataclass(frozen=True, eq=False)
class Paths:
    """Ways down to all nodes: `split (nodes, depth)` passed, from the root, -1 after the last; `left`: by its left
    branch; `slot`: the number of the split's feature among those of the way; `count (nodes,)`: how many features;
    `feature (nodes, most)`: which, -1 after the last; `ratio (nodes, most)`: by feature, the share of cover that
    follows the way.
    """

    split: np.ndarray
    left: np.ndarray
    slot: np.ndarray
    count: np.ndarray
    feature: np.ndarray
    ratio: np.ndarray
    length: np.ndarray


def paths_of(trees: Trees) -> Paths:
    """Level by level."""
    nodes = len(trees.feature)
    parent, branch = np.full(nodes, -1), np.zeros(nodes, bool)
    inner = np.flatnonzero(~trees.leaf)
    parent[trees.left[inner]] = parent[trees.right[inner]] = inner
    branch[trees.left[inner]] = True
    depth = max(len(trees.levels) - 1, 1)
    split, slot = np.full((nodes, depth), -1), np.zeros((nodes, depth), np.int64)
    left, ratio = np.zeros((nodes, depth), bool), np.ones((nodes, depth))
    feature, count, length = np.full((nodes, depth), -1), np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    for d, level in enumerate(trees.levels[1:]):
        above = parent[level]
        for held in (split, left, slot, ratio, feature, count):
            held[level] = held[above]
        own = trees.feature[above]
        split[level, d], left[level, d], length[level] = above, branch[level], d + 1
        same = feature[level] == own[:, None]
        old = same.any(axis=1)
        at = np.where(old, same.argmax(axis=1), count[level])
        slot[level, d] = at
        feature[level, at] = own
        count[level] += ~old
        ratio[level, at] *= trees.ratio[level]
    return Paths(split, left, slot, count, feature, ratio, length)


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of an ensemble, tree by tree: `first (t + 1,)` part of each tree, `bits (parts,)`, and `entry (parts + 1,)`
    where each part's 2^bits outcomes begin.

    Tests of part g are `begin[g] .. begin[g + 1] - 1`: split number `test`, the bit is set if the row goes left there
    (`goes` true) or right; `weight`: 2^bit. `splits (t + 1,)`: the first split of each tree.

    Leaves, part by part: `leaf (l,)` node, `part (l,)`; `features (l, most)`, `count (l,)`, `ratio (l, most)` as in
    `Paths`. Its way in the terms of its part: `way_bit (l, depth)` the bit read, `way_goes` the outcome at which it
    fails, `way_slot` the feature that then fails; -1 after the last.
    """

    codes: Codes
    first: np.ndarray
    splits: np.ndarray
    bits: np.ndarray
    entry: np.ndarray
    begin: np.ndarray
    test: np.ndarray
    goes: np.ndarray
    weight: np.ndarray
    leaf: np.ndarray
    part: np.ndarray
    features: np.ndarray
    count: np.ndarray
    ratio: np.ndarray
    way_bit: np.ndarray
    way_goes: np.ndarray
    way_slot: np.ndarray


def parts_of(trees: Trees, bits: int = BITS) -> Parts:
    """The largest subtrees of at most `bits` bits; a leaf with more features above it is a part of its own."""
    nodes, paths, codes = len(trees.feature), paths_of(trees), codes_of(trees)
    inner = ~trees.leaf
    within = inner.astype(np.int64)  # splits in the subtree of each node
    order = np.argsort(-paths.length, kind="stable")
    parent = np.full(nodes, -1)
    parent[trees.left[inner]] = parent[trees.right[inner]] = np.flatnonzero(inner)
    for node_level in _by_level(paths.length, order):
        np.add.at(within, parent[node_level], within[node_level])
    size = paths.count + within
    small = (size <= bits) | trees.leaf
    root = small & np.where(parent >= 0, ~small[parent], True)
    roots = np.flatnonzero(root)
    number = np.full(nodes, -1)
    number[roots] = np.arange(len(roots))
    part_of = number.copy()
    for node_level in reversed(_by_level(paths.length, order)):
        under = node_level[part_of[node_level] < 0]
        part_of[under] = part_of[parent[under]]
    rank = np.full(nodes, -1)  # of a split among those of its part
    own = np.flatnonzero(inner & (part_of >= 0))
    own = own[np.argsort(part_of[own], kind="stable")]
    rank[own] = np.arange(len(own)) - np.searchsorted(part_of[own], part_of[own])
    place = np.full(nodes, -1)
    place[codes.split] = np.arange(len(codes.split))
    return Parts(
        codes, np.searchsorted(roots, trees.start), np.searchsorted(codes.split, trees.start), size[roots],
        np.concatenate([[0], np.cumsum(1 << size[roots])]), *_tests(paths, roots, own, part_of, rank, place),
        *_leaves(trees, paths, roots, part_of, rank),
    )  # fmt: skip


def _by_level(length: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """Nodes below the roots, deepest level first."""
    ends = np.flatnonzero(np.diff(length[order])) + 1
    return [level for level in np.split(order, ends) if length[level[0]] > 0]


def _tests(
    paths: Paths, roots: np.ndarray, own: np.ndarray, part_of: np.ndarray, rank: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, ...]:
    g, d = np.nonzero(paths.split[roots] >= 0)
    above = paths.split[roots][g, d], ~paths.left[roots][g, d], paths.slot[roots][g, d]
    inside = own, np.ones(len(own), bool), paths.count[roots][part_of[own]] + rank[own]
    split, goes, bit = (np.concatenate(pair) for pair in zip(above, inside, strict=True))
    owner = np.concatenate([g, part_of[own]])
    order = np.argsort(owner, kind="stable")
    begin = np.searchsorted(owner[order], np.arange(len(roots) + 1))
    return begin, place[split[order]], goes[order], (1 << bit[order]).astype(np.uint16)


def _leaves(
    trees: Trees, paths: Paths, roots: np.ndarray, part_of: np.ndarray, rank: np.ndarray
) -> tuple[np.ndarray, ...]:
    leaf = np.flatnonzero(trees.leaf)
    leaf = leaf[np.argsort(part_of[leaf], kind="stable")]
    part = part_of[leaf]
    split, slot, left = paths.split[leaf], paths.slot[leaf], paths.left[leaf]
    above = np.arange(split.shape[1]) < paths.length[roots[part]][:, None]
    bit = np.where(above, slot, paths.count[roots[part]][:, None] + rank[split])
    goes = above | ~left  # above, the bit says that the feature fails; within, that the row goes left
    real = split >= 0
    return (
        leaf, part, paths.feature[leaf], paths.count[leaf], paths.ratio[leaf],
        np.where(real, bit, -1), goes, np.where(real, slot, -1),
    )  # fmt: skip
