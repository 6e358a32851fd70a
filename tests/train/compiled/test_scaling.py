"""Scores as operators against `core.scaling.Scores`: atoms, ends, NaN, straight tables, one knot at a time."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.scaling import KNOTS, REACH, Scores, fit_scores
from ascribe.train.compiled import scaling
from ascribe.train.compiled.scaling import forward, inverse

from ..small_graphs import evaluated


def a_table(rows: int = 2000) -> np.ndarray:
    """Normal, heavy-tailed, zero in 60 %, uniform and tiny, constant, a few integers, huge."""
    rng = np.random.default_rng(0)
    return np.column_stack(
        [
            50 + 3 * rng.standard_normal(rows),
            np.exp(12 + 2 * rng.standard_normal(rows)),
            np.where(rng.random(rows) < 0.6, 0.0, rng.gamma(2.0, 1e6, rows)),
            rng.uniform(1e-6, 2e-6, rows),
            np.full(rows, 7.5),
            rng.integers(0, 4, rows),
            1e12 + 1e9 * rng.standard_normal(rows),
        ]
    )


ROWS = a_table()
BENT = fit_scores(ROWS)
STRAIGHT = Scores((np.array([[10.0], [0.0], [-5e8]]) + np.array([[2.0], [1e-6], [4e8]]) * np.linspace(-4, 4, KNOTS))
                  .astype(np.float32))  # fmt: skip


def asked(scores: Scores) -> np.ndarray:
    """Training rows, every knot and its neighbours in single precision, both ends and beyond."""
    table = scores.table
    beside = [table, np.nextafter(table, np.float32(np.inf)), np.nextafter(table, np.float32(-np.inf))]
    width = table[:, -1:] - table[:, :1]
    far = np.hstack([table[:, :1] - [0.1, 3] * width - [0, 1], table[:, -1:] + [0.1, 3] * width + [0, 1]])
    between = table[:, :-1] + np.diff(table, axis=1) * np.random.default_rng(1).random((1, table.shape[1] - 1))
    return np.hstack([*beside, far, between]).T.astype(np.float32)


@pytest.mark.parametrize("scores", [BENT, STRAIGHT], ids=["bent", "straight"])
def test_forward_is_that_of_scores(scores):
    X = asked(scores)
    found = evaluated(lambda s, x: forward(s, x, scores), X)
    assert found.dtype == np.float64
    assert found == pytest.approx(scores.forward(X).astype(float), abs=2e-6)
    assert found.min() == -REACH
    assert found.max() == REACH


def test_forward_of_rows_that_were_fitted():
    found = evaluated(lambda s, x: forward(s, x, BENT), ROWS.astype(np.float32))
    assert found == pytest.approx(BENT.forward(ROWS).astype(float), abs=2e-6)
    atom = ROWS[:, 2] == 0
    assert len(set(found[atom, 2].tolist())) == 1  # the middle of its run
    assert len(set(found[:, 4].tolist())) == 1
    assert len(set(found[:, 5].tolist())) == 4
    end = np.flatnonzero(BENT.table[2] == 0)[-1] * BENT.step - REACH
    assert found[atom, 2][0] == pytest.approx((end - REACH) / 2, abs=1e-9)


def test_a_cell_that_is_not_a_number_stays_so_and_alone():
    X = ROWS[:20].astype(np.float32)
    clean = evaluated(lambda s, x: forward(s, x, BENT), X)
    X[3, 1] = X[7, 0] = np.nan
    found = evaluated(lambda s, x: forward(s, x, BENT), X)
    assert np.isnan(found).sum() == 2
    assert np.isnan(found[[3, 7], [1, 0]]).all()
    assert np.array_equal(found[~np.isnan(found)], clean[~np.isnan(found)])
    X[3, 1], X[7, 0] = np.inf, -np.inf
    found = evaluated(lambda s, x: forward(s, x, BENT), X)
    assert found[3, 1] == REACH
    assert found[7, 0] == -REACH


@pytest.mark.parametrize("scores", [BENT, STRAIGHT], ids=["bent", "straight"])
def test_inverse_is_that_of_scores(scores):
    n = len(scores.table)
    Z = np.concatenate([np.linspace(-6, 6, 4001), np.linspace(-REACH, REACH, KNOTS)])
    Z = np.stack([np.random.default_rng(j).permutation(Z) for j in range(n)], axis=1).astype(np.float32)
    found, wanted = evaluated(lambda s, z: inverse(s, z, scores), Z), scores.inverse(Z)
    width = (scores.table[:, -1] - scores.table[:, 0]).astype(float)
    size = np.abs(scores.table).max(axis=1)
    assert np.all(np.abs(found - wanted.astype(float)) <= 1e-6 * width + 4e-7 * size)
    assert np.all(found >= scores.table[:, 0] - 4e-7 * size)
    assert np.all(found <= scores.table[:, -1] + 4e-7 * size)
    if scores is BENT:  # the look-up is the same arithmetic, in single precision throughout
        assert np.all(np.abs(found - wanted) <= np.spacing(np.abs(found)) + 2e-7 * steepest(scores))


def steepest(scores: Scores) -> np.ndarray:
    """Of a feature: its widest step between two knots."""
    return np.diff(scores.table.astype(float), axis=1).max(axis=1)


@pytest.mark.parametrize("scores", [BENT, STRAIGHT], ids=["bent", "straight"])
def test_any_leading_axes(scores):
    n = len(scores.table)
    Z = np.random.default_rng(2).standard_normal((3, 4, 5, n)).astype(np.float32)
    found = evaluated(lambda s, z: inverse(s, z, scores), Z)
    assert found.shape == Z.shape
    assert np.array_equal(found.reshape(-1, n), evaluated(lambda s, z: inverse(s, z, scores), Z.reshape(-1, n)))


def test_an_atom_comes_back_to_the_bit():
    X = ROWS[ROWS[:, 2] == 0][:50].astype(np.float32)
    z = evaluated(lambda s, x: forward(s, x, BENT), X).astype(np.float32)
    back = evaluated(lambda s, z: inverse(s, z, BENT), z)
    assert (back[:, 2] == 0).all()
    assert (back[:, 4] == 7.5).all()
    assert np.array_equal(back[:, 5], X[:, 5])


def test_only_tables_that_are_lines_throughout_are_taken_for_lines(monkeypatch):
    """One bent feature among straight ones: all go through the table."""
    one = Scores(np.vstack([STRAIGHT.table, BENT.table[2:3]]))
    Z = np.random.default_rng(3).uniform(-5, 5, (500, 4)).astype(np.float32)
    found = evaluated(lambda s, z: inverse(s, z, one), Z)
    assert np.all(np.abs(found - one.inverse(Z)) <= np.spacing(np.abs(found)) + 2e-7 * steepest(one))
    monkeypatch.setattr(scaling, "STRAIGHT", 1.0)  # where any table passes for a line, this one's answer is wrong
    wrong = evaluated(lambda s, z: inverse(s, z, one), Z)
    assert np.abs(wrong - one.inverse(Z))[:, 3].max() > 0.1 * np.ptp(one.table[3])


def test_a_constant_feature_is_a_line_too():
    flat = Scores(np.vstack([STRAIGHT.table[0], np.full(KNOTS, 7.5)]).astype(np.float32))
    Z = np.random.default_rng(4).standard_normal((50, 2)).astype(np.float32)
    assert (evaluated(lambda s, z: inverse(s, z, flat), Z)[:, 1] == 7.5).all()
    X = np.array([[10.0, 7.5], [10.0, 7.4], [10.0, 7.6]], np.float32)
    found = evaluated(lambda s, x: forward(s, x, flat), X)
    assert found == pytest.approx(flat.forward(X).astype(float), abs=1e-6)
