"""The mixture's density and draws against dense formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp, ndtri
from scipy.stats import multivariate_normal

from ascribe.core import mixture
from ascribe.core.mixture import Mixture
from ascribe.core.noise import plain_points, sobol_points


def a_mixture(m: int, c: int, n: int, rank: int, seed: int = 0) -> Mixture:
    rng = np.random.default_rng(seed)
    return Mixture(
        rng.standard_normal((m, c)),
        2 * rng.standard_normal((m, c, n)),
        rng.uniform(0.05, 2, (m, c, n)),
        rng.standard_normal((m, c, n, rank)),
    )


def component(q: Mixture, k: int, j: int) -> tuple[np.ndarray, np.ndarray]:
    return q.mean[k, j], q.factor[k, j] @ q.factor[k, j].T + np.diag(q.diag[k, j])


@pytest.mark.parametrize(("c", "rank"), [(1, 1), (3, 2), (4, 5)])
def test_log_density_is_that_of_the_dense_hidden_block(c, rank):
    m, n = 40, 6
    q = a_mixture(m, c, n, rank)
    rng = np.random.default_rng(1)
    hidden = rng.random((m, n)) < np.linspace(0, 1, m)[:, None]
    z = 2 * rng.standard_normal((m, n))
    found = q.log_density(z, hidden)
    assert set(hidden.sum(axis=1)) >= {0, 1, 3, 6}
    for k, u in enumerate(hidden):
        if not u.any():
            assert found[k] == pytest.approx(0, abs=1e-12)
            continue
        terms = []
        for j in range(c):
            mean, cov = component(q, k, j)
            dense = multivariate_normal(mean[u], cov[np.ix_(u, u)])
            terms.append(np.log(q.weights[k, j]) + dense.logpdf(z[k, u]))
        assert found[k] == pytest.approx(logsumexp(terms), abs=1e-10)


def test_the_normaliser_counts_hidden_features_only():
    """Standard normal at its mean: log q = -|u|/2 log 2 pi."""
    n = 5
    hidden = np.tri(n + 1, n, -1, dtype=bool)  # 0, 1, ..., n hidden
    q = Mixture(np.zeros((n + 1, 1)), np.zeros((n + 1, 1, n)), np.ones((n + 1, 1, n)), np.zeros((n + 1, 1, n, 2)))
    wanted = -np.arange(n + 1) / 2 * np.log(2 * np.pi)
    assert q.log_density(np.zeros((n + 1, n)), hidden) == pytest.approx(wanted, abs=1e-12)


def test_density_of_one_hidden_feature_integrates_to_1():
    q = a_mixture(1, 3, 4, 2)
    grid = np.linspace(-25, 25, 20001)
    wide = Mixture(*(np.repeat(part, len(grid), axis=0) for part in (q.logits, q.mean, q.diag, q.factor)))
    z = np.zeros((len(grid), 4))
    z[:, 2] = grid
    hidden = np.tile([False, False, True, False], (len(grid), 1))
    assert np.trapezoid(np.exp(wide.log_density(z, hidden)), grid) == pytest.approx(1, abs=1e-8)


def test_observed_coordinates_do_not_matter():
    """Neither what the head says of them nor what stands in their cells, NaN included."""
    m, c, n = 12, 3, 5
    q = a_mixture(m, c, n, 2)
    rng = np.random.default_rng(2)
    hidden = rng.random((m, n)) < 0.5
    z = rng.standard_normal((m, n))
    before = q.log_density(z, hidden)
    seen = ~hidden[:, None, :]
    other = replace(
        q,
        mean=np.where(seen, 1e3, q.mean),
        diag=np.where(seen, 7.0, q.diag),
        factor=np.where(seen[..., None], -5.0, q.factor),
    )
    assert other.log_density(z, hidden).tobytes() == before.tobytes()
    for junk in (np.nan, 1e6, -np.inf):
        assert q.log_density(np.where(hidden, z, junk), hidden).tobytes() == before.tobytes()
    moved = replace(q, mean=q.mean + 0.1)
    assert (moved.log_density(z, hidden) != before)[hidden.any(axis=1)].all()


@pytest.mark.parametrize("c", [1, 3, 10])
def test_draws_have_the_moments_of_the_mixture(c):
    m, n, rank = 3, 4, 2
    q = a_mixture(m, c, n, rank, seed=3)
    z = q.draw(sobol_points(1 << 15, 1 + rank + n, 0))
    assert z.shape == (m, 1 << 15, n)
    told_mean, told_variance = q.moments()
    for k in range(m):
        parts = [component(q, k, j) for j in range(c)]
        mean = sum(w * mu for w, (mu, _) in zip(q.weights[k], parts, strict=True))
        second = sum(w * (C + np.outer(mu, mu)) for w, (mu, C) in zip(q.weights[k], parts, strict=True))
        cov = second - np.outer(mean, mean)
        assert told_mean[k] == pytest.approx(mean, abs=1e-12)
        assert told_variance[k] == pytest.approx(np.diag(cov), abs=1e-10)
        scale = np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
        assert np.abs(z[k].mean(axis=0) - mean).max() < 0.03 * np.sqrt(np.diag(cov)).max()
        assert np.abs((np.cov(z[k].T) - cov) / scale).max() < 0.04


def test_components_are_chosen_in_proportion():
    """Three far-apart spikes, .2 .3 .5: the share of draws near each, and the first number alone decides."""
    q = Mixture(
        np.log([[0.2, 0.3, 0.5]]),
        np.array([[[-100.0], [0.0], [100.0]]]),
        np.full((1, 3, 1), 0.01),
        np.zeros((1, 3, 1, 1)),
    )
    z = q.draw(sobol_points(1024, 3, 0))[0, :, 0]
    shares = [(z < -50).mean(), (np.abs(z) < 50).mean(), (z > 50).mean()]
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=0.01)
    edges = q.draw(np.array([[1e-7, 0.5, 0.5], [0.19, 0.5, 0.5], [0.21, 0.5, 0.5], [1 - 1e-7, 0.5, 0.5]]))[0, :, 0]
    assert edges == pytest.approx([-100, -100, 0, 100], abs=1e-6)


def test_far_and_narrow_laws_come_back():
    """N(-3, .1^2) and N(5, 2^2): a head that cannot leave [0, 1] would fail here."""
    q = Mixture(np.zeros((1, 1)), np.array([[[-3.0, 5.0]]]), np.array([[[0.01, 4.0]]]), np.zeros((1, 1, 2, 1)))
    z = q.draw(sobol_points(4096, 4, 0))[0]
    assert z.mean(axis=0) == pytest.approx([-3, 5], rel=0.01)
    assert z.std(axis=0) == pytest.approx([0.1, 2], rel=0.02)


def test_same_noise_same_draws_and_single_precision_stays():
    q = a_mixture(2, 3, 4, 2)
    noise = sobol_points(64, 7, 0)
    assert q.draw(noise).tobytes() == q.draw(noise).tobytes()
    small = Mixture(*(part.astype(np.float32) for part in (q.logits, q.mean, q.diag, q.factor)))
    assert small.draw(noise).dtype == np.float32
    assert small.draw(noise) == pytest.approx(q.draw(noise), abs=1e-4)


@pytest.mark.parametrize(("c", "rank"), [(1, 1), (3, 2), (8, 3), (12, 4)])
def test_many_components_draw_as_few_do(monkeypatch, c, rank):
    """Above `FEW` each draw gathers its own component's factors; below, all noise goes through each component."""
    q, noise = a_mixture(4, c, 5, rank), plain_points(200, 1 + rank + 5, 1)
    single = Mixture(*(part.astype(np.float32) for part in (q.logits, q.mean, q.diag, q.factor)))
    found = {}
    for few in (0, 99):
        monkeypatch.setattr(mixture, "FEW", few)
        found[few] = q.draw(noise), single.draw(noise)
    assert found[0][0] == pytest.approx(found[99][0], abs=1e-12)
    assert found[0][1] == pytest.approx(found[99][1], abs=1e-5)
    assert found[0][1].dtype == found[99][1].dtype == np.float32
    j = (noise[:, 0] > np.cumsum(q.weights[2])[:-1, None]).sum(axis=0)
    normal = ndtri(noise[:, 1:])
    by_hand = [
        q.mean[2, at] + q.factor[2, at] @ e[:rank] + np.sqrt(q.diag[2, at]) * e[rank:]
        for at, e in zip(j, normal, strict=True)
    ]
    assert found[0][0][2] == pytest.approx(np.array(by_hand), abs=1e-12)
    assert len(set(j.tolist())) == c


def test_component_weights_are_a_softmax_taken_once():
    """They sum to one, and a shift of all logits changes nothing (P9)."""
    rng = np.random.default_rng(8)
    logits, mean = rng.standard_normal((5, 3)), rng.standard_normal((5, 3, 2))
    one, shifted = (Mixture(logits + c, mean, np.ones((5, 3, 2)), np.zeros((5, 3, 2, 1))) for c in (0.0, 7.0))
    assert one.weights.sum(axis=1) == pytest.approx(1)
    assert one.weights == pytest.approx(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    assert shifted.weights == pytest.approx(one.weights)
    z, hidden = rng.standard_normal((5, 2)), np.ones((5, 2), bool)
    assert shifted.log_density(z, hidden) == pytest.approx(one.log_density(z, hidden))
