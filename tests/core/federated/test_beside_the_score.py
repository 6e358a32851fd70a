"""What a guest can tell beside the score: by walks of somebody who sees everything, and by trying every answer."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.federated.counterfactuals import own_changes
from ascribe.core.federated.cover import counted
from ascribe.core.federated.free import interval, steps
from ascribe.core.federated.publishing import few_alike
from ascribe.core.federated.structure import Structure

from .forest import COLUMNS, a_forest, some_rows
from .given_away import from_weights

SEEDS = range(6)
GUEST = COLUMNS["guest:1"]


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_are_those_of_a_walk(seed):
    forest, rows = a_forest(seed), some_rows(seed, 20)
    assert forest.answered(rows).margin[:, 0] == pytest.approx([forest.margin(row) for row in rows], abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_own_change_is_the_nearest_value_that_crosses(seed):
    """Against all values of a grid that holds each threshold and its two neighbours."""
    forest, rows = a_forest(seed), some_rows(seed, 12)
    found, wanted = forest.answered(rows), float(np.median([forest.margin(row) for row in rows]))
    told = 0
    for i, row in enumerate(rows):
        side = forest.margin(row) > wanted
        changes = own_changes(forest.party("guest:1"), found, i, wanted)
        for name in GUEST:
            edges = sorted({t for c, t in zip(forest.column, forest.threshold, strict=True) if c == name})
            grid = [v for t in edges for v in (t, np.nextafter(t, np.inf))]
            crossing = [v for v in grid if (forest.margin(row | {name: v}) > wanted) != side]
            mine = [change for change in changes if change.column == name]
            assert len(mine) == bool(crossing)
            if mine:
                told += 1
                assert abs(mine[0].value - row[name]) == pytest.approx(min(abs(v - row[name]) for v in crossing))
                assert mine[0].margin == pytest.approx(forest.margin(row | {name: mine[0].value}), abs=1e-12)
        spread = {name: np.ptp([t for c, t in zip(forest.column, forest.threshold, strict=True) if c == name] or [0])
                  for name in GUEST}  # fmt: skip
        away = [abs(c.value - row[c.column]) / (spread[c.column] or 1.0) for c in changes]
        assert away == sorted(away) or len({c.column for c in changes if spread[c.column]}) < 2
    assert told > 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_is_over_every_answer_of_the_host(seed):
    forest, rows = a_forest(seed, trees=2), some_rows(seed, 5)
    found, theirs = forest.answered(rows), forest.structure.splits_of("host:2")
    own = np.isin(np.arange(len(forest.column)), forest.structure.splits_of("guest:1"))
    low, high = interval(forest.structure, forest.leaves, own, found.left)
    for i in range(len(rows)):
        margins = []
        for bits in product([False, True], repeat=len(theirs)):
            left = found.left[i].copy()
            left[theirs] = bits
            ends = []
            for n in forest.structure.start[:-1].tolist():
                while forest.column[n]:
                    n = int((forest.structure.left if left[n] else forest.structure.right)[n])
                ends.append(n)
            margins.append(forest.leaves.base[0] + forest.leaves.value[ends, 0].sum())
        assert (low[i, 0], high[i, 0]) == pytest.approx((min(margins), max(margins)), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_are_what_each_split_on_the_way_changes(seed):
    forest, rows = a_forest(seed), some_rows(seed, 8)
    names = [name for columns in COLUMNS.values() for name in columns]
    player = np.array([names.index(name) if name else -1 for name in forest.column])
    base, values = steps(forest.structure, forest.leaves, player, len(names), forest.answered(rows).left)
    weight = forest.leaves.value[:, 0]
    assert base[0] == pytest.approx(0.3 + weight[forest.structure.start[:-1]].sum())
    for i, row in enumerate(rows):
        wanted = dict.fromkeys(names, 0.0)
        for tree in range(len(forest.structure)):
            way = forest.walk(tree, row)
            for n, below in pairwise(way):
                wanted[forest.column[n]] += weight[below] - weight[n]
        assert values[i, 0] == pytest.approx(list(wanted.values()), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_cover_counts_rows_and_weights_of_splits_give_it_away(seed):
    """The first tree of a binary classifier, fitted to rows by hand: w = -G / (H + lambda), p = 1/2 everywhere."""
    forest, rows = a_forest(seed, trees=1), some_rows(seed, 400)
    ways = [forest.walk(0, row) for row in rows]
    count = np.bincount([n for way in ways for n in way], minlength=len(forest.column))
    assert counted(forest.structure, forest.answered(rows).left).tolist() == count.tolist()
    if (count == 0).any():
        return
    y, penalty = np.random.default_rng(seed).random(len(rows)) < 0.5 + 0.2 * np.sign([r["a"] for r in rows]), 0.7
    slope = [sum(0.5 - y[i] for i, way in enumerate(ways) if n in way) for n in range(len(count))]
    weight = -np.array(slope) / (count / 4 + penalty)
    found = from_weights(forest.structure, weight, float(len(rows)), penalty)
    known = np.isfinite(found)
    assert known.sum() > 2
    assert found[known] == pytest.approx(count[known], rel=1e-6)


@pytest.mark.parametrize("least", [1, 2, 4])
def test_few_alike_counts_rows_that_hosts_answered_alike(least):
    forest, rows = a_forest(3, trees=5), some_rows(3, 30)
    found, theirs = forest.answered(rows), forest.structure.splits_of("host:2")
    told = [tuple(row[theirs].tolist()) for row in found.left]
    few = few_alike(forest.party("guest:1"), found, least)
    assert few.tolist() == [told.count(one) < least for one in told]
    assert few.any() == (least > 1)


def test_weights_of_other_trees_and_without_splits_are_refused():
    forest = a_forest(0)
    held = forest.structure
    for start in (
        held.start[:-1],
        np.append(held.start, held.start[-1]),
        held.start + (np.arange(len(held.start)) > 0),
    ):
        with pytest.raises(InputError, match="start must rise"):
            Structure(held.parties, start, held.owner, held.left, held.right)
    for base in (np.array([np.inf]), np.array([0.0, np.nan])):
        with pytest.raises(InputError, match="not finite"):
            type(forest.leaves)(forest.leaves.value, forest.leaves.output, base)
