"""Scores: the map between natural units and about N(0, 1)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import kstest

from ascribe.core.scaling import KNOTS, REACH, Scores, fit_scores

ROWS = 3000


def a_table(seed: int = 0) -> np.ndarray:
    """Normal, heavy-tailed, zero in 60 %, uniform and tiny, constant."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            50 + 3 * rng.standard_normal(ROWS),
            np.exp(12 + 2 * rng.standard_normal(ROWS)),
            np.where(rng.random(ROWS) < 0.6, 0.0, rng.gamma(2.0, 1e6, ROWS)),
            rng.uniform(1e-6, 2e-6, ROWS),
            np.full(ROWS, 7.5),
        ]
    )


ROWS_OF = a_table()
SCORES = fit_scores(ROWS_OF)


def test_tables_are_single_precision_and_never_fall():
    assert SCORES.table.shape == (5, KNOTS)
    assert SCORES.table.dtype == np.float32
    assert (np.diff(SCORES.table, axis=1) >= 0).all()
    assert SCORES.step == 2 * REACH / (KNOTS - 1)


def test_there_and_back():
    """Natural values inside the table come back; the atom comes back to the bit."""
    back = SCORES.inverse(SCORES.forward(ROWS_OF))
    low, high = SCORES.table[:, 0], SCORES.table[:, -1]
    clamped = np.clip(ROWS_OF.astype(np.float32), low, high)
    spread = (high - low)[None, :4]
    assert np.abs((back - clamped)[:, :4] / spread).max() < 1e-5
    assert (np.abs(ROWS_OF[:, :4] - clamped[:, :4]) / ROWS_OF[:, :4].std(axis=0) < 1).all()  # little is clamped
    atom = ROWS_OF[:, 2] == 0
    assert 0.5 < atom.mean() < 0.7
    assert (back[atom, 2] == 0).all()
    assert (back[~atom, 2] > 0).all()
    assert (back[:, 4] == 7.5).all()


def test_back_and_there():
    """Scores of features without atoms come back; scores on an atom all go to the middle of its run."""
    Z = np.tile(np.linspace(-3, 3, 601)[:, None], (1, 5))
    again = SCORES.forward(SCORES.inverse(Z))
    for j in (0, 1, 3):
        assert np.abs(again[:, j] - Z[:, j]).max() < 0.02
    on_atom = SCORES.inverse(Z)[:, 2] == 0
    assert 0.5 < on_atom.mean() < 0.6  # scores below the 60 % point, 0.25
    assert len(np.unique(again[on_atom, 2])) == 1
    assert np.abs(again[~on_atom, 2] - Z[~on_atom, 2]).max() < 0.02
    assert (SCORES.inverse(Z)[:, 4] == 7.5).all()
    assert (again[:, 4] == 0).all()


def test_an_atom_goes_to_the_middle_of_its_run():
    table = np.array([[0, 0, 0, 1, 2]], dtype=np.float32)  # scores -4 -2 0 2 4
    scores = Scores(table)
    assert scores.forward(np.array([[0.0], [0.5], [1.0], [1.5], [2.0], [-1.0], [9.0]]))[:, 0].tolist() == [
        -2, 1, 2, 3, 4, -4, 4,
    ]  # fmt: skip
    assert scores.inverse(np.array([[-4.0], [-3.3], [-0.1], [0.0], [1.0], [3.0]]))[:, 0].tolist() == [
        0,
        0,
        0,
        0,
        0.5,
        1.5,
    ]


def test_beyond_the_table_is_its_end():
    far = np.array([[-1e30] * 5, [1e30] * 5, [-np.inf] * 5, [np.inf] * 5])
    Z = SCORES.forward(far)
    assert Z[:, :4].tolist() == [[-REACH] * 4, [REACH] * 4] * 2
    X = SCORES.inverse(np.array([[-9.0] * 5, [9.0] * 5]))
    assert X[0].tolist() == SCORES.table[:, 0].tolist()
    assert X[1] == pytest.approx(SCORES.table[:, -1], rel=1e-6)


@pytest.mark.parametrize("table", [[0, 1, 2, 2, 2], [2, 2, 2, 3, 4], [7, 7, 7, 7, 7]])
def test_just_beyond_an_atom_at_the_end_is_the_end(table):
    scores = Scores(np.array([table], np.float32))
    Z = scores.forward(np.array([[table[-1] + 1e-3], [table[0] - 1e-3]]))
    assert Z.ravel().tolist() == [REACH, -REACH]


def test_not_a_number_stays_so_and_stays_alone():
    X = ROWS_OF[:6].copy()
    clean = SCORES.forward(X)
    X[1, 0] = X[2, 2] = X[3, 4] = np.nan
    Z = SCORES.forward(X)
    assert (np.isnan(Z) == np.isnan(X)).all()
    assert Z[~np.isnan(X)].tobytes() == clean[~np.isnan(X)].tobytes()


@hypothesis_settings(max_examples=100)
@given(j=st.integers(0, 3), low=st.floats(0, 1, width=32), high=st.floats(0, 1, width=32))
def test_monotone_both_ways(j, low, high):
    low, high = sorted((low, high))
    Z = np.zeros((2, 5))
    Z[:, j] = np.array([low, high]) * 9 - 4.5
    X = SCORES.inverse(Z)[:, j]
    assert X[0] <= X[1]
    edge = SCORES.table[j, [0, -1]].astype(float)
    X = np.tile(ROWS_OF[0], (2, 1))
    X[:, j] = edge[0] + (edge[1] - edge[0]) * (np.array([low, high]) ** 3 * 1.1 - 0.05)
    found = SCORES.forward(X)[:, j]
    assert found[0] <= found[1]


def test_the_slope_is_that_of_the_map():
    """log dz/dx against differences within the cells of the table; where x does not move with z it is 0."""
    X = a_table()
    scores = fit_scores(X)
    middle = (np.random.default_rng(0).integers(0, KNOTS - 1, (300, 5)) + 0.5) * scores.step - REACH
    quarter = scores.step / 4
    rise = scores.inverse(middle + quarter).astype(float) - scores.inverse(middle - quarter)
    found = scores.log_slope(middle)
    still = rise == 0
    assert still[:, 4].all() and 0.3 < still[:, 2].mean() < 1
    assert (found[still] == 0).all()
    assert np.median(np.abs(found[~still] - np.log(2 * quarter / rise[~still]))) < 0.01
    assert np.abs(found[:, 0] + np.log(X[:, 0].std())).max() < 0.05  # of a normal column: one over its deviation


def test_leading_axes_are_kept():
    X = ROWS_OF[:12].reshape(3, 4, 5)
    assert SCORES.forward(X).tobytes() == SCORES.forward(ROWS_OF[:12]).tobytes()
    assert SCORES.forward(X).shape == (3, 4, 5)
    Z = SCORES.forward(X)
    assert SCORES.inverse(Z).shape == (3, 4, 5)
    assert SCORES.inverse(Z).tobytes() == SCORES.inverse(Z.reshape(12, 5)).tobytes()


def test_scores_are_about_standard_normal():
    fresh = a_table(1)
    Z = SCORES.forward(fresh)
    for j in (0, 1, 3):
        assert Z[:, j].mean() == pytest.approx(0, abs=0.08)
        assert Z[:, j].std() == pytest.approx(1, abs=0.06)


def test_randomised_atoms_are_standard_normal():
    """The point mass is spread in proportion to the normal law; without it the score would fail the same test."""
    fresh = a_table(2)
    Z = SCORES.randomise(fresh, np.random.default_rng(0))
    for j in range(5):
        assert kstest(Z[:, j], "norm").statistic < 0.05
    assert kstest(SCORES.forward(fresh)[:, 2], "norm").statistic > 0.2
    smooth = fresh[:, 2] > 0
    assert Z[smooth, 2].tobytes() == SCORES.forward(fresh)[smooth, 2].tobytes()
    assert SCORES.inverse(Z)[~smooth, 2].tolist() == [0.0] * (~smooth).sum()  # still the atom, to the bit
    assert SCORES.inverse(Z)[:, 4].tolist() == [7.5] * ROWS
    again = SCORES.randomise(fresh, np.random.default_rng(0))
    assert again.tobytes() == Z.tobytes()


def test_a_normal_marginal_gets_a_straight_line():
    table = SCORES.table[0].astype(float)
    assert np.ptp(np.diff(table)) < 1e-4
    mean, sd = ROWS_OF[:, 0].mean(), ROWS_OF[:, 0].std()
    assert table[[0, -1]] == pytest.approx([mean - 4 * sd, mean + 4 * sd], rel=1e-6)
    assert np.ptp(np.diff(SCORES.table[3].astype(float))) > 1e-9  # the uniform one does not


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_whether_a_marginal_is_normal_does_not_hang_on_its_unit(unit):
    rng = np.random.default_rng(4)
    rows = np.column_stack([rng.standard_normal(ROWS), rng.standard_exponential(ROWS)])
    assert fit_scores(unit * rows).normal.tolist() == [True, False]


def test_an_atom_at_the_top_is_spread_to_the_very_end():
    """A counter that saturates: 30 % of rows at its cap."""
    rng = np.random.default_rng(4)
    capped = np.minimum(rng.standard_normal((ROWS, 1)), 0.5244) * 20 + 80
    scores = fit_scores(capped)
    Z = scores.randomise(capped, rng)
    assert kstest(Z[:, 0], "norm").statistic < 0.04
    assert Z.max() > 3
    assert scores.inverse(Z).max() == capped.astype(np.float32).max()


@pytest.mark.parametrize(("straight", "lines"), [(0.0, [0]), (REACH, [0, 1]), (np.inf, [0, 1, 2])])
def test_straight_lines_reach_the_farthest_row(straight, lines):
    """Normal, uniform, exponential with rows beyond 4 sd, and a counter that is 0 in most rows."""
    rng = np.random.default_rng(5)
    z = rng.standard_normal((ROWS, 2))
    X = np.column_stack([z[:, 0], rng.random(ROWS), 1e6 * rng.exponential(size=ROWS), np.maximum(z[:, 1] - 0.5, 0)])
    scores = fit_scores(X, straight)
    step = np.diff(scores.table.astype(float), axis=1)
    assert np.flatnonzero(np.ptp(step, axis=1) <= 1e-3 * step.mean(axis=1)).tolist() == lines
    for j in lines[1:]:
        mean, sd = X[:, j].mean(), X[:, j].std()
        reach = max(4 * sd, np.abs(X[:, j] - mean).max())
        assert scores.table[j, [0, -1]] == pytest.approx([mean - reach, mean + reach], rel=1e-5, abs=1e-5 * sd)
    back = scores.inverse(scores.forward(X))[:, lines[1:]]
    assert back == pytest.approx(X[:, lines[1:]], rel=1e-4, abs=1e-4 * X.std(axis=0)[lines[1:]].max(initial=0))
