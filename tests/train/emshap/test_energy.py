"""An energy that acts, is bounded and weighs as it says (pitfalls P5, P6, P13, P14, P16)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ascribe.core.energy import EmShap
from ascribe.core.games import ConditionalGame
from ascribe.core.mixture import Mixture
from ascribe.train.emshap.networks import Tilt
from ascribe.train.families.emshap import fit_emshap
from ascribe.train.loop import Loop

from ..worlds import TINY, crossed, stages

# P5, P6: an energy that acts, and is bounded


@pytest.fixture(scope="module")
def tilted():
    """x1 = +-x0: each conditional has two modes, the proposal is a single Gaussian."""
    options = replace(
        TINY, components=1, encoder=None, energy_width=32, energy_blocks=2, draws=8,
        energy_loop=Loop(epochs=12, batch=256, lr=5e-3, patience=12),
    )  # fmt: skip
    X = crossed(4000)[:, :2]
    return X, fit_emshap(X, 0, options=options)


def opened(fit, weighting: str = "energy") -> EmShap:
    """The networks themselves behind the interface that serves."""

    def run_proposal(Z, S):
        with torch.no_grad():
            return Mixture(*(part.numpy() for part in fit.proposal(torch.as_tensor(Z), torch.as_tensor(S))))

    def run_tilt(Z, S):
        with torch.no_grad():
            return fit.tilt(torch.as_tensor(Z), torch.as_tensor(S.copy())).numpy()

    n = fit.proposal.n
    return EmShap(fit.scores, run_proposal, run_tilt, fit.proposal.rank, np.zeros((2, n)), weighting)


def test_the_energy_learns_what_a_wrong_proposal_cannot(tilted):
    X, fit = tilted
    gain, error = fit.gain
    assert gain > 5 * error > 0
    assert gain > 0.2  # nats a row
    score = torch.as_tensor(fit.scores.forward(X))
    with torch.no_grad():
        t = fit.tilt(score, torch.zeros_like(score, dtype=torch.bool))
    assert t.abs().max() <= fit.tilt.tau
    assert t.min() < -0.95 * fit.tilt.tau  # what is likely
    assert t.max() > 0.95 * fit.tilt.tau  # what is not


def test_the_energy_moves_the_value_towards_the_truth(tilted):
    """f = (x1^2 - x0^2)^2 / 100 on standardised x is about 0 on the data, far from 0 under independence."""
    X, fit = tilted
    mean, sd = X.mean(axis=0), X.std(axis=0)

    def f(Z: np.ndarray) -> np.ndarray:
        z = (Z - mean) / sd
        return (z[:, 1] ** 2 - z[:, 0] ** 2) ** 2

    values = {}
    for weighting in ("proposal", "energy"):
        law = opened(fit, weighting)
        values[weighting] = ConditionalGame(f, law, 2048, 0, 0.0).values(X[0], np.zeros((1, 2), bool)).v[0]
    truth = f(X).mean()
    assert truth < 0.2
    assert values["energy"] < 0.75 * values["proposal"]
    assert values["energy"] > truth  # tau bounds what it may do


@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_a_constant_tilt_weighs_all_draws_exactly_alike(served, bias):
    tilt = Tilt(4, 8, 1, 1.0)
    torch.nn.init.constant_(tilt.leave.bias, bias)
    law = opened(replace(served.fit, tilt=tilt))
    S = np.random.default_rng(0).random((8, 4)) < 0.5
    _, log_weight = law.draw(served.X[:3], S, 32, np.random.default_rng(0))
    assert len(np.unique(log_weight)) == 1
    assert log_weight[0, 0, 0] == pytest.approx(-math.tanh(bias), abs=1e-6)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_the_tilt_is_bounded_and_so_is_the_loss_of_draws(served, tau):
    torch.manual_seed(1)
    tilt = Tilt(4, 8, 1, tau)
    torch.nn.init.normal_(tilt.leave.weight, 0, 100)
    law = opened(replace(served.fit, tilt=tilt))
    S = np.random.default_rng(0).random((8, 4)) < 0.5
    _, log_weight = law.draw(served.X[:10], S, 32, np.random.default_rng(0))
    assert np.abs(log_weight).max() <= np.float32(tau)
    assert np.abs(log_weight).max() > 0.99 * tau
    w = np.exp(log_weight)
    ess = w.sum(axis=2) ** 2 / (w**2).sum(axis=2) / 32
    assert ess.min() >= 1 / math.cosh(tau) ** 2 - 1e-6
    assert ess.min() < 0.999


# P13: training and inference see the same


def test_training_and_serving_give_the_network_the_same_bytes(served):
    fit, seen = served.fit, []
    hook = fit.proposal.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numpy().tobytes()))
    S = np.random.default_rng(0).random((6, 4)) < 0.5
    x = served.X[3]
    with torch.no_grad():  # as the training loop calls it: the whole row, hidden cells and all
        whole = torch.as_tensor(fit.scores.forward(np.repeat(x[None], 6, axis=0)))
        fit.proposal(whole, torch.as_tensor(S))
    law = opened(fit)
    law.complete(x, S, law.noise(8, 0))
    hook.remove()
    assert len(seen) == 2
    assert seen[0] == seen[1]


# P14: the normaliser


@pytest.mark.parametrize("draws", [1, 4, 20, 64])
def test_a_constant_tilt_has_log_z_of_its_own_negative(monkeypatch, draws):
    _, second, fit = stages(monkeypatch, crossed(400), draws=draws)
    assert fit.gain == pytest.approx((0, 0), abs=1e-6)
    for bias in (0.0, 0.7, -2.0):
        torch.nn.init.constant_(second.network.leave.bias, bias)
        assert second.loss(np.arange(100), 0.5).item() == pytest.approx(0, abs=1e-6)
        assert second.validate() == pytest.approx(0, abs=1e-6)


# P16: weights weigh


def test_two_values_weighed_one_to_four(served):
    """Draws with x0 above its middle weigh four times those below: v is the mean under exactly those weights."""
    law = replace(served.law, tilt=lambda Z, S: np.where(Z[:, 0] > 0, -np.log(4.0), 0.0))
    S = np.zeros((1, 4), bool)
    Z, log_weight = law.complete(served.X[0], S, law.noise(2048, 0))
    above = np.exp(log_weight[0]) > 2
    f = lambda Z: (law.scores.forward(Z)[:, 0] > 0).astype(float)  # noqa: E731
    found = ConditionalGame(f, law, 2048, 0, 0.0).values(served.X[0], S).v[0]
    share = 4 * above.sum() / (4 * above.sum() + (~above).sum())
    assert found == pytest.approx(share, abs=0.01)
    assert share == pytest.approx(0.8, abs=0.06)
    assert not np.allclose(found, f(Z[0, :1]))  # not the first draw
