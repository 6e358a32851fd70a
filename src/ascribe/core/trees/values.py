"""Shapley values and interaction values of rows, from whatever way suits each tree.

Trees that can be tabled are, in blocks that fit the memory; deeper ones go level by level (`deep`), or their patterns
meet (`met`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.trees.deep import DeepTree, deep_shares, deep_tree, reach_of
from ascribe.core.trees.met import met_shares
from ascribe.core.trees.parts import Parts, parts_of, paths_of
from ascribe.core.trees.record import Trees
from ascribe.core.trees.tables import counted, look_up, tabled
from ascribe.core.trees.walk import margin

__all__ = ["Interactions", "Share", "Shares", "interactions", "interventional", "path_dependent"]

MOST_FEATURES = 12  # of a way that is tabled
MOST_ENTRIES = 1 << 16  # of a tree that is tabled
NODES = 1 << 20  # x columns of a block: its table takes some 60 MB
WIDE = 64  # columns from which trees have a table of their own
KEPT = 1 << 26  # numbers in all tables that are kept: 512 MB
ROWS = 1 << 12

Share = Callable[[Callable[[np.ndarray], np.ndarray], Iterable[np.ndarray]], Iterable[np.ndarray]]
"""How slices of rows are shared out: `map`, or that of a pool of threads."""


@dataclass(frozen=True, eq=False)
class _Block:
    """Trees tabled together: `columns` of features or pairs, of the features `used`; `cells`: their table, if it is
    kept; `law`: of the background, by outcome of parts.
    """

    parts: Parts
    value: np.ndarray
    columns: np.ndarray
    used: np.ndarray
    law: np.ndarray | None
    cells: np.ndarray | None

    def spread(self, found: np.ndarray, out: np.ndarray) -> None:
        """Columns of a table added to what they are of: features, or both halves of a matrix of pairs."""
        used = self.used
        if self.columns.ndim == 1:
            out[:, used] += found
            return
        i, j = np.triu_indices(len(used), 1)
        out[:, used[i], used[j]] += found[:, : len(i)] / 2
        out[:, used[j], used[i]] += found[:, : len(i)] / 2

    def table(self) -> np.ndarray:
        return tabled(self.parts, self.value, self.columns, self.law) if self.cells is None else self.cells


@dataclass(frozen=True, eq=False)
class Shares:
    """What is prepared once: call it with rows (b, n) for their Shapley values (b, n).

    `base_value`: the margin with no feature known. Tables are kept where all of them take 512 MB at most, else made
    anew for each call. With `pairs`, the answer is (b, n, n): half the Shapley interaction index of each pair, and 0 on
    the diagonal.
    """

    trees: Trees
    base_value: float
    blocks: tuple[_Block, ...]
    deep: tuple[DeepTree, ...]
    met: Trees | None = None
    background: np.ndarray | None = None
    pairs: bool = False

    def __call__(self, X: np.ndarray, share: Share = map) -> np.ndarray:
        """In the margin's unit; slices of rows are handed to `share`."""
        X, n = np.asarray(X), len(self.trees.features)
        if X.ndim != 2 or X.shape[1] != n:
            raise InputError(f"rows must be (rows, {n}) in the order of the trees' features; got shape {X.shape}")
        tables = [block.table() for block in self.blocks]

        def answer(rows: np.ndarray) -> np.ndarray:
            out = np.zeros((len(rows), n, n) if self.pairs else (len(rows), n))
            for block, cells in zip(self.blocks, tables, strict=True):
                block.spread(look_up(block.parts, cells, rows), out)
            for tree in self.deep:
                _deep(tree, rows, out, self.pairs)
            if self.met is not None and self.background is not None:
                out += met_shares(self.met, rows, self.background)
            return out

        found = list(share(answer, [X[k : k + ROWS] for k in range(0, max(len(X), 1), ROWS)]))
        return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Interactions:
    """Call it with rows (b, n) for (b, n, n): pairs, and on the diagonal what is left of a feature's value, so that
    the rows of a matrix sum to the values.
    """

    single: Shares
    double: Shares

    @property
    def base_value(self) -> float:
        return self.single.base_value

    def __call__(self, X: Float[np.ndarray, "b n"], share: Share = map) -> Float[np.ndarray, "b n n"]:
        """In the margin's unit; slices of rows are handed to `share`."""
        out, n = self.double(X, share), len(self.single.trees.features)
        out[:, np.arange(n), np.arange(n)] = self.single(X, share) - out.sum(axis=2)
        return out


def path_dependent(trees: Trees) -> Shares:
    """The game that hides a feature by going both ways, weighted by cover (Lundberg et al. 2020); for one output."""
    return _shares(_alone(trees), None, pairs=False)


def interventional(trees: Trees, background: np.ndarray) -> Shares:
    """The marginal game over all of `background (rows, n)`; for one output. Raises InputError without rows."""
    return _shares(_alone(trees), _rows_of(trees, background), pairs=False)


def interactions(trees: Trees, background: np.ndarray | None = None) -> Interactions:
    """Of the path-dependent game, or of the marginal game where there is a background; for one output.

    Raises InputError for the marginal game on trees too deep for a table.
    """
    trees = _alone(trees)
    rows = None if background is None else _rows_of(trees, background)
    double = _shares(trees, rows, pairs=True)
    if double.met is not None:
        raise InputError(
            f"{len(double.met)} trees are too deep for interactions over a background: ask for path-dependent ones, "
            f"or train with a depth of at most {MOST_FEATURES}"
        )
    return Interactions(_shares(trees, rows, pairs=False), double)


def _alone(trees: Trees) -> Trees:
    if len(trees.outputs) > 1:
        raise InputError(f"choose one output with of_output: {', '.join(trees.outputs)}")
    return trees


def _rows_of(trees: Trees, background: np.ndarray) -> np.ndarray:
    background, n = np.asarray(background), len(trees.features)
    if background.ndim != 2 or background.shape[1] != n or not len(background):
        raise InputError(f"background must be (rows, {n}), a row at least; got shape {background.shape}")
    return background


def _shares(trees: Trees, background: np.ndarray | None, pairs: bool) -> Shares:
    blocks, deep = _blocks(trees, background, pairs)
    if background is None:
        base = float(trees.base[0] + (reach_of(trees) * trees.value[:, 0]).sum())
        return Shares(trees, base, blocks, tuple(deep_tree(trees, i) for i in deep), pairs=pairs)
    base = float(margin(trees, background)[:, 0].mean())
    met = trees.some(np.array(deep)) if deep else None
    return Shares(trees, base, blocks, (), met, background, pairs)


def _blocks(trees: Trees, background: np.ndarray | None, pairs: bool) -> tuple[tuple[_Block, ...], list[int]]:
    """Blocks of trees that can be tabled, with their tables unless those are too large to keep; the other trees."""
    made: list[_Block] = []
    deep: list[int] = []
    for run in _runs(trees, pairs):
        shallow = _tabled(trees, run)
        deep += [i for i in run.tolist() if i not in set(shallow.tolist())]
        if len(shallow):
            sub = trees.some(shallow)
            parts = parts_of(sub)
            law = None if background is None else counted(parts, background)
            used = np.unique(sub.feature[~sub.leaf])
            made.append(_Block(parts, sub.value[:, 0], _columns(used, len(sub.features), pairs), used, law, None))
    cells = sum(int(block.parts.entry[-1]) * (int(block.columns.max()) + 1) for block in made)
    return tuple(replace(block, cells=block.table()) if cells <= KEPT else block for block in made), deep


def _runs(trees: Trees, pairs: bool) -> list[np.ndarray]:
    """Trees with splits, in order, in runs for a table each."""
    sizes = np.diff(trees.start)
    split = np.flatnonzero(sizes > 1)
    n = len(np.unique(trees.feature[~trees.leaf]))
    width = n * (n - 1) // 2 if pairs else n
    if width > WIDE:
        return [split[k : k + 1] for k in range(len(split))]
    place = np.cumsum(sizes[split]) * max(width, 1) // NODES
    return [run for run in np.split(split, np.flatnonzero(np.diff(place)) + 1) if len(run)]


def _tabled(trees: Trees, run: np.ndarray) -> np.ndarray:
    """Those of a run whose ways hold few features, and whose parts have few outcomes in all."""
    sub = trees.some(run)
    most = np.maximum.reduceat(paths_of(sub).count, sub.start[:-1])
    run = run[most <= MOST_FEATURES]
    if not len(run):
        return run
    parts = parts_of(trees.some(run))
    return run[np.diff(parts.entry[parts.first]) <= MOST_ENTRIES]


def _columns(used: np.ndarray, n: int, pairs: bool) -> np.ndarray:
    """Columns of features (n,), or of pairs (n, n), that a table has; only those of features `used` are read."""
    if not pairs:
        columns = np.zeros(n, np.int64)
        columns[used] = np.arange(len(used))
        return columns
    both = np.zeros((n, n), np.int64)
    i, j = np.triu_indices(len(used), 1)
    both[used[i], used[j]] = both[used[j], used[i]] = np.arange(len(i))
    return both


def _deep(tree: DeepTree, rows: np.ndarray, out: np.ndarray, pairs: bool) -> None:
    if not pairs:
        out += deep_shares(tree, rows)
        return
    for i in tree.used.tolist():
        out[:, i] += deep_shares(tree, rows, fixed=i) / 2
