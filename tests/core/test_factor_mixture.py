"""The closed-form conditionals against dense Gaussians, and against the network's form of the same mixture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ascribe.core.energy import EmShap
from ascribe.core.factor_mixture import FactorMixture
from ascribe.core.scaling import Scores

SIZES = pytest.mark.parametrize(("c", "n", "rank"), [(1, 1, 1), (1, 3, 1), (3, 5, 2), (4, 6, 6), (2, 12, 4)])


def a_mixture(c: int, n: int, rank: int, seed: int = 0) -> FactorMixture:
    rng = np.random.default_rng([seed, c, n])
    pi = rng.dirichlet(np.full(c, 3.0))
    return FactorMixture(
        np.log(pi), 1.5 * rng.standard_normal((c, n)), rng.uniform(0.05, 1, (c, n)),
        0.8 * rng.standard_normal((c, n, rank)),
    )  # fmt: skip


def asked(rows: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and coalitions; none and all observed are the first two."""
    rng = np.random.default_rng([1, n])
    S = rng.random((rows, n)) < rng.random((rows, 1))
    S[0], S[1] = False, True
    return 1.5 * rng.standard_normal((rows, n)), S


def covariance(mixture: FactorMixture) -> np.ndarray:
    F = mixture.loading
    return F @ np.swapaxes(F, 1, 2) + np.stack([np.diag(d) for d in mixture.psi])


@SIZES
def test_conditionals_are_those_of_dense_gaussians(c, n, rank):
    """Weights by the observed marginal; hidden mean mu_u + C_uS C_SS^-1 (z_S - mu_S), covariance C_uu - C_uS C_SS^-1
    C_Su, here as factor and diagonal.
    """
    mixture, (z, S) = a_mixture(c, n, rank), asked(30, n)
    C, q = covariance(mixture), mixture(z, S)
    assert q.logits.shape == (30, c)
    assert q.factor.shape == (30, c, n, rank)
    for k, (row, seen) in enumerate(zip(z, S, strict=True)):
        u = ~seen
        told = np.log(q.weights[k])
        log_weight = mixture.log_pi.copy()
        for j in range(c):
            if seen.any():
                dense = multivariate_normal(mixture.mu[j, seen], C[j][np.ix_(seen, seen)])
                log_weight[j] += dense.logpdf(row[seen])
            to = np.linalg.solve(C[j][np.ix_(seen, seen)], C[j][np.ix_(seen, u)]).T
            left = C[j][np.ix_(u, u)] - to @ C[j][np.ix_(seen, u)]
            F = q.factor[k, j, u].astype(float)
            assert q.mean[k, j, u] == pytest.approx(mixture.mu[j, u] + to @ (row[seen] - mixture.mu[j, seen]), abs=1e-5)
            assert F @ F.T + np.diag(q.diag[k, j, u]) == pytest.approx(left, abs=1e-5)
        assert told == pytest.approx(log_weight - logsumexp(log_weight), abs=1e-8, rel=1e-8)


def test_nothing_observed_is_the_mixture_itself():
    mixture = a_mixture(3, 5, 2)
    q = mixture(np.full((1, 5), np.nan), np.zeros((1, 5), bool))
    assert np.log(q.weights[0]) == pytest.approx(mixture.log_pi, abs=1e-12)
    assert q.mean[0] == pytest.approx(mixture.mu, abs=1e-6)
    F = q.factor[0].astype(float)
    assert F @ np.swapaxes(F, 1, 2) == pytest.approx(mixture.loading @ np.swapaxes(mixture.loading, 1, 2), abs=1e-5)
    assert q.diag[0] == pytest.approx(mixture.psi, abs=1e-6)


@SIZES
def test_hidden_cells_change_no_bit(c, n, rank):
    mixture, (z, S) = a_mixture(c, n, rank), asked(20, n)
    clean = mixture(z, S)
    for junk in (np.nan, np.inf, 1e9):
        soiled = mixture(np.where(S, z, junk), S)
        for part in ("logits", "mean", "diag", "factor"):
            assert np.isfinite(getattr(soiled, part)).all()
            assert getattr(soiled, part).tobytes() == getattr(clean, part).tobytes()


@pytest.mark.parametrize(("c", "n", "rank"), [(1, 3, 1), (3, 5, 2), (4, 6, 6)])
def test_it_is_the_mixture_that_torch_fits(c, n, rank):
    torch = pytest.importorskip("torch")
    from ascribe.train.emshap.factor_mixture import FactorMixture as Trained

    ours, (z, S) = a_mixture(c, n, rank), asked(40, n)
    theirs = Trained(np.exp(ours.log_pi), ours.mu, ours.psi, ours.loading)
    same = FactorMixture.of({name: held.numpy() for name, held in theirs.named_buffers()})  # as it goes into a file
    q = same(z, S)
    told = [part.double().numpy() for part in theirs(torch.as_tensor(z, dtype=torch.float32), torch.as_tensor(S))]
    logits = q.logits - logsumexp(q.logits, axis=1, keepdims=True)
    hidden = np.broadcast_to(~S[:, None], q.mean.shape)
    assert logits == pytest.approx(told[0], abs=5e-4, rel=1e-4)
    for found, wanted in zip((q.mean, q.diag, q.factor), told[1:], strict=True):
        assert found[hidden] == pytest.approx(wanted[hidden], abs=5e-4, rel=1e-4)


def test_the_constants_of_a_coalition_do_not_know_the_row():
    """mean = mu + G white r and the logits from `log_norm`, for rows that share one coalition."""
    mixture, (z, S) = a_mixture(3, 5, 2), asked(12, 5)
    for seen in S[:6]:
        one = mixture.regression(seen[None])
        q = mixture(z, np.broadcast_to(seen, z.shape))
        r = np.where(seen, z[:, None] - mixture.mu, 0.0)
        white = np.einsum("cln,bcn->bcl", one.white[0], r)
        assert not one.white[0][..., ~seen].any()
        assert q.mean == pytest.approx(mixture.mu + np.einsum("cnl,bcl->bcn", one.G[0], white), abs=1e-5)
        logits = one.log_norm[0] - 0.5 * ((r**2 / mixture.psi).sum(axis=2) - (white**2).sum(axis=2))
        assert q.logits == pytest.approx(logits, abs=1e-10)


def test_a_row_alone_is_the_row_in_a_batch():
    mixture, (z, S) = a_mixture(3, 5, 2), asked(20, 5)
    whole = mixture(z, S)
    for k in (0, 1, 13):
        alone = mixture(z[k : k + 1], S[k : k + 1])
        for part in ("logits", "mean", "diag", "factor"):
            assert getattr(alone, part)[0] == pytest.approx(getattr(whole, part)[k], rel=1e-5, abs=1e-6)


def test_it_comes_back_from_its_arrays_and_says_what_is_missing():
    mixture = a_mixture(3, 5, 2)
    held = mixture.arrays()
    assert set(held) == {"log_pi", "mu", "psi", "loading"}
    back = FactorMixture.of({name: value.astype(np.float32) for name, value in held.items()})
    assert all(getattr(back, name).dtype == float for name in held)
    assert back.mu == pytest.approx(mixture.mu, abs=1e-6)
    del held["psi"]
    with pytest.raises(KeyError, match="psi"):
        FactorMixture.of(held)


def test_it_stands_as_the_proposal_of_an_energy_model():
    """Completions in natural units have the conditional mean that a single Gaussian has by hand."""
    n = 3
    table = np.array([[10.0], [0.0], [-5.0]]) + np.array([[2.0], [0.5], [4.0]]) * np.linspace(-4, 4, 129)
    mixture = FactorMixture(np.zeros(1), np.zeros((1, n)), np.full((1, n), 0.2), np.full((1, n, 1), np.sqrt(0.8)))
    law = EmShap(Scores(table.astype(np.float32)), mixture, None, 1, np.zeros((1, n)), quasi=True)
    x = np.array([12.0, np.nan, np.nan])  # a score of 1; the others follow at 0.8
    Z, log_weight = law.complete(x, np.array([[True, False, False]]), law.noise(1 << 12, 0))
    assert log_weight is None
    assert (Z[0, :, 0] == 12.0).all()
    assert Z[0, :, 1:].mean(axis=0) == pytest.approx([0.8 * 0.5, -5 + 0.8 * 4], abs=0.02)
