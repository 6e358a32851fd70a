"""Rows that never were: where their cells come from."""

from __future__ import annotations

import numpy as np

from ascribe.core.scaling import fit_scores
from ascribe.train.rows import REAL, _crossed, _pushed, made_rows

N = 6


def table(rows: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, 10.0, (rows, N))
    X[:, 3] = np.maximum(rng.standard_normal(rows), 0)  # 0 in half of the rows
    return X


def test_crossed_rows_take_each_cell_from_a_row():
    X = table(50)
    made = _crossed(X, 400, np.random.default_rng(0))
    assert made.shape == (400, N)
    assert all(np.isin(made[:, j], X[:, j]).all() for j in range(N))
    assert len({tuple(r) for r in made} - {tuple(r) for r in X}) > 250


def test_pushed_rows_keep_most_cells_and_reach_the_ends_of_the_table():
    X = table()
    scores = fit_scores(X)
    many = np.repeat(X, 20, axis=0)
    made = _pushed(many, scores, np.random.default_rng(0))
    kept = (made == many).mean(axis=0)
    assert ((kept > 0.8) & (kept < 0.95)).all()
    assert (made.astype(np.float32) >= scores.table[:, 0]).all()
    assert (made.astype(np.float32) <= scores.table[:, -1]).all()
    Z = scores.forward(made)
    bulk = [0, 1, 2, 4, 5]
    assert (np.abs(Z[:, bulk]) > 3).mean() > 3 * (np.abs(scores.forward(X)[:, bulk]) > 3).mean()


def test_made_rows_are_real_crossed_and_pushed_in_random_order_and_repeat_by_seed():
    X = table()
    scores = fit_scores(X)
    one, two = (made_rows(X, 2000, scores, np.random.default_rng(3)) for _ in range(2))
    assert one.tobytes() == two.tobytes()
    real = np.array([tuple(r) in {tuple(x) for x in X} for r in one[:400]])
    assert REAL / 2 < real.mean() < 1.8 * REAL
    assert real[:200].any()
    assert real[200:].any()
    assert np.isfinite(one).all()
