"""Laws of readings that look at the values, over the table `ADJUSTED`; and of the parts they are made of."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from ascribe.core.adjusted import ADJUSTED, read
from ascribe.core.adjusted import evidence as evidence_of
from ascribe.core.adjusted.auto import linear_left_out
from ascribe.core.adjusted.boosting import grow
from ascribe.core.adjusted.cube import Cube
from ascribe.core.adjusted.odd import regress, unstructured_variance
from ascribe.core.adjusted.pairs import pairs_of
from ascribe.core.adjusted.unanimity import Unanimity
from ascribe.core.coalitions import all_coalitions, shapley_weights
from ascribe.core.estimators import make_plan
from ascribe.core.plan import Plan, Solved

from .brute import by_orders, on, rough, smooth, sparse

KERNELS = (Cube, Unanimity)
SLOW = ("auto", "trees")  # a tenth of a second for each forest


def fresh(name: str, p: int, budget: int | None, seed: int = 0) -> Plan:
    return make_plan.__wrapped__(name, p, budget, seed)


def whole(name: str, p: int) -> Plan:
    """All coalitions, read as if they were some."""
    return replace(make_plan("kernel", p, 2**p), estimator=name, exact=False)


def exact_of(v, p: int) -> np.ndarray:
    plan = make_plan("exact", p)
    return plan.solve(on(v, plan.S))


def se(found: Solved) -> np.ndarray:
    return np.sqrt((found.deviations**2).sum(axis=0))


def test_the_table_holds_what_these_laws_know():
    assert set(ADJUSTED) == {"auto", "odd", "unanimity", "trees"}


@pytest.mark.parametrize("name", ADJUSTED)
@pytest.mark.parametrize(("p", "budget"), [(5, 20), (8, 40), (11, 200), (16, 300)])
def test_form_and_efficiency(name, p, budget):
    for game in (rough, smooth):
        if game is rough and p > 11:
            continue
        v = game(p, 1)
        plan = fresh(name, p, budget)
        assert plan.estimator == name
        values = on(v, plan.S)
        found = read(plan, values)
        assert found.W.shape == (p, len(values))
        assert found.offset.shape == (p,)
        assert found.deviations.shape[1] == p
        assert found.phi(values).sum() == pytest.approx(values[-1] - values[0], abs=1e-10)
        wanted = np.zeros(len(values))
        wanted[0], wanted[-1] = -1, 1
        assert np.abs(found.W.sum(axis=0) - wanted).max() < 1e-10  # of replicates too
        assert found.offset.sum() == pytest.approx(0, abs=1e-10)
        assert np.isfinite(se(found)).all()
        assert (se(found) > 0).all()


@pytest.mark.parametrize("name", ["auto", "odd", "unanimity"])
@pytest.mark.parametrize(("p", "budget"), [(4, 14), (7, 40), (12, 100), (30, 300)])
def test_additive_games_come_back(name, p, budget):
    rng = np.random.default_rng(p)
    a = rng.standard_normal(p) * 10 ** rng.uniform(-2, 2, p)
    plan = replace(fresh("kernel", p, budget), estimator=name, exact=False)
    found = read(plan, 3.7 + plan.S @ a)
    assert found.phi(3.7 + plan.S @ a) == pytest.approx(a, rel=1e-8, abs=1e-8 * np.abs(a).max())
    assert se(found).max() <= 1e-6 * np.abs(a).max()


@pytest.mark.parametrize("name", ADJUSTED)
@pytest.mark.parametrize("p", [4, 6])
def test_every_coalition_seen_is_exact(name, p):
    """And so symmetry, dummy and linearity hold too, whatever was fitted; nothing is left to err."""
    for game in (rough, smooth):
        v = game(p, 2)
        plan = whole(name, p)
        found = read(plan, on(v, plan.S))
        assert found.phi(on(v, plan.S)) == pytest.approx(by_orders(v, p), abs=1e-6)
        assert se(found).max() < 1e-4


@pytest.mark.parametrize("name", ADJUSTED)
def test_players_in_another_order_get_the_same(name):
    """The plan and its values with the players permuted: phi permuted."""
    p = 9
    plan, order = fresh(name, p, 150), np.random.default_rng(0).permutation(p)
    v = on(smooth(p, 0), plan.S)
    turned = Plan(plan.S[:, order], plan.W[order], plan.jackknife[:, order], name, exact=False)
    one, two = read(plan, v), read(turned, v)
    assert two.phi(v) == pytest.approx(one.phi(v)[order], abs=1e-4 * np.abs(v).max())
    assert np.abs(np.diff(one.phi(v))).min() > 1e-3


@pytest.mark.parametrize("name", ADJUSTED)
def test_one_row_one_answer(name):
    """Bit for bit, whatever was read before."""
    p = 10
    plan = fresh(name, p, 120)
    v = on(smooth(p, 0), plan.S)
    one = read(plan, v)
    read(plan, v + plan.S[:, 0] ** 2)
    again = read(fresh(name, p, 120), v.copy())
    for field in ("W", "deviations", "offset"):
        assert getattr(one, field).tobytes() == getattr(again, field).tobytes()
    assert one.estimator == again.estimator


@pytest.mark.parametrize("name", ADJUSTED)
@pytest.mark.parametrize("game", [rough, smooth])
def test_error_falls_with_budget(name, game):
    p = 9
    v = game(p, 0)
    value = on(v, all_coalitions(p))
    truth = exact_of(v, p)
    errors = []
    for budget in (40, 110, 300):
        plans = [fresh(name, p, budget, seed) for seed in range(2 if name in SLOW else 8)]
        V = [value[plan.S @ (1 << np.arange(p))] for plan in plans]
        errors.append(np.sqrt(np.mean([(read(plan, v).phi(v) - truth) ** 2 for plan, v in zip(plans, V, strict=True)])))
    assert errors[1] < 0.9 * errors[0]
    assert errors[2] < 0.8 * errors[1]


def test_linear_plans_are_read_by_themselves():
    for name in ("exact", "kernel", "leverage", "permutation"):
        plan = fresh(name, 7, 128 if name == "exact" else 60)
        v = on(rough(7, 0), plan.S)
        found = read(plan, v)
        assert found.estimator == name
        assert found.phi(v) == pytest.approx(plan.solve(v), abs=1e-12)
        assert not found.offset.any()


def test_too_few_pairs_fall_back_to_the_plan():
    plan = fresh("odd", 8, 18)
    v = on(rough(8, 0), plan.S)
    assert read(plan, v).phi(v) == pytest.approx(plan.solve(v), abs=1e-12)
    assert np.isnan(read(plan, v).deviations).all()
    assert read(plan, v).estimator == "kernel"


def test_values_that_are_not_numbers_stay_so():
    plan = fresh("auto", 11, 100)
    v = on(smooth(11, 0), plan.S)
    v[5] = np.nan
    assert np.isnan(read(plan, v).phi(v)).any()


@pytest.mark.parametrize("kind", KERNELS)
def test_shapley_values_of_a_kernel(kind):
    """Sections and prior variances, against the full sum; the kernel is odd and has no term of one player."""
    p = 6
    S = all_coalitions(p)
    s, W = np.where(S, 1.0, -1.0), shapley_weights(S).T
    kernel = kind(np.random.default_rng(0).uniform(0.05, 0.8, p))
    k = kernel.gram(s)[0]
    assert np.abs(k + k[::-1]).max() < 1e-12  # row 2^p - 1 - i is the complement of row i
    assert np.abs(s.T @ k).max() > 1e-3 if kind is Unanimity else np.abs(s.T @ k).max() < 1e-12
    assert np.linalg.eigvalsh(k).min() > -1e-12
    assert kernel.section(s) == pytest.approx((W @ k).T, abs=1e-12)
    assert kernel.variance() == pytest.approx(np.diag(W @ k @ W.T), abs=1e-12)
    assert unstructured_variance(p) == pytest.approx(np.full(p, 2 * (W**2).sum(axis=1)), abs=1e-12)


def test_the_terms_of_the_cube_by_their_products():
    """k(s, t) = sum over odd T, |T| > 1, of prod over T of theta s t, over its value at s = t."""
    p, rng = 5, np.random.default_rng(1)
    b = rng.uniform(0.1, 1, p)
    s = np.where(all_coalitions(p), 1.0, -1.0)
    k = np.zeros((2**p, 2**p))
    for T in all_coalitions(p):
        if T.sum() % 2 and T.sum() > 1:
            term = s[:, T].prod(axis=1)
            k += np.tanh(b[T]).prod() * np.outer(term, term)
    assert Cube(b).gram(s)[0] == pytest.approx(k / k[0, 0], abs=1e-12)


@pytest.mark.parametrize("kind", KERNELS)
def test_slope_of_the_evidence(kind):
    rng, p, h = np.random.default_rng(2), 6, 1e-5
    s = np.where(rng.random((25, p)) < 0.5, 1.0, -1.0)
    w = rng.standard_normal((25, 3))
    for at in (np.append(rng.uniform(-2, 0, p), -2.0), np.array([-1.0, -3.0])):
        slope = evidence_of._loss(at, kind, s, w)[1]
        moved = [
            (evidence_of._loss(at + h * e, kind, s, w)[0] - evidence_of._loss(at - h * e, kind, s, w)[0]) / (2 * h)
            for e in np.eye(len(at))
        ]
        assert slope == pytest.approx(moved, abs=1e-5)
        assert np.abs(slope).max() > 1e-2


@pytest.mark.parametrize("kind", KERNELS)
def test_left_out_equals_a_fit_without(kind):
    p = 6
    plan = fresh("kernel", p, 44)
    pairs = pairs_of(plan)
    w = pairs.odd(on(rough(p, 3), plan.S))
    kernel, rho = kind(np.full(p, 0.3)), 0.05
    found = regress(pairs, w, kernel, rho)
    for gone in ([4], [2, 7, 9]):
        rest = np.setdiff1d(np.arange(len(w)), gone)
        K = (1 - rho) * kernel.gram(pairs.s)[0] + (rho + evidence_of.JITTER) * np.eye(len(w))
        inner, s = np.linalg.inv(K[np.ix_(rest, rest)]), pairs.s[rest]
        beta = np.linalg.solve(s.T @ inner @ s, s.T @ inner @ w[rest])
        alpha = inner @ (w[rest] - s @ beta)
        if len(gone) == 1:
            predicted = pairs.s[gone] @ beta + K[np.ix_(gone, rest)] @ alpha
            assert found.left_out()[gone] == pytest.approx(w[gone] - predicted, abs=1e-8)
        section = (1 - rho) * kernel.section(pairs.s) + rho * pairs.q
        phi = 2 * beta + section[rest].T @ alpha
        assert found.W @ w + found.without(np.array(gone)) == pytest.approx(phi, abs=1e-6)


def test_left_out_of_single_terms():
    p = 6
    pairs = pairs_of(fresh("kernel", p, 44))
    w = np.random.default_rng(0).standard_normal(len(pairs.s))
    weight = np.maximum(pairs.mass, pairs.mass.max() * (np.arange(len(w)) == 0))
    found = linear_left_out(pairs, w)
    for i in (1, 8, 15):
        rest = np.arange(len(w)) != i
        root = np.sqrt(weight[rest])
        beta = np.linalg.lstsq(pairs.s[rest] * root[:, None], w[rest] * root, rcond=None)[0]
        assert found[i] == pytest.approx(w[i] - pairs.s[i] @ beta, abs=1e-9)


def test_shapley_values_of_a_forest():
    p = 6
    S = all_coalitions(p)
    v = on(rough(p, 0), S)
    forest = grow(S, v, np.ones(len(S)))
    g = forest(S)
    assert np.corrcoef(g, v)[0, 1] > 0.9
    assert forest.shapley(p) == pytest.approx(shapley_weights(S).T @ g, abs=1e-10)


def test_a_weight_of_two_is_a_coalition_seen_twice():
    p = 6
    S = all_coalitions(p)
    v, often = on(rough(p, 0), S), np.random.default_rng(0).integers(1, 4, len(S))
    weighted, repeated = (
        grow(S, v, often.astype(float)),
        grow(np.repeat(S, often, 0), np.repeat(v, often), np.ones(often.sum())),
    )
    assert weighted(S) == pytest.approx(repeated(S), abs=1e-6)
    assert np.abs(weighted(S) - grow(S, v, np.ones(len(S)))(S)).max() > 1e-2


def test_auto_takes_what_predicts():
    """Trees or unanimity on a sparse sum of unanimity games, `odd` or its like on a smooth one; both pay."""
    p = 16
    v, phi = sparse(p, 0)
    plan = fresh("auto", p, 1500)
    values = on(v, plan.S)
    found = read(plan, values)
    assert found.estimator in ("unanimity", "trees")
    linear = np.linalg.norm(plan.solve(values) - phi)
    assert np.linalg.norm(found.phi(values) - phi) < 0.5 * linear
    p = 10
    game, truth = smooth(p, 0), exact_of(smooth(p, 0), p)
    plan = fresh("auto", p, 200)
    values = on(game, plan.S)
    found = read(plan, values)
    assert found.estimator in ("odd", "unanimity")
    assert np.linalg.norm(found.phi(values) - truth) < 0.7 * np.linalg.norm(plan.solve(values) - truth)


@pytest.mark.parametrize(("game", "p", "budget"), [(rough, 9, 150), (smooth, 10, 200)])
def test_what_auto_takes_depends_on_no_sign_and_no_unit(game, p, budget, monkeypatch):
    """Also where trees are tried whatever the others leave them to win."""
    monkeypatch.setattr(import_module("ascribe.core.adjusted.auto"), "WORTH_TREES", 0.0)
    plan = fresh("auto", p, budget, 1)
    values = on(game(p, 2), plan.S)
    one = read(plan, values)
    for factor in (-1.0, 1e-3, -1e-3, -1e3):
        other = read(plan, factor * values)
        assert other.estimator == one.estimator
        assert other.phi(factor * values) == pytest.approx(factor * one.phi(values), rel=1e-3, abs=1e-5 * abs(factor))


@pytest.mark.parametrize("name", ["auto", "odd", "unanimity", "trees"])
@pytest.mark.parametrize(("game", "budget"), [(smooth, 120), (rough, 150)])
def test_errors_are_as_large_as_said(name, game, budget):
    p, p_seeds = 9, 6 if name in SLOW else 25
    v = game(p, 5)
    value, truth = on(v, all_coalitions(p)), exact_of(v, p)
    error, admitted = [], []
    for seed in range(p_seeds):
        plan = fresh(name, p, budget, seed)
        values = value[plan.S @ (1 << np.arange(p))]
        found = read(plan, values)
        error.append(found.phi(values) - truth)
        admitted.append(se(found))
    error, admitted = np.array(error), np.array(admitted)
    assert 0.7 <= np.sqrt((error**2).mean() / (admitted**2).mean()) <= 1.4
    assert (np.abs(error) < 1.96 * admitted).mean() > 0.8


def test_too_many_coalitions_for_a_fit_are_read_by_the_plan(monkeypatch):
    """A fit of n pairs takes n^3: past a limit the plan's own matrix answers, and says so."""
    from ascribe.core import adjusted

    plan = make_plan("auto", 12, 128, 0)
    v = np.random.default_rng(0).standard_normal(len(plan.S))
    assert read(plan, v).estimator != "kernel"
    monkeypatch.setattr(adjusted, "MOST", len(plan.S))
    assert read(plan, v).estimator != "kernel"
    monkeypatch.setattr(adjusted, "MOST", len(plan.S) - 1)
    assert read(plan, v).estimator == "kernel"
    assert np.array_equal(read(plan, v).W, plan.W)
