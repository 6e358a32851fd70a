"""Shapley and interaction values of trees against enumeration, by every way that computes them."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees, interactions, interventional, margin, path_dependent, values

from .worlds import by_definition, random_rows, random_trees

ways = pytest.mark.parametrize("most", [12, -1], ids=["tabled", "deep"])
games = pytest.mark.parametrize("game", ["path-dependent", "interventional"])


def prepared(game: str, trees: Trees, background: np.ndarray):
    return path_dependent(trees) if game == "path-dependent" else interventional(trees, background)


@ways
@games
@pytest.mark.parametrize(("seed", "depth", "comparison"), [(0, 3, "<="), (1, 5, "<"), (2, 7, "<=")])
def test_both_games_equal_enumeration(monkeypatch, most, game, seed, depth, comparison):
    """Rows on thresholds, missing values, known and unknown categories, features repeated on a way."""
    monkeypatch.setattr(values, "MOST_FEATURES", most)
    trees, X, background = (
        random_trees(seed, depth=depth, comparison=comparison),
        random_rows(seed, 5),
        random_rows(9, 7),
    )
    shares = prepared(game, trees, background)
    assert bool(shares.blocks) == (most > 0)
    phi = shares(X)
    found = margin(trees, X)[:, 0]
    for i, x in enumerate(X):
        wanted, _, base, whole = by_definition(trees, x, None if game == "path-dependent" else background)
        assert phi[i] == pytest.approx(wanted, abs=1e-12)
        assert shares.base_value == pytest.approx(base, abs=1e-12)
        assert found[i] == pytest.approx(whole, abs=1e-12)
    assert np.abs(phi).max() > 0.1
    assert np.isnan(X).any()


@ways
@games
def test_interactions_equal_enumeration(monkeypatch, most, game):
    monkeypatch.setattr(values, "MOST_FEATURES", most)
    trees, X, background = random_trees(4, depth=5), random_rows(4, 4), random_rows(8, 6)
    rows = None if game == "path-dependent" else background
    if rows is not None and most < 0:
        with pytest.raises(InputError, match="3 trees are too deep for interactions over a background"):
            interactions(trees, rows)
        return
    answer = interactions(trees, rows)
    both = answer(X)
    for i, x in enumerate(X):
        _, wanted, base, _ = by_definition(trees, x, rows)
        assert both[i] == pytest.approx(wanted, abs=1e-12)
        assert answer.base_value == pytest.approx(base, abs=1e-12)
    assert both == pytest.approx(both.transpose(0, 2, 1))
    assert both.sum(axis=2) == pytest.approx(prepared(game, trees, background)(X))


@games
@pytest.mark.parametrize("bits", [1, 4, 9])
def test_the_size_of_parts_changes_nothing(monkeypatch, game, bits):
    trees, X = random_trees(5, t=6, depth=6), random_rows(5, 40)
    usual = prepared(game, trees, X)(X)
    whole = values.parts_of
    monkeypatch.setattr(values, "parts_of", lambda trees: whole(trees, bits))
    assert prepared(game, trees, X)(X) == pytest.approx(usual, abs=1e-12)


@games
def test_tables_that_are_not_kept_and_blocks_of_one_tree_change_nothing(monkeypatch, game):
    trees, X = random_trees(6, t=6, depth=5), random_rows(6, 30)
    usual = prepared(game, trees, X)
    assert len(usual.blocks) == 1
    monkeypatch.setattr(values, "KEPT", 0)
    monkeypatch.setattr(values, "WIDE", 3)
    other = prepared(game, trees, X)
    assert len(other.blocks) == 6
    assert all(block.cells is None for block in other.blocks)
    assert other(X) == pytest.approx(usual(X), abs=1e-12)
    assert interactions(trees)(X).sum(axis=2) == pytest.approx(path_dependent(trees)(X), abs=1e-12)


def test_kept_tables_take_512_megabytes_at_most():
    """Tables of 700 are none that stay between calls."""
    trees = random_trees(0, n=60, t=70, depth=8)
    tracemalloc.start()
    shares = path_dependent(trees)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 8 * sum(int(block.parts.entry[-1]) * len(block.used) for block in shares.blocks) > 700 << 20
    assert held <= 512 << 20


@games
def test_tables_are_kept_where_all_of_them_fit(monkeypatch, game):
    trees, X = random_trees(6, t=6, depth=5), random_rows(6, 30)
    monkeypatch.setattr(values, "WIDE", 3)
    cells = sum(block.table().size for block in prepared(game, trees, X).blocks)
    for room, kept in ((cells, True), (cells - 1, False)):
        monkeypatch.setattr(values, "KEPT", room)
        assert [block.cells is not None for block in prepared(game, trees, X).blocks] == [kept] * 6


@pytest.mark.parametrize(("most", "game"), [(12, "path-dependent"), (12, "interventional"), (-1, "path-dependent")])
def test_a_row_alone_is_the_same_bits_as_among_others(monkeypatch, most, game):
    """Not where patterns meet: matrix products, whose last bits depend on their shapes."""
    monkeypatch.setattr(values, "MOST_FEATURES", most)
    trees, X = random_trees(7, t=40, depth=5), random_rows(7, 3000)
    shares = prepared(game, trees, X[:50])
    together = shares(X)
    for i in (0, 17, 2500):
        assert shares(X[i : i + 1]).tobytes() == together[i : i + 1].tobytes()
    with ThreadPoolExecutor(2) as pool:
        assert shares(X, pool.map).tobytes() == together.tobytes()


@games
def test_efficiency_and_features_that_no_tree_splits(game):
    trees, X = random_trees(3, n=9, t=2, depth=2), random_rows(3, 50, n=9)
    shares = prepared(game, trees, X)
    phi = shares(X)
    assert phi.sum(axis=1) + shares.base_value == pytest.approx(margin(trees, X)[:, 0], abs=1e-12)
    unused = np.setdiff1d(np.arange(9), trees.feature)
    assert len(unused)
    assert not phi[:, unused].any()


@games
def test_a_tree_without_splits_and_no_rows(game):
    leaf = {"feature": [-1], "threshold": [0], "left": [-1], "right": [-1], "missing_left": [0], "cover": [3]}
    leaf |= {"start": [0, 1], "value": [[2.0]], "output": [0], "base": [0.5]}
    trees = Trees(("a", "b"), **{name: np.array(held) for name, held in leaf.items()})
    shares = prepared(game, trees, np.zeros((1, 2)))
    assert shares.base_value == 2.5
    assert shares(np.ones((3, 2))).tolist() == [[0.0, 0.0]] * 3
    assert shares(np.empty((0, 2))).shape == (0, 2)


def test_a_branch_that_no_row_covered():
    """A share of cover of 0 is no division by 0: such a branch counts only where the row takes it."""
    trees = random_trees(2, depth=4)
    cover = trees.cover.copy()
    cover[trees.left[0]] = 0.0
    cover[trees.right[0]] = cover[0]
    for most in (12, -1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(values, "MOST_FEATURES", most)
            shares = path_dependent(values.replace(trees, cover=cover))
            X = random_rows(2, 20)
            found = shares(X)
        assert found.sum(axis=1) + shares.base_value == pytest.approx(margin(trees, X)[:, 0], abs=1e-9)


def test_what_is_no_background_or_not_one_output_is_refused():
    trees = random_trees(0)
    for wrong in (np.zeros((0, 5)), np.zeros((3, 4)), np.zeros(5)):
        with pytest.raises(InputError, match=r"background must be \(rows, 5\), a row at least"):
            interventional(trees, wrong)
    with pytest.raises(InputError, match=r"rows must be \(rows, 5\)"):
        path_dependent(trees)(np.zeros((2, 4)))
    two = values.replace(trees, outputs=("no", "yes"), base=np.array([0.0, 1.0]))
    with pytest.raises(InputError, match="choose one output with of_output: no, yes"):
        path_dependent(two)


@pytest.mark.parametrize("features", [63, 64])
def test_a_way_of_more_features_than_bits_is_refused(features):
    """A chain of tests `x_j <= 0`, all to the left, and a leaf of 1 at its end."""
    nodes = 2 * features + 1
    inner = np.arange(nodes) < features
    left = np.where(inner, np.arange(1, nodes + 1), -1)
    right = np.where(inner, features + 1 + np.arange(nodes), -1)
    trees = Trees(
        tuple(f"x{j}" for j in range(features)), np.array([0, nodes]), np.where(inner, np.arange(nodes), -1),
        threshold=np.zeros(nodes), left=left, right=right, missing_left=np.zeros(nodes, bool),
        value=np.eye(nodes)[features][:, None], cover=np.ones(nodes), output=np.zeros(1, int), base=np.zeros(1),
    )  # fmt: skip
    row, background = np.zeros((1, features)), np.ones((1, features))
    row[0, -1] = 1.0
    if features > 63:
        with pytest.raises(InputError, match="asks 64 features on one way"):
            interventional(trees, background)(row)
    else:
        assert np.abs(interventional(trees, background)(row)).max() <= 1e-12
