"""Paths of many players: the integral against tables' own formula, and against enumeration."""

from __future__ import annotations

from itertools import product
from math import factorial

import numpy as np
import pytest

from ascribe.core.federated import tree_values
from ascribe.core.federated.cover import summed
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.structure import Structure


def a_chain(depth: int, players: int, seed: int):
    """One long path with a leaf at each step; players come again."""
    rng = np.random.default_rng(seed)
    nodes = 2 * depth + 1
    left, right, owner = (np.full(nodes, -1) for _ in range(3))
    for i in range(depth):
        left[2 * i], right[2 * i], owner[2 * i] = (2 * i + 1, 2 * i + 2, 0)
    structure = Structure(("guest:1",), np.array([0, nodes]), owner, left, right)
    count = rng.integers(1, 9, nodes).astype(float)
    count[[1, nodes - 2, nodes - 1]] = 0  # the first leaf, and the last two: so also a split that no row reached
    cover = summed(structure, count)
    leaves = Leaves(rng.normal(size=(nodes, 1)), np.array([0]), np.array([0.3]), cover=cover)
    player = np.where(structure.leaf, -1, np.arange(nodes) // 2 % players)
    return structure, leaves, player, rng.random((4, nodes)) < 0.4


def by_definition(structure, leaves, player, left, p):
    """Values from every coalition; a branch without rows has weight 0."""

    def expected(n, inside):
        if structure.leaf[n]:
            return leaves.value[n, 0]
        a, b = structure.left[n], structure.right[n]
        if inside[player[n]]:
            return expected(a if left[n] else b, inside)
        if leaves.cover[n] == 0:
            return 0.0
        return (leaves.cover[a] * expected(a, inside) + leaves.cover[b] * expected(b, inside)) / leaves.cover[n]

    v = {S: expected(0, S) for S in product([False, True], repeat=p)}
    phi = np.zeros(p)
    for S, value in v.items():
        for i in range(p):
            if not S[i]:
                weight = factorial(sum(S)) * factorial(p - sum(S) - 1) / factorial(p)
                phi[i] += weight * (v[(*S[:i], True, *S[i + 1 :])] - value)
    return phi


@pytest.mark.parametrize("tabled", [0, 12])
@pytest.mark.parametrize(("depth", "players"), [(9, 9), (12, 5), (10, 10)])
def test_values_of_long_paths(depth, players, tabled, monkeypatch):
    """Also with leaves that no training row reached."""
    monkeypatch.setattr(tree_values, "TABLED", tabled)
    monkeypatch.setattr(tree_values, "INTEGRATED", 300)
    structure, leaves, player, left = a_chain(depth, players, depth)
    assert (leaves.cover[structure.leaf] == 0).any()
    found = tree_values.tree_values(structure, leaves, player, players)(left)[:, 0]
    for i in range(len(left)):
        assert found[i] == pytest.approx(by_definition(structure, leaves, player, left[i], players), abs=1e-12)


def test_as_many_paths_are_tabled_as_fit(monkeypatch):
    structure, leaves, player, _ = a_chain(12, 5, 0)
    made = tree_values.tree_values(structure, leaves, player, 5)
    sizes = [group.table.size for group in made.groups]
    for most in range(0, sum(sizes) + 2, 16):
        monkeypatch.setattr(tree_values, "MOST", most)
        left = most
        for group, size in zip(tree_values.tree_values(structure, leaves, player, 5).groups, sizes, strict=True):
            assert (group.table is not None) == (size <= left)
            left -= size if group.table is not None else 0


def test_thirty_players_on_one_path_add_up():
    structure, leaves, player, left = a_chain(30, 30, 1)
    made = tree_values.tree_values(structure, leaves, player, 30)
    assert max(group.z.shape[1] for group in made.groups) == 30
    margin = leaves.margin(by_walking(structure, left))
    assert made(left).sum(axis=2) + made.base_value == pytest.approx(margin, abs=1e-12)


def by_walking(structure, left):
    node = np.zeros((len(left), 1), int)
    for row in range(len(left)):
        while not structure.leaf[node[row, 0]]:
            n = node[row, 0]
            node[row, 0] = structure.left[n] if left[row, n] else structure.right[n]
    return node
