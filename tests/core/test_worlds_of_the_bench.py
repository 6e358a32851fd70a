"""The bench's truths, by brute force: closed forms against samples of the world itself and against its exact sampler.

For any g and h:  E[g(X) h(X_S)] = E[E[g | X_S] h(X_S)], which needs rows of the world only.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.functions import Terms, gam, least_squares, linear, steps
from benchmarks.accuracy.settings import SETTINGS
from benchmarks.accuracy.truth import coalitions, kept_values, shapley_matrix, true_values, values_by_completions
from benchmarks.accuracy.worlds import Burr, BurrResponse, Hyperbolic, clusters, gaussian, mixed, twins

from .worlds import Quadratic, conditional_truth, equicorrelated, shapley_of


def small_burr() -> tuple[Burr, BurrResponse]:
    r, b = np.array([4.0, 3, 5, 2, 5]), np.array([5.0, 4, 6, 5, 3])
    return Burr("burr5", 1.5, r, b), BurrResponse(1.5, r, b, np.array([[1.2, 0.7, 1.5]]))


def small_hyperbolic() -> Hyperbolic:
    sigma = np.array([[1.0, 0.3, 0], [0.3, 2, 0.5], [0, 0.5, 1]])
    return Hyperbolic("hyperbolic3", 1.0, 0.5, np.array([0.5, 0, -1]), sigma, np.array([0.3, 0.2, 0.1]))


CASES = {
    "gaussian": (gaussian(4, 0.5), gam(4)),
    "twins": (twins(1.0), linear(3)),
    "clusters": (clusters(4), gam(4)),
    "mixed": (mixed(), gam(7)),
    "hyperbolic": (small_hyperbolic(), Terms(np.array([0.5, -1.0, 0.7]), cosine=True)),
    "burr_linear": (small_burr()[0], linear(5)),
    "burr_response": small_burr(),
}
each = pytest.mark.parametrize(("world", "f"), CASES.values(), ids=CASES)


def some_coalitions(n: int) -> np.ndarray:
    S = coalitions(n)[1:-1]
    return S[np.linspace(0, len(S) - 1, min(8, len(S))).astype(int)]


@each
def test_closed_forms_are_the_worlds_own(world, f):
    """Against tests h of x_S: 1, the first observed feature, a bounded function of the last."""
    X = world.sample(100 if isinstance(f, BurrResponse) else 1500, 0)
    S = some_coalitions(world.n)
    V = np.vstack([world.expected(f, X[i : i + 50], S) for i in range(0, len(X), 50)])
    for k, observed in enumerate(S):
        seen = np.flatnonzero(observed)
        gap = f(X) - V[:, k]
        for h in (np.ones(len(X)), np.tanh(X[:, seen[0]]), np.cos(X[:, seen[-1]])):
            z = (gap * h).mean() / ((gap * h).std() / np.sqrt(len(X)))
            assert abs(z) < 4.5


@each
def test_the_exact_sampler_has_the_closed_forms_mean(world, f):
    X, S = world.sample(3, 1), some_coalitions(world.n)
    V = world.expected(f, X, S)
    quasi, plain = (world.law(X, quasi=kind) for kind in (True, False))
    found = values_by_completions(f, quasi, X, S, quasi.noise(4096, 0))
    assert np.abs(found - V).max() < 0.02 * max(1.0, np.abs(V).max())
    Z, weight = plain.complete(X[0], S, plain.noise(1000, 0))
    assert weight is None
    draws = f(Z.reshape(-1, world.n)).reshape(len(S), -1)
    assert (np.abs(draws.mean(axis=1) - V[0]) < 5 * draws.std(axis=1) / np.sqrt(1000) + 1e-4).all()
    assert (np.where(S[:, None], Z, X[0]) == X[0]).all()


@each
def test_exact_samplers_do_not_look_at_hidden_cells(world, f):
    X, S = world.sample(1, 2), some_coalitions(world.n)
    law = world.law(X)
    noise = law.noise(8, 0)
    for observed in S:
        clean, _ = law.complete(X[0], observed[None], noise)
        soiled, _ = law.complete(np.where(observed, X[0], np.nan), observed[None], noise)
        assert np.isfinite(clean).all()
        assert clean.tobytes() == soiled.tobytes()


def test_gaussian_truth_is_the_tests_own():
    """Through the precision matrix and all orders, sharing no code with the bench."""
    n, world = 4, gaussian(4, 0.6)
    f = Terms(np.array([1.0, -0.5, 0.3, 2.0]), intercept=0.7)
    same = Quadratic(f.beta, np.zeros((n, n)))
    X = world.sample(3, 0)
    V = np.column_stack([np.full(3, 0.7), true_values(world, f, X, 64), f(X)])
    expected = [conditional_truth(same, np.zeros(n), equicorrelated(n, 0.6), x) for x in X]
    assert pytest.approx(np.array(expected), abs=1e-10) == V @ shapley_matrix(n).T


def test_shapley_matrix_is_the_mean_over_orders():
    v = np.random.default_rng(0).standard_normal(16)
    place = {S.tobytes(): value for S, value in zip(coalitions(4), v, strict=True)}
    assert shapley_matrix(4) @ v == pytest.approx(shapley_of(lambda S: place[S.tobytes()], 4), abs=1e-12)


def test_mixed_world_by_counting():
    """Rows that agree on the codes: the mean of the others is the closed form, and impossible codes never appear."""
    world = mixed()
    X = world.sample(60_000, 3)
    f = Terms(np.arange(1.0, 8.0))
    S = np.arange(7) < 2
    x = X[:1]
    alike = (X[:, :2] == x[0, :2]).all(axis=1)
    counted = f(X[alike])
    assert world.expected(f, x, S[None])[0, 0] == pytest.approx(
        counted.mean(), abs=5 * counted.std() / len(counted) ** 0.5
    )
    Z, _ = world.law(X[:1]).complete(x[0], S[None], world.law(X[:1]).noise(500, 0))
    assert {tuple(code) for code in Z[0, :, :3]} <= {tuple(code) for code in world.mean[:, :3]}


def test_published_functions():
    assert steps(np.array([[-0.5, 3.9, -0.1, 2.0, 4.0, 4.1, 0.0, -2.1, 9.0, 7.0]])).tolist() == [
        -1 + 2 - 1 + 1 + 4 + 1 + 0 - 4 + 1
    ]
    X = np.random.default_rng(0).standard_normal((50, 3))
    assert least_squares(X, X @ [1.0, 2.0, 3.0] + 4).beta == pytest.approx([1, 2, 3])


def test_settings_have_names_of_their_own_and_functions_that_run():
    names = [s.name for s in SETTINGS]
    assert len(set(names)) == len(names)
    assert {"gaussian8_rho50", "gaussian10_rho90", "clusters8", "mixed7", "burr10"} <= set(names)
    assert {"A10_rho50", "B10_rho90", "D10", "E3_c10", "F3_c3"} <= set(names)
    for s in SETTINGS:
        X = s.explicands(5)
        for make in list(s.functions.values())[:2]:
            assert make(s.world(), s.training(50))(X).shape == (5,)


def test_truth_is_kept_and_of_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.accuracy.truth.CACHE", tmp_path)
    world, f = gaussian(3, 0.5), linear(3)
    X = world.sample(4, 0)
    first = kept_values("name", world, f, X, 64)
    monkeypatch.setattr("benchmarks.accuracy.truth.true_values", lambda *_: np.zeros((4, 6)))
    assert kept_values("name", world, f, X, 64).tobytes() == first.tobytes()
    assert not kept_values("name", world, f, X + 1, 64).any()  # other rows: not what is kept
