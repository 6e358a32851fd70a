"""The control variate: its mean is the law's own, it never moves an answer, and it takes noise out where it can."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ascribe.core.coalitions import all_coalitions
from ascribe.core.conditional import Gaussian
from ascribe.core.control import Control, fit_control
from ascribe.core.energy import EmShap
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.games import ConditionalGame
from ascribe.core.mixture import Mixture
from ascribe.core.model import Model
from ascribe.core.noise import plain_points
from ascribe.core.options import Options
from ascribe.core.scaling import REACH, Scores

N, RANK = 4, 2


def a_control(n: int, cubic: bool, seed: int = 0) -> Control:
    rng = np.random.default_rng(seed)
    A, T = rng.standard_normal((n, n)), rng.standard_normal((n, n, n))
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    T = sum(T.transpose(order) for order in orders) / 6
    return Control(rng.standard_normal(n), (A + A.T) / 2, T if cubic else None, 0.0)


def a_mixture(m: int, c: int, n: int, rank: int, seed: int = 1) -> Mixture:
    rng = np.random.default_rng(seed)
    return Mixture(
        rng.standard_normal((m, c)), rng.standard_normal((m, c, n)), rng.uniform(0.1, 1, (m, c, n)),
        0.7 * rng.standard_normal((m, c, n, rank)),
    )  # fmt: skip


def hidden_at_random(m: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Coalitions, nothing and everything observed among them, and what is known: 0 where hidden."""
    rng = np.random.default_rng(2)
    S = rng.random((m, n)) < 0.5
    S[0], S[1] = False, True
    return S, np.where(S, rng.standard_normal((m, n)), 0.0)


def by_hand(h: Control, z: np.ndarray) -> float:
    """The polynomial, one monomial after another."""
    n = len(z)
    found = sum(h.b[i] * z[i] for i in range(n)) + sum(h.A[i, j] * z[i] * z[j] for i, j in product(range(n), repeat=2))
    if h.T is not None:
        found += sum(h.T[i, j, k] * z[i] * z[j] * z[k] for i, j, k in product(range(n), repeat=3))
    return float(found)


cubic_or_not = pytest.mark.parametrize("cubic", [True, False], ids=["cubic", "quadratic"])


@cubic_or_not
def test_h_is_its_polynomial(cubic):
    h, z = a_control(3, cubic), np.random.default_rng(0).standard_normal((2, 5, 3))
    found = h.at(z)
    assert found.shape == (2, 5)
    wanted = [[by_hand(h, row) for row in part] for part in z]
    assert found == pytest.approx(np.array(wanted), abs=1e-12)
    assert h.at(z[0, 0]) == pytest.approx(wanted[0][0], abs=1e-12)
    assert h.at(z.astype(np.float32)).dtype == np.float64


@cubic_or_not
@pytest.mark.parametrize(("c", "rank"), [(1, 1), (3, 2), (9, 4)])
def test_the_mean_is_that_of_gaussian_moments(cubic, c, rank):
    """E z_i z_j = m_i m_j + C_ij and E z_i z_j z_k = m_i m_j m_k + m_i C_jk + m_j C_ik + m_k C_ij, component-wise."""
    n, m = 5, 12
    h, q = a_control(n, cubic), a_mixture(m, c, n, rank)
    S, known = hidden_at_random(m, n)
    wanted = np.zeros(m)
    for k, j in product(range(m), range(c)):
        u = ~S[k]
        mean = np.where(u, q.mean[k, j], known[k])
        C = (q.factor[k, j] @ q.factor[k, j].T + np.diag(q.diag[k, j])) * np.outer(u, u)
        total = h.b @ mean + (h.A * (np.outer(mean, mean) + C)).sum()
        if h.T is not None:
            third = np.einsum("i,j,k->ijk", mean, mean, mean)
            third += np.einsum("i,jk->ijk", mean, C) + np.einsum("j,ik->ijk", mean, C) + np.einsum("k,ij->ijk", mean, C)
            total += (h.T * third).sum()
        wanted[k] += q.weights[k, j] * total
    assert h.mean(q, known, S) == pytest.approx(wanted, abs=1e-10)
    assert h.mean(q, known, S)[1] == pytest.approx(h.at(known[1]), abs=1e-12)  # everything observed


@cubic_or_not
def test_the_mean_is_that_of_many_draws(cubic):
    n, m, s = 5, 8, 1 << 16
    h, q = a_control(n, cubic), a_mixture(m, 3, n, 2)
    S, known = hidden_at_random(m, n)
    z = np.where(S[:, None], known[:, None], q.draw(plain_points(s, 1 + 2 + n, 0)))
    drawn = h.at(z)
    error = drawn.std(axis=1) / np.sqrt(s)
    assert (np.abs(drawn.mean(axis=1) - h.mean(q, known, S)) <= 4.5 * error + 1e-9).all()
    assert np.ptp(h.mean(q, known, S)) > 20 * error.max()


def test_what_the_mixture_says_of_observed_features_does_not_matter():
    n, m = 5, 8
    h, q = a_control(n, True), a_mixture(m, 3, n, 2)
    S, known = hidden_at_random(m, n)
    seen = S[:, None, :]
    spoilt = Mixture(
        q.logits, np.where(seen, np.nan, q.mean), np.where(seen, np.nan, q.diag),
        np.where(seen[..., None], np.nan, q.factor),
    )  # fmt: skip
    assert h.mean(spoilt, known, S).tobytes() == h.mean(q, known, S).tobytes()


# A law with a mixture that depends on what is observed, and functions that a polynomial follows more or less.


def proposal(rows: np.ndarray, observed: np.ndarray) -> Mixture:
    n = rows.shape[1]
    seen = np.concatenate([rows, observed], axis=1).astype(float)
    rng = np.random.default_rng(7)

    def head(*shape: int) -> np.ndarray:
        return np.tanh(seen @ rng.standard_normal((2 * n, int(np.prod(shape)))) / 3).reshape(len(rows), *shape)

    return Mixture(head(2), head(2, n), 0.3 * np.exp(head(2, n)), 0.5 * head(2, n, RANK))


def a_law(n: int = N, **more) -> EmShap:
    straight = Scores(np.tile(np.linspace(-REACH, REACH, 129, dtype=np.float32), (n, 1)))
    return EmShap(straight, proposal, None, RANK, np.random.default_rng(0).standard_normal((300, n)), **more)


def cubic(Z: np.ndarray) -> np.ndarray:
    return 3 + Z[:, 0] - 2 * Z[:, 1] * Z[:, 2] + 0.3 * Z[:, 3] ** 3 + Z[:, 0] * Z[:, 1] * Z[:, 3]


def kinked(Z: np.ndarray) -> np.ndarray:
    return np.maximum(Z[:, 0] + Z[:, 1], 0.3) + (Z[:, 2] > 0.2) * Z[:, 3]


LAW, S = a_law(), all_coalitions(N)
X = np.array([[0.5, -1.0, 0.25, 1.5], [1.0, 2.0, -0.5, 0.0]])


@pytest.mark.parametrize(("f", "leaves"), [(cubic, 0.02), (kinked, 0.5)])
def test_it_takes_out_noise_and_no_bias(f, leaves):
    """Over 300 seeds: the mean is that of many plain completions, the spread a fraction, and the stated error is it."""
    control = fit_control(f, LAW)
    assert control is not None
    assert control.left < leaves
    games = [ConditionalGame(f, LAW, 12, 0, 0.0, control=c) for c in (None, control)]
    runs = [
        [ConditionalGame(f, LAW, 12, k, 0.0, control=g.control).values(X[0], S[:-1]) for k in range(300)] for g in games
    ]
    plain, less = (np.array([r.v for r in run]) for run in runs)
    truth = ConditionalGame(f, a_law(quasi=True), 1 << 15, 0, 0.0).values(X[0], S[:-1]).v
    z = (less.mean(axis=0) - truth) / (less.std(axis=0, ddof=1) / np.sqrt(300) + 2e-3)
    assert np.abs(z).max() < 4.5
    ratio = less.var(axis=0) / plain.var(axis=0)
    assert np.median(ratio) < 2 * leaves
    admitted = np.mean([r.replicates.var(axis=1, ddof=1) / 12 for r in runs[1]], axis=0)
    assert np.median(less.var(axis=0) / admitted) == pytest.approx(1, abs=0.25)


def test_a_control_that_is_wrong_adds_noise_and_no_bias():
    """Any polynomial will do for the mean: unbiasedness does not rest on the fit."""
    wrong = a_control(N, True)
    found = np.array(
        [ConditionalGame(cubic, LAW, 12, k, 0.0, control=wrong).values(X[0], S[:-1]).v for k in range(400)]
    )
    truth = ConditionalGame(cubic, a_law(quasi=True), 1 << 15, 0, 0.0).values(X[0], S[:-1]).v
    z = (found.mean(axis=0) - truth) / (found.std(axis=0, ddof=1) / np.sqrt(400) + 2e-3)
    assert np.abs(z).max() < 4.5


def test_weights_and_a_control_go_together():
    """Tilted by a x0: the jackknife's replicates less h - E h; the mean is that of the tilted law."""

    def tilt(z, observed):
        return np.tanh(-0.6 * z[:, 0]).astype(np.float32)

    law = a_law()
    tilted = EmShap(law.scores, proposal, tilt, RANK, law.background, "energy")
    exact = EmShap(law.scores, proposal, tilt, RANK, law.background, "energy", quasi=True)
    control = fit_control(cubic, tilted)
    found = np.array([
        ConditionalGame(cubic, tilted, 64, k, 0.0, control=control).values(X[0], S[:-1]).v for k in range(200)
    ])  # fmt: skip
    truth = ConditionalGame(cubic, exact, 1 << 15, 0, 0.0).values(X[0], S[:-1]).v
    untilted = ConditionalGame(cubic, a_law(quasi=True), 1 << 15, 0, 0.0).values(X[0], S[:-1]).v
    gap = np.abs(found.mean(axis=0) - truth)
    assert (gap <= 4.5 * found.std(axis=0) / np.sqrt(200) + 0.01).all()
    assert np.abs(untilted - truth).max() > 5 * gap.max()
    without = np.array([ConditionalGame(cubic, tilted, 64, k, 0.0).values(X[0], S[:-1]).v for k in range(200)])
    assert np.median(found.var(axis=0) / without.var(axis=0)) < 0.6


def test_no_control_where_it_cannot_be_or_is_not_worth_it():
    rows = LAW.background
    assert fit_control(cubic, Gaussian.fit(rows)) is None  # says no scores
    assert fit_control(lambda Z: np.full(len(Z), 2.0), LAW) is None  # nothing to explain
    assert fit_control(lambda Z: np.sin(500 * Z.sum(axis=1)), LAW) is None  # nothing that a polynomial can follow
    assert fit_control(lambda Z: np.where(Z[:, 0] > 1, np.nan, Z[:, 1]), LAW) is None
    assert fit_control(cubic, LAW) is not None


@pytest.mark.parametrize(("n", "degree"), [(12, 3), (13, 2), (41, 1)])
def test_the_degree_falls_with_the_number_of_features(n, degree):
    control = fit_control(lambda Z: Z[:, 0] + Z[:, 1] ** 2 + 0.1 * Z[:, 2] * Z[:, 3], a_law(n))
    assert control is not None
    assert control.left < 0.2
    assert (control.T is not None) == (degree == 3)
    assert control.A.tolist() == control.A.T.tolist()
    diagonal = not (control.A - np.diag(np.diag(control.A))).any()
    assert diagonal == (degree == 1)


def test_the_same_seed_gives_the_same_control():
    one, two, other = (fit_control(cubic, LAW, seed) for seed in (0, 0, 1))
    assert one.b.tobytes() == two.b.tobytes()
    assert one.T.tobytes() == two.T.tobytes()
    assert one.b.tobytes() != other.b.tobytes()


@pytest.mark.parametrize("junk", [np.nan, 1e6, -np.inf])
def test_hidden_cells_change_no_bit(junk):
    game = ConditionalGame(cubic, LAW, 16, 0, 0.0, control=fit_control(cubic, LAW))
    for observed in S[:-1]:
        clean, soiled = (game.values(x, observed[None]) for x in (X[0], np.where(observed, X[0], junk)))
        assert np.isfinite(clean.replicates).all()
        assert clean.replicates.tobytes() == soiled.replicates.tobytes()
        assert clean.v.tobytes() == soiled.v.tobytes()


def test_a_row_alone_is_the_row_in_a_batch():
    names = tuple(Feature(name) for name in "abcd")
    control = fit_control(cubic, LAW)
    plain, less = (Model(names, cubic, conditional=LAW, control=c) for c in (None, control))
    batch = explain(less, X, options=Options(samples=16))
    assert np.abs(batch.values.sum(axis=1) - (batch.prediction - batch.base_value)).max() < 1e-9
    for i in range(2):
        alone = explain(less, X[i : i + 1], options=Options(samples=16))
        assert alone.values[0].tobytes() == batch.values[i].tobytes()
        assert alone.stderr[0].tobytes() == batch.stderr[i].tobytes()
    assert (batch.stderr < 0.5 * explain(plain, X, options=Options(samples=16)).stderr).all()
