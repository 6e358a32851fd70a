"""Laws of plans, over the table of estimators."""

from __future__ import annotations

import re
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ascribe.core.adjusted import ADJUSTED
from ascribe.core.errors import BudgetError, InputError
from ascribe.core.estimators import ESTIMATORS, MAX_EXACT_PLAYERS, make_plan

from .brute import by_orders, on, rough, smooth

SAMPLED = ("permutation", "kernel", "leverage")
PAIRED = ("kernel", "leverage")
SEEDS = (0, 1, 17)

LEAST = {  # the smallest budget that an estimator can work with
    "exact": lambda p: 2**p,
    "permutation": lambda p: 2 * p if p > 1 else 2,
    "kernel": lambda p: min(2**p, 2 * p + 2),
    "leverage": lambda p: min(2**p, 2 * p + 2),
}
CASES = [
    (name, p, budget)
    for name in LEAST
    for p in (1, 2, 3, 4, 7, 10, 13)
    for budget in (None, 2 * p + 2, 64, 301, 2**p)
    if (p <= 10 or budget is None or budget <= 301) and (budget is None or budget >= LEAST[name](p))
    if not (name == "exact" and p > 10)
]


def fresh(name: str, p: int, budget: int | None, seed: int):
    """A plan that no cache has seen."""
    return make_plan.__wrapped__(name, p, budget, seed)


def whole(name: str, p: int) -> list[tuple[str, int, int | None]]:
    """The settings under which an estimator leaves nothing to chance."""
    listed = [("exact", p, None), ("exact", p, 2**p), *((read, p, None) for read in ADJUSTED)]
    return listed + [(paired, p, 2**p + more) for paired in PAIRED for more in (0, 5)]


def test_the_table_holds_what_these_laws_know():
    assert set(ESTIMATORS) == {"exact", "permutation", "kernel", "leverage"} == set(LEAST)
    assert {name for name, _, _ in CASES} == set(ESTIMATORS)
    assert len(CASES) > 60


@pytest.mark.parametrize(("name", "p", "budget"), CASES)
def test_form_and_budget(name, p, budget):
    for seed in SEEDS:
        plan = fresh(name, p, budget, seed)
        m = len(plan.S)
        assert plan.S.shape == (m, p)
        assert plan.S.dtype == bool
        assert plan.W.shape == (p, m)
        assert plan.jackknife.shape[1:] == (p, m)
        assert not plan.S[0].any()
        assert plan.S[-1].all()
        assert not plan.S[1:].all(axis=1)[:-1].any()
        assert plan.S[1:].any(axis=1).all()
        assert len(np.unique(plan.S, axis=0)) == m
        if budget is not None:
            assert m <= budget
        assert np.isfinite(plan.W).all()
        assert plan.exact == (name == "exact" or (m == 2**p and name in PAIRED) or p <= 2)


@pytest.mark.parametrize(("name", "p", "budget"), CASES)
def test_efficiency_of_the_matrix(name, p, budget):
    """1' W = e_grand - e_empty, and so for every matrix of the jackknife."""
    for seed in SEEDS:
        plan = fresh(name, p, budget, seed)
        wanted = np.zeros(len(plan.S))
        wanted[0], wanted[-1] = -1, 1
        assert np.abs(plan.W.sum(axis=0) - wanted).max() <= 1e-12
        if len(plan.jackknife):
            assert np.abs(plan.jackknife.sum(axis=1) - wanted).max() <= 1e-12


@pytest.mark.parametrize(("name", "p", "budget"), CASES)
def test_additive_games_come_back(name, p, budget):
    """v(S) = c + sum of a_j over S  gives  phi = a, whatever was drawn; and the coalition noise of such a game is 0."""
    rng = np.random.default_rng(p)
    a = rng.standard_normal(p) * 10 ** rng.uniform(-2, 2, p)
    for seed in SEEDS:
        plan = fresh(name, p, budget, seed)
        V = 3.7 + plan.S @ a
        assert plan.solve(V) == pytest.approx(a, rel=1e-9, abs=1e-9 * np.abs(a).max())
        if len(plan.jackknife) > 1:
            assert plan.coalition_stderr(V[None]).max() <= 1e-9 * np.abs(a).max()


@pytest.mark.parametrize(("name", "p", "budget"), CASES)
def test_linearity(name, p, budget):
    plan = fresh(name, p, budget, 5)
    V = np.random.default_rng(p).standard_normal((2, 3, len(plan.S)))
    both = plan.solve(2.0 * V[0] - 0.5 * V[1])
    assert both.shape == (3, p)
    assert both == pytest.approx(2.0 * plan.solve(V[0]) - 0.5 * plan.solve(V[1]), abs=1e-10)
    assert plan.solve(V)[1, 2] == pytest.approx(plan.solve(V[1, 2]), abs=1e-12)


def test_a_game_solved_by_hand():
    """Gains of player 0 over the orders 012 021 102 201 120 210: 10 10 20 30 40 40; of 1: 20 20 30 20 30 30 over its
    own; of 2: 30 30 50 30 50 50.
    """
    worth = {(): 0, (0,): 10, (1,): 20, (2,): 30, (0, 1): 40, (0, 2): 60, (1, 2): 50, (0, 1, 2): 90}
    wanted = [25, 25, 40]
    for name in ESTIMATORS:
        plan = fresh(name, 3, None, 0)
        V = np.array([worth[tuple(np.flatnonzero(row).tolist())] for row in plan.S], dtype=float)
        error = np.abs(plan.solve(V) - wanted)
        assert plan.solve(V).sum() == pytest.approx(90, abs=1e-10)
        if name == "permutation":
            assert (error <= 4 * plan.coalition_stderr(V[None])[0]).all()
            assert error.max() < 1.5
        else:
            assert error.max() < 1e-10


@pytest.mark.parametrize("game", [rough, smooth])
@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 6])
def test_agreement_with_all_orders(game, p):
    for seed in (0, 1):
        v = game(p, seed)
        truth = by_orders(v, p)
        assert np.abs(truth).max() > 1e-3
        for args in whole("any", p):
            plan = fresh(*args, seed)
            assert plan.solve(on(v, plan.S)) == pytest.approx(truth, abs=1e-10)
            assert not plan.coalition_stderr(on(v, plan.S)[None]).any()


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("p", [8, 11])
def test_full_regression_equals_exact(name, p):
    exact, kernel = fresh("exact", p, None, 0), fresh(name, p, 2**p, 0)
    v = rough(p, 3)
    assert kernel.exact
    assert kernel.solve(on(v, kernel.S)) == pytest.approx(exact.solve(on(v, exact.S)), abs=1e-10)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_one_and_two_players_are_solved_without_chance(name, p):
    v = rough(p, 0)
    for seed in SEEDS:
        plan = fresh(name, p, None, seed)
        assert len(plan.S) == 2**p
        assert plan.exact
        assert plan.solve(on(v, plan.S)) == pytest.approx(by_orders(v, p), abs=1e-12)
        assert plan.coalition_stderr(on(v, plan.S)[None]).tolist() == [[0.0] * p]


def blind_to(v, i):
    return lambda members: v(members - {i})


def alike(v, i, j):
    """A game in which i and j may be exchanged."""

    def swapped(members):
        return frozenset({i: j, j: i}.get(k, k) for k in members)

    return lambda members: v(members) + v(swapped(members))


def test_dummy_and_symmetry_without_chance():
    p, i, j = 6, 1, 4
    for args in whole("any", p):
        plan = fresh(*args, 0)
        dummy = plan.solve(on(blind_to(rough(p, 2), i), plan.S))
        assert abs(dummy[i]) < 1e-12
        assert np.abs(np.delete(dummy, i)).min() > 1e-3
        phi = plan.solve(on(alike(rough(p, 2), i, j), plan.S))
        assert phi[i] == pytest.approx(phi[j], abs=1e-12)
        assert abs(phi[i] - phi[0]) > 1e-3


def test_dummy_of_permutations_is_0_for_every_seed():
    p, i = 8, 3
    v = blind_to(rough(p, 2), i)
    for seed in range(10):
        plan = fresh("permutation", p, 64, seed)
        phi = plan.solve(on(v, plan.S))
        assert abs(phi[i]) < 1e-12
        assert np.abs(np.delete(phi, i)).min() > 1e-6


@pytest.mark.parametrize("name", SAMPLED)
def test_dummy_and_symmetry_within_the_standard_error(name):
    """What a sample owes: 0 and equality up to the error that it admits, and no lasting side."""
    p, i, j = 8, 1, 4
    idle, twins = blind_to(rough(p, 2), i), alike(rough(p, 2), i, j)
    zero, zero_se, gap, gap_se = [], [], [], []
    for seed in range(80):
        plan = fresh(name, p, 80, seed)
        V = np.stack([on(idle, plan.S), on(twins, plan.S)])
        phi, se = plan.solve(V), plan.coalition_stderr(V)
        zero.append(phi[0, i])
        zero_se.append(se[0, i])
        gap.append(phi[1, i] - phi[1, j])
        gap_se.append(np.hypot(se[1, i], se[1, j]))
    for miss, admitted in ((zero, zero_se), (gap, gap_se)):
        miss, admitted = np.array(miss), np.array(admitted)
        assert np.sqrt((miss**2).mean()) <= 1.5 * np.sqrt((admitted**2).mean()) + 1e-12
        assert abs(miss.mean()) <= 4 * np.sqrt((admitted**2).mean() / len(miss)) + 1e-12
    assert np.std(gap) > 1e-3


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("game", [rough, smooth])
def test_error_falls_with_budget(name, game):
    p = 9
    v = game(p, 0)
    exact = fresh("exact", p, None, 0)
    truth = exact.solve(on(v, exact.S))
    errors = []
    for budget in (32, 96, 288):
        found = [plan.solve(on(v, plan.S)) for plan in (fresh(name, p, budget, seed) for seed in range(25))]
        errors.append(np.sqrt(np.mean((np.array(found) - truth) ** 2)))
    assert errors[1] < 0.8 * errors[0]
    assert errors[2] < 0.8 * errors[1]


@pytest.mark.parametrize(
    ("name", "p", "budget"),
    [
        ("kernel", 8, 64),
        ("kernel", 8, 128),
        ("kernel", 10, 128),
        ("permutation", 8, 128),
        ("permutation", 10, 256),
        ("leverage", 8, 128),
        ("leverage", 10, 128),
    ],
)
@pytest.mark.parametrize("game", [rough, smooth])
def test_coalition_stderr_is_calibrated(name, p, budget, game):
    exact = fresh("exact", p, None, 0)
    value = on(game(p, 4), exact.S)
    truth = exact.solve(value)
    error, admitted = [], []
    for seed in range(200):
        plan = fresh(name, p, budget, seed)
        V = value[plan.S @ (1 << np.arange(p))]
        error.append(plan.solve(V) - truth)
        admitted.append(plan.coalition_stderr(V[None])[0])
    ratio = np.sqrt(np.mean(np.square(error)) / np.mean(np.square(admitted)))
    assert 0.7 <= ratio <= 1.4


@pytest.mark.parametrize("name", ["kernel", "leverage"])
def test_a_size_of_which_one_pair_was_drawn_has_an_error(name):
    """Its mean over pairs drawn is its own: taken off, nothing would be left."""
    for seed in range(20):
        plan = fresh(name, 15, 36, seed)
        value = plan.S[:, :3].all(axis=1).astype(float)  # the first three together
        truth = np.array([1 / 3] * 3 + [0.0] * 12)
        stderr = plan.coalition_stderr(value[None])[0]
        assert np.abs(plan.solve(value) - truth).max() <= 6 * stderr.max()


def test_wide_tables_have_plans_and_fewer_groups():
    """C(1100, 550) is more than a float holds, and 32 matrices of 1100 x 2202 numbers are most of a gigabyte."""
    plan = fresh("kernel", 1100, 2202, 0)
    assert np.abs(plan.W.sum(axis=0)[1:-1]).max() <= 1e-9
    assert fresh("kernel", 500, 4000, 0).jackknife.size <= 1 << 27
    assert len(fresh("kernel", 40, 600, 0).jackknife) == 32


def test_stderr_is_unknown_where_there_are_too_few_groups():
    """One antithetic pair of orders, or only the singletons and their complements: nothing to compare."""
    for name, p, budget in (("permutation", 8, 16), ("kernel", 8, 18)):
        plan = fresh(name, p, budget, 0)
        assert not plan.exact
        assert np.isnan(plan.coalition_stderr(on(rough(p, 0), plan.S)[None])).all()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_one_seed_one_plan(name):
    p, budget = 9, None if name == "exact" else 80
    one, two, other = fresh(name, p, budget, 3), fresh(name, p, budget, 3), fresh(name, p, budget, 4)
    assert one is not two
    for field in ("S", "W", "jackknife"):
        assert getattr(one, field).tobytes() == getattr(two, field).tobytes()
        cached = getattr(make_plan(name, p, budget, 3), field)
        assert cached.tobytes() == getattr(one, field).tobytes()
    same = one.S.shape == other.S.shape and np.array_equal(one.S, other.S)
    assert same == (name == "exact")


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize(("p", "budget"), [(5, 14), (6, 40), (7, 60), (12, 150), (20, None)])
def test_coalitions_come_with_their_complements(name, p, budget):
    for seed in SEEDS:
        S = fresh(name, p, budget, seed).S
        there = {row.tobytes() for row in S}
        assert all((~row).tobytes() in there for row in S)


@hypothesis_settings(max_examples=120)
@given(
    name=st.sampled_from(SAMPLED),
    p=st.integers(1, 16),
    budget=st.integers(2, 400),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_budget_either_fits_or_says_so(name, p, budget, seed):
    if budget < LEAST[name](p):
        with pytest.raises(BudgetError):
            fresh(name, p, budget, seed)
        return
    plan = fresh(name, p, budget, seed)
    assert len(np.unique(plan.S, axis=0)) == len(plan.S) <= budget
    a = np.random.default_rng(seed).standard_normal(p)
    assert plan.solve(plan.S @ a) == pytest.approx(a, abs=1e-9)
    wanted = np.zeros(len(plan.S))
    wanted[0], wanted[-1] = -1, 1
    assert np.abs(plan.W.sum(axis=0) - wanted).max() <= 1e-12


@hypothesis_settings(max_examples=40)
@given(name=st.sampled_from(PAIRED), p=st.integers(3, 12), budget=st.integers(8, 1200), seed=st.integers(0, 999))
def test_paired_plans_spend_what_they_were_given(name, p, budget, seed):
    """All of it, up to the one coalition that has no partner, and never more than there are."""
    assume(budget >= 2 * p + 2)
    assert len(fresh(name, p, budget, seed).S) >= min(budget - 1, 2**p)


@pytest.mark.parametrize(("p", "budget"), [(16, 800), (17, 800), (12, 600)])
def test_kernel_shares_the_budget_by_kernel_mass(p, budget):
    """Sizes that are not complete hold coalitions in proportion to 1/(k (p-k)), the middle size included."""
    size = fresh("kernel", p, budget, 0).S.sum(axis=1)
    count = np.bincount(size, minlength=p + 1)
    assert count.tolist() == count[::-1].tolist()
    assert count[1] == p
    k = np.array([k for k in range(1, p) if count[k] < comb(p, k)])
    assert len(k) >= 4
    wanted = 1 / (k * (p - k))
    assert np.abs(count[k] - wanted / wanted.sum() * count[k].sum()).max() <= 3


@pytest.mark.parametrize(("p", "budget"), [(12, 600), (16, 800), (17, 800)])
def test_leverage_shares_the_budget_equally(p, budget):
    """Sizes that are not complete hold as many coalitions each; the middle size is its own complement."""
    size = fresh("leverage", p, budget, 0).S.sum(axis=1)
    count = np.bincount(size, minlength=p + 1)
    assert count.tolist() == count[::-1].tolist()
    k = np.array([k for k in range(1, p) if count[k] < comb(p, k)])
    assert len(k) >= 4
    assert np.ptp(count[k]) <= 2
    assert count[1] == p


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize(("p", "budget"), [(6, 14), (8, 18), (10, 22)])
def test_pairs_alone_determine_additive_games(name, p, budget):
    """In the smallest plans too, the differences v(S) - v(S^c) tell every a_j without the sum that efficiency gives:
    plans that need it err by twice as much.
    """
    for seed in range(150):
        S = fresh(name, p, budget, seed).S[1:-1]
        assert np.linalg.matrix_rank(np.where(S, 1, -1)) == p


def test_permutation_spends_what_duplicates_leave():
    """With few players most prefixes come again; the orders go on until the budget is full."""
    for p, budget in ((8, 128), (10, 300), (12, 512), (20, 600)):
        spent = [len(fresh("permutation", p, budget, seed).S) for seed in SEEDS]
        assert min(spent) > budget - 2 * p
        assert max(spent) <= budget


def test_permutation_has_no_lasting_side_when_it_is_topped_up():
    p, budget = 6, 30
    v = rough(p, 1)
    exact = fresh("exact", p, None, 0)
    truth = exact.solve(on(v, exact.S))
    value = on(v, exact.S)
    found = []
    for seed in range(1500):
        plan = fresh("permutation", p, budget, seed)
        found.append(plan.solve(value[plan.S @ (1 << np.arange(p))]))
    off = np.mean(found, axis=0) - truth
    assert (np.abs(off) <= 4 * np.std(found, axis=0) / np.sqrt(len(found))).all()


def test_budget_errors_say_what_to_do():
    for args, text in (
        (("exact", 15, None), r"exact needs 2^15 coalitions; the limit is 14 players: use estimator='kernel'"),
        (("exact", 4, 15), "exact needs 16 coalitions for 4 players, budget is 15: use estimator='kernel'"),
        (("permutation", 6, 11), "permutation needs a budget of at least 12 coalitions for 6 players, got 11"),
        (("permutation", 2, 3), "permutation needs a budget of at least 4 coalitions for 2 players, got 3"),
        (("leverage", 6, 13), "leverage needs a budget of at least 14 coalitions for 6 players, got 13"),
        (("auto", 6, 13), "kernel needs a budget of at least 14 coalitions for 6 players, got 13"),
        (("kernel", 6, 13), "kernel needs a budget of at least 14 coalitions for 6 players, got 13"),
        (("kernel", 6, 1), "it is at least 2; got 1"),
    ):
        with pytest.raises(BudgetError, match=re.escape(text)):
            make_plan(*args)


def test_the_least_budget_named_for_two_players_is_one_that_works():
    with pytest.raises(BudgetError) as caught:
        make_plan("kernel", 2, 3)
    named = int(re.search(r"at least (\d+)", str(caught.value)).group(1))
    assert named == 4
    assert make_plan("kernel", 2, named).exact


@pytest.mark.parametrize(
    ("name", "p"), [("kernel", 300), ("leverage", 300), ("permutation", 300), ("permutation", 600)]
)
def test_the_default_budget_grows_with_the_players(name, p):
    """`budget=None` means: by the number of players. So it never is too small."""
    plan = fresh(name, p, None, 0)
    assert plan.solve(plan.S.sum(axis=1) * 1.0) == pytest.approx(np.ones(p), abs=1e-8)


def test_auto_enumerates_while_it_is_cheap():
    for p, budget, wanted in (
        (10, None, "exact"),
        (11, None, "auto"),
        (11, 2048, "exact"),
        (MAX_EXACT_PLAYERS + 1, 2**16, "auto"),
        (6, 63, "auto"),
        (6, 64, "exact"),
    ):
        assert make_plan("auto", p, budget).estimator == wanted
    with pytest.raises(
        InputError, match=r"unknown estimator 'best': use one of auto, .*, exact, permutation, kernel, leverage"
    ):
        make_plan("best", 3)
    with pytest.raises(InputError, match="no features"):
        make_plan("exact", 0)


@pytest.mark.parametrize("name", SAMPLED)
def test_twenty_players_all_in_use_all_get_something(name):
    p = 20
    v = smooth(p, 0)
    plan = fresh(name, p, None, 0)
    phi = plan.solve(on(v, plan.S))
    assert np.isfinite(phi).all()
    assert (phi != 0).all()
    assert (plan.W != 0).any(axis=1).all()
    full, empty = frozenset(range(p)), frozenset()
    assert phi.sum() == pytest.approx(v(full) - v(empty), abs=1e-9)


@pytest.mark.parametrize(("p", "budget"), [(6, 14), (7, 16)])
def test_so_few_pairs_as_there_are_players_still_tell_them_apart(p, budget):
    """Of some draws p pairs leave a player undetermined: another plan is made then."""
    weights = np.arange(1.0, p + 1)
    for seed in range(16):
        plan = make_plan.__wrapped__("leverage", p, budget, seed)
        size = plan.S.sum(axis=1)
        assert np.linalg.matrix_rank(np.where(plan.S[(size > 0) & (size < p)], 1, -1)) == p
        assert plan.solve(plan.S @ weights) == pytest.approx(weights, abs=1e-9)
