"""Laws of `learnt`: a fixed matrix whose scales come from other games of the same model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.adjusted import ADJUSTED
from ascribe.core.adjusted import evidence as evidence_of
from ascribe.core.adjusted.cube import Cube
from ascribe.core.adjusted.learnt import KERNELS, Reading, fit_scales, learnt
from ascribe.core.adjusted.odd import regress
from ascribe.core.adjusted.pairs import pairs_of
from ascribe.core.adjusted.unanimity import Unanimity
from ascribe.core.coalitions import all_coalitions
from ascribe.core.errors import CapabilityError
from ascribe.core.estimators import ESTIMATORS, make_plan
from ascribe.core.features import Feature, players_of
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.plan import Plan
from ascribe.core.shapley import LEARNT, plan_of

from .brute import by_orders, on, rough, smooth

P = 9
kinds = pytest.mark.parametrize("kind", ["odd", "unanimity"])
CASES = [(4, 10), (5, 20), (8, 18), (8, 40), (12, 100), (30, 300)]  # (p, 2p + 2): no pair to spare


def coalitions(p: int, budget: int, seed: int = 0) -> Plan:
    return make_plan.__wrapped__("odd", p, budget, seed)


def a_reading(kind: str, p: int, widen: float = 1.0) -> Reading:
    return Reading(kind, tuple(np.random.default_rng(p).uniform(0.05, 0.8, p).tolist()), 0.05, widen)


def alike_games(count: int, seed: int = 0, p: int = P) -> np.ndarray:
    """Values (count, 2^p) of games that share their interactions and differ in single terms, strength and size: what
    rows of one model are to one another.
    """
    rng = np.random.default_rng([seed, p, 7])
    at = all_coalitions(p).astype(float)
    shared = np.triu(np.random.default_rng(p).standard_normal((p, p)), 1)
    games = []
    for _ in range(count):
        double = shared * (1 + 0.3 * rng.standard_normal((p, p)))
        pairs = np.einsum("mi,ij,mj->m", at, double, at)
        games.append(10 ** rng.uniform(-2, 2) * (at @ rng.standard_normal(p) + 0.3 * pairs + 2 * np.tanh(pairs / 2)))
    return np.array(games)


def at(V: np.ndarray, plan: Plan) -> np.ndarray:
    """Columns of a plan's coalitions, of values on all."""
    return V[:, plan.S @ (1 << np.arange(plan.S.shape[1]))]


def truth_of(V: np.ndarray) -> np.ndarray:
    plan = make_plan("exact", P)
    return plan.solve(at(V, plan))


def test_the_kinds_are_those_of_readings():
    assert set(KERNELS) == {"odd", "unanimity"} <= set(ADJUSTED)
    assert LEARNT == "learnt"
    assert LEARNT not in ESTIMATORS
    assert LEARNT not in ADJUSTED  # it belongs to a model: see `plan_of`


@kinds
@pytest.mark.parametrize(("p", "budget"), CASES)
def test_form_and_efficiency(kind, p, budget):
    """1' W = e_grand - e_empty, whatever the scales."""
    plan = coalitions(p, budget)
    for reading in (a_reading(kind, p), Reading(kind, (2.5,) * p, 1e-6), Reading(kind, (0.01,) * p, 0.98)):
        found = learnt(plan, reading)
        assert (found.estimator, found.exact) == ("learnt", False)
        assert found.S is plan.S
        assert found.W.shape == (p, len(plan.S))
        assert found.jackknife.shape[1:] == found.W.shape
        assert np.isfinite(found.W).all()
        assert np.isfinite(found.jackknife).all()
        wanted = np.zeros(len(plan.S))
        wanted[0], wanted[-1] = -1, 1
        assert np.abs(found.W.sum(axis=0) - wanted).max() < 1e-12


@kinds
@pytest.mark.parametrize(("p", "budget"), CASES)
def test_additive_games_come_back_and_leave_nothing_to_err(kind, p, budget):
    rng = np.random.default_rng(p)
    a = rng.standard_normal(p) * 10 ** rng.uniform(-2, 2, p)
    found = learnt(coalitions(p, budget), a_reading(kind, p))
    V = (3.7 + found.S @ a)[None]
    assert found.solve(V)[0] == pytest.approx(a, rel=1e-8, abs=1e-8 * np.abs(a).max())
    assert found.coalition_stderr(V).max() < 1e-6 * np.abs(a).max()


@kinds
@pytest.mark.parametrize("p", [4, 6])
def test_every_coalition_seen_is_exact(kind, p):
    whole = replace(make_plan("kernel", p, 2**p), exact=False)
    found = learnt(whole, a_reading(kind, p))
    for game in (rough, smooth):
        V = on(game(p, 2), whole.S)
        assert found.solve(V) == pytest.approx(by_orders(game(p, 2), p), abs=1e-6)
        assert found.coalition_stderr(V[None]).max() < 1e-4


@kinds
def test_it_is_the_regression_at_those_scales(kind):
    """phi = W w of `regress`, an independent route through each row's own pairs; linear in v."""
    plan, reading = coalitions(P, 80), a_reading(kind, P)
    pairs, found = pairs_of(plan), learnt(plan, reading)
    V = at(alike_games(3), plan)
    for v in V:
        w = pairs.odd(v)
        told = regress(pairs, w, KERNELS[kind](np.array(reading.b)), reading.rho)
        assert found.solve(v) == pytest.approx(told.W @ w, rel=1e-8, abs=1e-10 * np.abs(v).max())
    both = 2 * V[0] - V[1]
    assert found.solve(both) == pytest.approx(2 * found.solve(V[0]) - found.solve(V[1]), abs=1e-9 * np.abs(both).max())


@kinds
def test_players_in_another_order_get_the_same(kind):
    plan, order = coalitions(P, 80), np.random.default_rng(0).permutation(P)
    reading = a_reading(kind, P)
    turned = Plan(plan.S[:, order], plan.W[order], plan.jackknife[:, order], plan.estimator, exact=False)
    other = replace(reading, b=tuple(np.array(reading.b)[order].tolist()))
    v = at(alike_games(1), plan)
    one, two = learnt(plan, reading), learnt(turned, other)
    assert two.solve(v) == pytest.approx(one.solve(v)[:, order], rel=1e-9)
    assert two.coalition_stderr(v) == pytest.approx(one.coalition_stderr(v)[:, order], rel=1e-6)


@kinds
def test_the_squared_deviations_of_a_game_of_the_prior_sum_to_its_posterior_variance(kind):
    """In the mean over games w = s beta + f, f ~ N(0, K), which is where the error bars come from."""
    plan, reading = coalitions(P, 60), a_reading(kind, P)
    pairs, found = pairs_of(plan), learnt(plan, reading)
    kernel = KERNELS[kind](np.array(reading.b))
    n = len(pairs.s)
    K = (1 - reading.rho) * kernel.gram(pairs.s)[0] + (reading.rho + evidence_of.JITTER) * np.eye(n)
    spread = np.sqrt((len(found.jackknife) - 1) / len(found.jackknife)) * (found.jackknife - found.W)
    moved = spread[:, :, pairs.up] - spread[:, :, pairs.down]  # on w: v(s) = w, v(-s) = -w
    expected = np.einsum("gin,nk,gik->i", moved, K, moved)
    assert expected == pytest.approx(regress(pairs, np.zeros(n), kernel, reading.rho).variance, rel=1e-6)


@kinds
def test_widening_multiplies_the_error_and_nothing_else(kind):
    plan = coalitions(P, 60)
    v = at(alike_games(2), plan)
    one, wide = (learnt(plan, a_reading(kind, P, widen)) for widen in (1.0, 1.7))
    assert np.array_equal(one.W, wide.W)
    assert wide.coalition_stderr(v) == pytest.approx(1.7 * one.coalition_stderr(v), rel=1e-9)


@kinds
def test_games_like_those_it_saw_are_read_better_than_without_and_as_well_as_it_says(kind):
    """Scales from twelve games; twelve others, all coalitions known, budgets from few to half."""
    V = alike_games(24)
    wide = make_plan("kernel", P, 300, 1)
    reading = fit_scales(kind, wide, at(V[:12], wide))
    truth = truth_of(V[12:])
    size = np.abs(truth).max(axis=1, keepdims=True)
    for budget in (40, 80, 150):
        errors: dict[str, list] = {"kernel": [], "learnt": [], "told": []}
        for seed in range(5):
            plan = coalitions(P, budget, seed)
            own, values = learnt(plan, reading), at(V[12:], plan)
            errors["kernel"].append((plan.solve(values) - truth) / size)
            errors["learnt"].append((own.solve(values) - truth) / size)
            errors["told"].append(own.coalition_stderr(values) / size)
        rms = {name: np.sqrt((np.array(e) ** 2).mean()) for name, e in errors.items()}
        assert rms["learnt"] < 0.9 * rms["kernel"]
        assert 0.6 < rms["learnt"] / rms["told"] < 1.6


def test_the_same_games_give_the_same_reading_to_the_bit():
    V, wide = alike_games(6), make_plan("kernel", P, 120, 1)
    one, two = (fit_scales("odd", wide, at(V, wide).copy()) for _ in range(2))
    assert one == two
    assert fit_scales("odd", wide, at(alike_games(6, seed=1), wide)) != one
    plan = coalitions(P, 60)
    first, again = (learnt.__wrapped__(plan, one) for _ in range(2))
    assert first.W.tobytes() == again.W.tobytes()
    assert first.jackknife.tobytes() == again.jackknife.tobytes()


def test_the_size_of_a_game_does_not_matter_to_the_scales():
    V, wide = alike_games(5), make_plan("kernel", P, 120, 1)
    one = fit_scales("odd", wide, at(V, wide))
    two = fit_scales("odd", wide, at(V * np.array([[1e-6], [1], [50], [1e4], [3]]) + 7, wide))
    assert np.array(two.b) == pytest.approx(np.array(one.b), rel=1e-2)
    assert two.rho == pytest.approx(one.rho, rel=1e-2)


def test_additive_games_tell_nothing_of_the_scales():
    """What their digits leave is not a game: alone they give a start, beside others they change nothing."""
    V, wide = alike_games(5), make_plan("kernel", P, 120, 1)
    plain = 0.1 + np.random.default_rng(0).standard_normal((4, P)) @ all_coalitions(P).T
    alone = fit_scales("odd", wide, at(plain, wide))
    assert len(set(alone.b)) == 1
    assert alone.rho == 0.5
    beside, without = fit_scales("odd", wide, at(np.vstack([V, plain]), wide)), fit_scales("odd", wide, at(V, wide))
    assert beside.b == pytest.approx(without.b, rel=1e-8)
    assert beside.rho == pytest.approx(without.rho, rel=1e-8)


# the evidence of several games


@pytest.mark.parametrize("kind", [Cube, Unanimity])
@pytest.mark.parametrize("where", [[-1.0, -3.0], [-1.5, -0.5, -1.0, -2.0, -0.2, -0.7, -2.5]])
def test_the_evidence_of_several_games_is_the_sum_of_each(kind, where):
    """And of one it is the restricted likelihood, by dense formulas; scales of each player are drawn together once."""
    rng, p, n = np.random.default_rng(3), 6, 24
    s, w = np.where(rng.random((n, p)) < 0.5, 1.0, -1.0), rng.standard_normal((n, 4))
    at_, rho = np.array(where), 1 / (1 + np.exp(-where[-1]))
    b = np.exp(np.full(p, where[0]) if len(where) == 2 else at_[:-1])
    K = (1 - rho) * kind(b).gram(s)[0] + (rho + evidence_of.JITTER) * np.eye(n)
    inner = np.linalg.inv(K)
    A = s.T @ inner @ s
    P_ = inner - inner @ s @ np.linalg.solve(A, s.T @ inner)
    determinants = (np.linalg.slogdet(K)[1] + np.linalg.slogdet(A)[1]) / 2
    drawn = ((at_[:-1] - at_[:-1].mean()) ** 2).sum() / 2
    each = [(n - p) / 2 * np.log(x @ P_ @ x) + determinants for x in w.T]
    for k, one in enumerate(each):
        assert evidence_of._loss(at_, kind, s, w[:, k : k + 1])[0] == pytest.approx(one + drawn, rel=1e-8)
    assert evidence_of._loss(at_, kind, s, w)[0] == pytest.approx(sum(each) + drawn, rel=1e-8)


@pytest.mark.parametrize("kind", [Cube, Unanimity])
def test_one_game_twice_has_the_scales_of_one(kind):
    """But for the pull of one player's scale towards the others', which weighs half as much."""
    pairs = pairs_of(coalitions(P, 60))  # fewer than four pairs a player: one scale for all
    w = pairs.odd(on(smooth(P, 0), coalitions(P, 60).S))[:, None]
    one, two = evidence_of.scales(kind, pairs.s, w, 60), evidence_of.scales(kind, pairs.s, np.hstack([w, 5 * w]), 60)
    assert two[0] == pytest.approx(one[0], rel=1e-3)
    assert two[1] == pytest.approx(one[1], rel=1e-2)


# by name


def a_model(n: int, reading: Reading | None) -> Model:
    return Model(tuple(Feature(f"x{j}") for j in range(n)), reading=reading)


def test_a_model_reads_its_own_games_by_name():
    model, options = a_model(P, a_reading("odd", P)), Options(LEARNT, 60, seed=4)
    found = plan_of(model, players_of(model.names), options, 60)
    assert found.estimator == "learnt"
    assert np.array_equal(found.S, make_plan("kernel", P, 60, 4).S)
    assert found.W.tobytes() == learnt(coalitions(P, 60, 4), model.reading).W.tobytes()
    whole = plan_of(model, players_of(model.names), options, 2**P)
    assert whole.exact
    assert whole.estimator == "exact"


@pytest.mark.parametrize(
    ("n", "groups"),
    [(4, None), (3, {"a": ("x0",), "b": ("x1",), "c": ("x2",)}), (P, {f"g{j}": (f"x{j}",) for j in range(P)})],
)
def test_other_players_than_those_it_learnt_are_refused(n, groups):
    model = a_model(n, a_reading("odd", P))
    with pytest.raises(
        CapabilityError, match=f"'learnt' needs scales learnt for these {len(groups or range(n))} players"
    ):
        plan_of(model, players_of(model.names, groups), Options(LEARNT, groups=groups), 60)


def test_a_model_without_scales_refuses_but_answers_by_other_names():
    model = a_model(P, None)
    with pytest.raises(CapabilityError, match="needs scales learnt"):
        plan_of(model, players_of(model.names), Options(LEARNT), 60)
    for name in ("auto", "kernel"):
        assert plan_of(model, players_of(model.names), Options(name), 60).estimator == name
