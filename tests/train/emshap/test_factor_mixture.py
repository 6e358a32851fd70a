"""A mixture of factor analysers: every conditional against dense Gaussian algebra."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ascribe.bundle.sessions import session
from ascribe.train.emshap.factor_mixture import (
    FLOOR,
    MOST_COMPONENTS,
    FactorMixture,
    _whitener,
    components_within,
    factors,
    fit_factor_mixture,
)
from ascribe.train.graphs.export import to_onnx

HEADS = ["logits", "mean", "diag", "factor"]


def a_mixture(c: int, n: int, rank: int, seed: int = 0) -> FactorMixture:
    rng = np.random.default_rng(seed)
    return FactorMixture(
        rng.dirichlet(np.full(c, 3.0)), 1.5 * rng.standard_normal((c, n)), rng.uniform(0.05, 1, (c, n)),
        0.8 * rng.standard_normal((c, n, rank)),
    )  # fmt: skip


def asked(rows: int, n: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and masks, none and all observed among them."""
    rng = np.random.default_rng(seed)
    S = rng.random((rows, n)) < rng.random((rows, 1))
    S[0], S[1] = False, True
    return torch.as_tensor(1.5 * rng.standard_normal((rows, n)), dtype=torch.float32), torch.as_tensor(S)


def dense(mixture: FactorMixture) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and covariances, in double precision."""
    F, D = (part.double().numpy() for part in (mixture.loading, mixture.psi))
    covariance = np.einsum("cil,cjl->cij", F, F) + np.einsum("ci,ij->cij", D, np.eye(D.shape[1]))
    return np.exp(mixture.log_pi.double().numpy()), mixture.mu.double().numpy(), covariance


@pytest.mark.parametrize(("c", "n", "rank"), [(1, 3, 1), (3, 5, 2), (5, 6, 6), (2, 20, 8)])
def test_conditionals_are_those_of_dense_gaussians(c, n, rank):
    """Posterior weights by the observed marginal; hidden mean mu_u + C_uS C_SS^-1 (x_S - mu_S), covariance
    C_uu - C_uS C_SS^-1 C_Su, here of factor and diagonal.
    """
    mixture, (score, observed) = a_mixture(c, n, rank), asked(40, n)
    pi, mu, C = dense(mixture)
    logits, mean, diag, factor = (part.double().numpy() for part in mixture(score, observed))
    assert (logits.shape, factor.shape) == ((40, c), (40, c, n, rank))
    for k, (z, S) in enumerate(zip(score.double().numpy(), observed.numpy(), strict=True)):
        u = ~S
        log_weight = np.log(pi)
        if S.any():
            log_weight = log_weight + [multivariate_normal(mu[j][S], C[j][np.ix_(S, S)]).logpdf(z[S]) for j in range(c)]
        assert logits[k] == pytest.approx(log_weight - logsumexp(log_weight), abs=2e-4, rel=1e-4)
        for j in range(c if u.any() else 0):
            to = np.linalg.solve(C[j][np.ix_(S, S)], C[j][np.ix_(S, u)]).T
            left = C[j][np.ix_(u, u)] - to @ C[j][np.ix_(S, u)]
            found = factor[k, j][u] @ factor[k, j][u].T + np.diag(diag[k, j][u])
            assert mean[k, j][u] == pytest.approx(mu[j][u] + to @ (z[S] - mu[j][S]), abs=5e-4)
            assert found == pytest.approx(left, abs=5e-4)


@pytest.mark.parametrize("junk", [float("nan"), 1e6, float("inf"), -float("inf")])
def test_hidden_cells_change_no_bit(junk):
    mixture, (score, observed) = a_mixture(3, 5, 2), asked(30, 5)
    clean, soiled = mixture(score, observed), mixture(torch.where(observed, score, junk), observed)
    assert all(torch.isfinite(part).all() for part in clean)
    assert all(torch.equal(a, b) for a, b in zip(clean, soiled, strict=True))
    other = mixture(torch.where(observed, score + 0.1, score), observed)
    assert not torch.equal(other[1][2:], clean[1][2:])


def test_a_row_alone_is_the_row_in_a_batch():
    mixture, (score, observed) = a_mixture(3, 5, 2), asked(30, 5)
    whole = mixture(score, observed)
    for k in (0, 1, 17):
        alone = mixture(score[k : k + 1], observed[k : k + 1])
        assert all((a[0] - w[k]).abs().max() < 1e-5 for a, w in zip(alone, whole, strict=True))


@pytest.mark.parametrize("l", [1, 2, 5, 8])
def test_the_whitener_is_the_inverse_of_the_cholesky_factor(l):  # noqa: E741 - the page's letter for the rank
    A = np.random.default_rng(l).standard_normal((4, 3, l, l + 2))
    M = A @ np.swapaxes(A, 2, 3)
    L = np.linalg.cholesky(np.eye(l) + M)
    inverse, log_det = _whitener(torch.as_tensor(M), torch.eye(l, dtype=torch.float64))
    assert inverse.numpy() == pytest.approx(np.linalg.inv(L), abs=1e-10)
    assert log_det.numpy() == pytest.approx(2 * np.log(np.diagonal(L, axis1=2, axis2=3)).sum(axis=-1), abs=1e-10)


def test_a_covariance_of_few_factors_comes_back():
    rng = np.random.default_rng(0)
    F, D = rng.standard_normal((8, 2)), rng.uniform(0.2, 1, 8)
    C = F @ F.T + np.diag(D)
    found_D, found_F = factors(C, 2)
    assert found_F @ found_F.T + np.diag(found_D) == pytest.approx(C, abs=0.02)
    assert (found_D > 0).all()
    singular = np.ones((4, 4))  # features that determine one another: the floor keeps the diagonal positive
    D, F = factors(singular, 1)
    assert (FLOOR / 2 <= D).all()
    assert F @ F.T + np.diag(D) == pytest.approx(singular, abs=2 * FLOOR)


def test_three_components_are_recovered():
    rng = np.random.default_rng(0)
    truth = FactorMixture(
        np.array([0.2, 0.3, 0.5]), np.array([[-3.0, 0, 2, 0], [3, 1, 0, -2], [0, -3, -2, 3]]),
        np.full((3, 4), 0.3), 0.6 * rng.standard_normal((3, 4, 1)),
    )  # fmt: skip
    pi, mu, C = dense(truth)
    Z = np.concatenate([rng.multivariate_normal(mu[j], C[j], round(4000 * pi[j])) for j in range(3)])
    found = fit_factor_mixture(rng.permutation(Z), 3, 2, 0)
    got_pi, got_mu, got_C = dense(found)
    order = [int(np.abs(got_mu - m).sum(axis=1).argmin()) for m in mu]
    assert sorted(order) == [0, 1, 2]
    assert got_pi[order] == pytest.approx(pi, abs=0.02)
    assert got_mu[order] == pytest.approx(mu, abs=0.1)
    assert np.abs(got_C[order] - C).max() < 0.12


def test_far_and_narrow_laws_come_back():
    rng = np.random.default_rng(0)
    found = fit_factor_mixture(
        np.column_stack([-3 + 0.2 * rng.standard_normal(2000), 5 + 2 * rng.standard_normal(2000)]), 1, 8, 0
    )
    _, mu, C = dense(found)
    assert found.rank == 2  # never more factors than features
    assert mu[0] == pytest.approx([-3, 5], rel=0.03)
    assert np.sqrt(np.diag(C[0])) == pytest.approx([0.2, 2], rel=0.06)


def test_the_same_seed_gives_the_same_mixture():
    Z = np.random.default_rng(0).standard_normal((300, 3))
    one, two, other = (fit_factor_mixture(Z, 3, 2, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_components_leave_each_enough_rows():
    assert components_within(20, 8) == [1]
    assert components_within(1000, 4) == [1, 2, 4, 8, 16]
    assert components_within(10**7, 4)[-1] == MOST_COMPONENTS == 64
    assert components_within(10**7, 100) == [1, 2, 4]  # 640 cells of components x features
    assert components_within(10**7, 1000) == [1]


@pytest.mark.parametrize(("c", "rank"), [(1, 1), (3, 4)])
def test_the_graph_is_the_mixture(c, rank):
    mixture, (score, observed) = a_mixture(c, 5, rank), asked(8, 5)
    graph = to_onnx(mixture, {"score": score, "observed": observed}, HEADS)
    for rows in (1, 33):
        z, S = asked(max(rows, 2), 5, seed=rows)
        z, S = z[:rows], S[:rows]
        found = session(graph, "mixture").run(HEADS, {"score": z.numpy(), "observed": S.numpy()})
        for got, told in zip(found, mixture(z, S), strict=True):
            assert np.abs(got - told.numpy()).max() <= 1e-5 * max(1, told.abs().max())
        soiled = np.where(S.numpy(), z.numpy(), np.float32("nan"))
        again = session(graph, "mixture").run(HEADS, {"score": soiled, "observed": S.numpy()})
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found, again, strict=True))
