"""The surrogate learns conditional means, sees nothing hidden, and its graph is its network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ascribe.core.judge import random_coalitions
from ascribe.core.surrogate import Surrogate
from ascribe.train.families.surrogate import SurrogateFit, SurrogateOptions, fit_surrogate
from ascribe.train.loop import Loop
from ascribe.train.values.surrogate import export_surrogate, open_surrogate

torch.set_num_threads(1)

RHO, MEAN, WEIGHTS = 0.7, np.array([5.0, -2.0, 100.0]), np.array([3.0, 1.0, -2.0])
SMALL = SurrogateOptions(
    width=48, blocks=2, ramps=4, decay=0.99, loop=Loop(epochs=14, batch=256, lr=4e-3, weight_decay=1e-3, patience=14)
)
TINY = SurrogateOptions(width=8, blocks=1, ramps=2, loop=Loop(epochs=1, batch=2048))


def gaussian(rows: int, seed: int = 0) -> np.ndarray:
    """Equicorrelated, variance 1."""
    rng = np.random.default_rng(seed)
    shared = np.sqrt(RHO) * rng.standard_normal((rows, 1))
    return MEAN + shared + np.sqrt(1 - RHO) * rng.standard_normal((rows, 3))


def linear(X: np.ndarray) -> np.ndarray:
    return 50 + X @ WEIGHTS


def conditional_mean(x: np.ndarray, S: np.ndarray) -> np.ndarray:
    """E[f | x_S]: a hidden feature has mean RHO/(1 + (k - 1) RHO) sum_S (x - mean), k observed."""
    d = x - MEAN
    pull = np.array([RHO / (1 + (s.sum() - 1) * RHO) * d[s].sum() if s.any() else 0.0 for s in S])
    return linear(MEAN[None])[0] + (np.where(S, d, pull[:, None]) * WEIGHTS).sum(axis=1)


@pytest.fixture(scope="module")
def fitted() -> tuple[np.ndarray, SurrogateFit, Surrogate]:
    """Rows, what is learnt of them, and its graph as it is served."""
    X = gaussian(3000)
    fit = fit_surrogate(linear, X, 0, options=SMALL)
    return X, fit, open_surrogate(export_surrogate(fit), fit)


def test_of_a_linear_model_on_gaussian_rows_it_is_the_conditional_mean(fitted):
    X, fit, surrogate = fitted
    S = random_coalitions(3, 60, np.random.default_rng(1))
    new = gaussian(60, 9)
    wanted = np.array([conditional_mean(x, S) for x in new])
    found = np.array([surrogate.value(x, S) for x in new])
    unknown = linear(X).var()
    assert ((found - wanted) ** 2).mean() < 0.01 * unknown
    assert fit.history.best < 0.65  # of the variance of f is what no masked row tells
    empty = surrogate.value(new[0], np.zeros((1, 3), bool))[0]
    assert empty == pytest.approx(linear(X).mean(), abs=0.15 * np.sqrt(unknown))


def test_held_rows_are_those_asked_for():
    X = gaussian(200)
    held = np.arange(0, 200, 10)
    seen = []

    def watched(rows: np.ndarray) -> np.ndarray:
        seen.append(rows)
        return linear(rows)

    fit = fit_surrogate(watched, X, 0, held=held, options=TINY)
    assert fit.held is held
    assert len(seen) == 1  # f is asked once, of rows as they are
    kept = np.setdiff1d(np.arange(200), held)
    assert float(fit.network.mean) == pytest.approx(linear(X[kept]).mean(), rel=1e-6)
    far = X.copy()
    far[held] += 0.1  # other held rows: the same weights of a single epoch
    again = fit_surrogate(linear, far, 0, scores=fit.scores, held=held, options=TINY)
    for one, two in zip(fit.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, two)


def test_hidden_cells_never_enter_network_nor_graph(fitted):
    _, fit, graph = fitted
    rng = np.random.default_rng(2)
    Z, S = rng.standard_normal((40, 3)).astype(np.float32), rng.random((40, 3)) < 0.5
    soiled = np.where(S, Z, np.float32("nan"))
    with torch.no_grad():
        clean, dirty = (fit.network(torch.as_tensor(z), torch.as_tensor(S)) for z in (Z, soiled))
    assert torch.equal(clean, dirty)
    assert graph.network(Z, S).tobytes() == graph.network(soiled, S).tobytes()
    told = graph.network(np.where(S, -Z, Z), S)
    assert np.abs(told - graph.network(Z, S)).max() > 0.1  # what is observed does


def test_the_graph_is_the_network_and_has_the_unit_of_f(fitted):
    X, fit, graph = fitted
    rng = np.random.default_rng(3)
    for rows in (1, 7, 3000):
        Z, S = rng.standard_normal((rows, 3)).astype(np.float32), rng.random((rows, 3)) < 0.5
        with torch.no_grad():
            told = fit.network(torch.as_tensor(Z), torch.as_tensor(S)).numpy()
        assert graph.network(Z, S) == pytest.approx(told, rel=1e-4, abs=1e-3)
    assert graph.value(X[0], np.ones((1, 3), bool))[0] == pytest.approx(linear(X[:1])[0], abs=1.0)


def test_one_seed_one_surrogate_and_a_constant_model_is_no_obstacle():
    X = gaussian(300)
    one, two = (export_surrogate(fit_surrogate(linear, X, 3, options=TINY)) for _ in range(2))
    assert one == two
    flat = fit_surrogate(lambda rows: np.full(len(rows), 7.0), X, 0, options=TINY)
    assert np.isfinite(open_surrogate(export_surrogate(flat), flat).value(X[0], np.eye(3, dtype=bool))).all()
