"""Scales fitted on some training rows and judged on others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ascribe.core.adjusted.learnt import learnt
from ascribe.core.estimators import make_plan
from ascribe.core.games import Values
from ascribe.train.values import reading
from ascribe.train.values.reading import fit_reading

P, BASE = 11, 3.0


@dataclass(frozen=True)
class Known:
    """v(x, S) of a closed form: `smooth` a saturating sum of products, else products of many."""

    smooth: bool = True
    noise: float = 0.0
    value: str = "surrogate"
    kind: str = "conditional"
    base_value: float = BASE
    samples: int = 0

    def with_samples(self, s: int) -> Known:
        return self

    def at(self, x: np.ndarray, S: np.ndarray) -> np.ndarray:
        z = np.where(S, x, 0.0)
        if not self.smooth:
            return BASE + z.sum(axis=1) + 4 * np.prod(1 + 0.6 * S[:, :6] * np.tanh(x[:6]), axis=1) - 4
        rng = np.random.default_rng(5)
        pairs = np.einsum("mi,ij,mj->m", z, np.triu(rng.standard_normal((P, P)), 1), z)
        return BASE + z @ rng.standard_normal(P) + 0.4 * pairs + 2 * np.tanh(pairs / 3)

    def values(self, x: np.ndarray, S: np.ndarray) -> Values:
        v = self.at(x, S) + self.noise * np.random.default_rng([7, len(S)]).standard_normal(len(S))
        return Values(v, np.empty((len(S), 0)), np.full(len(S), np.inf))


X = np.random.default_rng(0).standard_normal((200, P))


def f(game: Known, rows: np.ndarray) -> np.ndarray:
    return np.array([game.at(x, np.ones((1, P), bool))[0] for x in rows])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A quarter of the rows and coalitions, for the time's sake."""
    for name, size in (("ROWS", 24), ("FITTED", 384), ("REFERENCE", 2048)):
        monkeypatch.setattr(reading, name, size)


@pytest.mark.parametrize("smooth", [True, False])
def test_rows_never_seen_are_read_better_than_by_kernel_and_as_well_as_it_says(smooth):
    game, budget = Known(smooth), 128
    found = fit_reading(game, f(game, X), X, budget)
    rows = np.random.default_rng(1).standard_normal((16, P))
    exact = make_plan("exact", P)
    truth = np.array([exact.solve(game.at(x, exact.S)) for x in rows])
    plan = make_plan("odd", P, budget, 0)
    own = learnt(plan, found)
    V = np.array([game.at(x, plan.S) for x in rows])
    V[:, 0] = BASE
    missed = own.solve(V) - truth
    assert (missed**2).mean() < 0.7 * ((plan.solve(V) - truth) ** 2).mean()
    assert 0.5 < np.sqrt((missed**2).mean() / (own.coalition_stderr(V) ** 2).mean()) < 1.5
    assert found.judged == len(plan.S)
    assert len(found.b) == len(found.floor) == P
    assert min(found.floor) >= 0


def test_both_kernels_are_tried_and_the_better_one_is_kept():
    """Products of many players for one; at least one game for each of the two is not to be promised."""
    kinds = {fit_reading(Known(smooth), f(Known(smooth), X), X, 128).kind for smooth in (True, False)}
    assert kinds <= set(reading.KINDS)


def test_no_scales_where_all_coalitions_are_asked():
    few = X[:, :4]
    assert fit_reading(Known(), np.zeros(len(few)), few, 16) is None
    assert fit_reading(Known(), np.zeros(len(X)), X, 2**P) is None


def test_the_same_rows_the_same_scales():
    game = Known()
    one, two = (fit_reading(game, f(game, X), X.copy(), 96) for _ in range(2))
    assert one == two
    assert fit_reading(game, f(game, X), X, 96, seed=1) != one


def test_an_additive_game_errs_by_its_digits_only():
    @dataclass(frozen=True)
    class Plain(Known):
        def at(self, x: np.ndarray, S: np.ndarray) -> np.ndarray:
            return BASE + np.where(S, x, 0.0) @ np.arange(1.0, P + 1)

    game = Plain()
    found = fit_reading(game, f(game, X), X, 64)
    assert np.isfinite([found.widen, *found.floor, found.rho, *found.b]).all()
    plan = learnt(make_plan("odd", P, 64, 0), found)
    V = game.at(X[0], plan.S)[None]
    assert plan.solve(V)[0] == pytest.approx(X[0] * np.arange(1, P + 1), abs=1e-8)
    assert plan.coalition_stderr(V).max() < 1e-6


def test_games_that_are_nothing_at_all():
    @dataclass(frozen=True)
    class Flat(Known):
        def at(self, x: np.ndarray, S: np.ndarray) -> np.ndarray:
            return np.full(len(S), BASE)

    found = fit_reading(Flat(), np.full(len(X), BASE), X, 64)
    assert np.isfinite([found.widen, *found.floor, found.rho, *found.b]).all()


def test_few_rows_are_enough_to_try():
    game = Known()
    for rows in (4, 7):
        found = fit_reading(game, f(game, X[:rows]), X[:rows], 64)
        assert np.isfinite([found.widen, *found.floor]).all()
