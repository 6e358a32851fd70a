"""EmSHAP in training: no leak, no dependence between rows, honest densities, a bounded energy (pitfalls P2-P17)."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from ascribe.core.energy import EmShap
from ascribe.core.errors import InputError
from ascribe.core.games import ConditionalGame
from ascribe.core.mixture import Mixture
from ascribe.train.emshap import conditional, scored_rows
from ascribe.train.emshap.conditional import fit_conditional
from ascribe.train.emshap.densities import log_q
from ascribe.train.emshap.encoders import ENCODERS
from ascribe.train.emshap.factor_mixture import FactorMixture, fit_factor_mixture
from ascribe.train.emshap.networks import REACH, Proposal, Tilt
from ascribe.train.emshap.shared_scale import fit_shared_scale
from ascribe.train.families.emshap import fit_emshap
from ascribe.train.loop import Loop, train

from ..worlds import TINY, crossed, stages, stirred

N = 5
JUNK = [math.nan, 1e6, -1e6, math.inf]
every_encoder = pytest.mark.parametrize("encoder", ENCODERS)


def a_mixture(n: int = N, c: int = 2, rank: int = 2) -> FactorMixture:
    rng = np.random.default_rng(0)
    return FactorMixture(
        np.full(c, 1 / c), rng.standard_normal((c, n)), rng.uniform(0.2, 1, (c, n)), rng.standard_normal((c, n, rank))
    )


def proposal(encoder: str | None = "gru", mixture: FactorMixture | None = None, seed: int = 0) -> Proposal:
    """As it starts: its correction says nothing yet."""
    torch.manual_seed(seed)
    return Proposal(mixture or a_mixture(), encoder, hidden=8, embedding=3).eval()


def batch(rows: int = 40, n: int = N, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    score = torch.randn(rows, n, generator=generator)
    observed = torch.rand(rows, n, generator=generator) < 0.5
    observed[0], observed[1] = False, True
    return score, observed


# The network corrects a mixture


@every_encoder
def test_the_proposal_starts_as_the_mixture(encoder):
    network, (score, observed) = proposal(encoder), batch()
    logits, mean, diag, factor = network(score, observed)
    told = network.mixture(score, observed)
    assert torch.equal(logits, told[0])
    assert torch.equal(mean, told[1])
    assert torch.equal(diag, told[2] + 1e-5)  # what keeps a narrowed variance positive
    assert torch.equal(factor, told[3])
    plain = proposal(None)(score, observed)
    assert all(torch.equal(a, b) for a, b in zip(plain, told, strict=True))


@every_encoder
def test_a_correction_moves_every_part_within_its_reach(encoder):
    """Means anywhere, logits and log-variances by at most `REACH`; the mixture itself is not trained."""
    network, (score, observed) = stirred(proposal(encoder), 30.0), batch()
    told = network.mixture(score, observed)
    logits, mean, diag, factor = network(score, observed)
    assert (mean - told[1]).abs().max() > REACH
    for change in (logits - told[0], ((diag - 1e-5) / told[2]).log(), (factor / told[3]).abs().log()):
        assert 0.9 * REACH < change.abs().max() <= REACH + 1e-3
    assert not list(network.mixture.parameters())
    assert not any(part.requires_grad for part in told)


def test_the_correction_is_affine_in_the_state_of_the_encoder():
    network, (score, observed) = stirred(proposal()), batch()
    states: list[torch.Tensor] = []
    network.encoder.register_forward_hook(lambda *called: states.append(called[2]))
    logits, mean, diag, factor = network(score, observed)
    told = network.mixture(score, observed)
    by_hand = [states[0] @ head.weight.T + head.bias for head in (network.logits, network.shift)]
    assert torch.allclose(logits, told[0] + 3 * torch.tanh(by_hand[0] / 3), atol=1e-5)
    assert torch.allclose(mean, told[1] + by_hand[1].view(mean.shape), atol=1e-5)
    for part, old, head in ((diag - 1e-5, told[2], network.widen), (factor, told[3], network.stretch)):
        change = (3 * torch.tanh((states[0] @ head.weight.T + head.bias) / 3)).exp().view(mean.shape)
        assert torch.allclose(part, old * (change if part is not factor else change.unsqueeze(-1)), atol=1e-5)


def test_the_encoder_reads_what_is_known_and_what_the_mixture_says_of_the_rest():
    """[score or mean, variance or 0, embedding, observed] of the mixture's conditional, feature by feature."""
    network, (score, observed) = proposal(), batch()
    seen: list[torch.Tensor] = []
    network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    head = network(score, observed)
    mean, variance = Mixture(*(part.detach().numpy() for part in network.mixture(score, observed))).moments()
    S = observed.numpy()
    steps = seen[0].detach().numpy()
    assert len(head) == 4
    assert steps.shape == (40, N, 3 + 3)
    assert steps[..., 0] == pytest.approx(np.where(S, score.numpy(), mean), abs=1e-4)
    assert steps[..., 1] == pytest.approx(np.where(S, 0, variance), abs=1e-4)
    assert (steps[..., 2:5] == network.embedding.detach().numpy()).all()
    assert (steps[..., 5] == S).all()


def test_the_order_of_features_does_not_matter_to_a_set():
    """Features, their embeddings and their places in the heads are permuted: so is the answer, and nothing else."""
    order = [3, 0, 4, 1, 2]
    score, observed = batch()
    for encoder in ENCODERS:
        network = stirred(proposal(encoder))
        m = network.mixture
        turned = FactorMixture(
            *(part.numpy() for part in (m.log_pi.exp(), m.mu[:, order], m.psi[:, order], m.loading[:, order]))
        )
        other = proposal(encoder, turned)
        state = network.state_dict() | {f"mixture.{k}": v for k, v in turned.state_dict().items()}
        state["embedding"] = network.embedding[order]
        for name in ("shift", "widen", "stretch"):
            for k in ("weight", "bias"):
                held = state[f"{name}.{k}"]
                state[f"{name}.{k}"] = held.view(network.c, N, -1)[:, order].reshape(held.shape)
        other.load_state_dict(state)
        told, found = network(score, observed), other(score[:, order], observed[:, order])
        gap = max(
            (found[0] - told[0]).abs().max(),
            *((f - t[:, :, order]).abs().max() for t, f in zip(told[1:], found[1:], strict=True)),
        )
        assert gap < 1e-4 if encoder == "set" else gap > 1e-2, encoder


def gaussian(rows: int, n: int = 4, seed: int = 0) -> np.ndarray:
    C = np.full((n, n), 0.6) + 0.4 * np.eye(n)
    return 10 + np.random.default_rng(seed).multivariate_normal(np.zeros(n), C, rows)


def test_a_gaussian_table_keeps_one_component_and_no_network():
    fit = fit_emshap(gaussian(1200), 0, options=replace(TINY, components=None, rank=8, steps=60))
    assert fit.proposal.c == 1
    assert fit.proposal.encoder is None
    assert fit.correction[0] <= 2 * fit.correction[1]
    assert abs(fit.gain[0]) < 0.02
    score = torch.as_tensor(fit.scores.forward(gaussian(5)))
    mean = fit.proposal(score, torch.tensor([[True, True, True, False]] * 5))[1][:, 0, 3]
    wanted = score[:, :3].sum(dim=1) * 0.6 / (1 + 2 * 0.6)  # C_uS C_SS^-1 of an equicorrelated law
    assert (mean - wanted).abs().max() < 0.15


def test_clusters_get_components_and_no_more_than_allowed():
    rng = np.random.default_rng(0)
    X = np.repeat([[0.0, 0, 0], [6, 6, -6], [-6, 6, 6], [6, -6, 6]], 300, axis=0) + rng.standard_normal((1200, 3))
    few, free = (fit_emshap(X, 0, options=replace(TINY, components=c, encoder=None, rank=3)) for c in (2, None))
    assert few.proposal.c == 2
    assert free.proposal.c >= 4
    assert free.proposal_history.best < few.proposal_history.best - 0.3
    assert free.correction == few.correction == (0.0, 0.0)


def test_a_row_far_out_widens_what_is_hidden_where_tails_are_shared():
    """x = sqrt(W) e: E[x_u^2 | x_S] grows with |x_S|^2, by no network, of a mixture fitted on every row."""
    rng = np.random.default_rng(0)
    X = np.exp(0.7 * rng.standard_normal((1200, 1))) * rng.standard_normal((1200, 4))
    fit = fit_emshap(X, 0, options=replace(TINY, components=None, rank=4))
    assert fit.proposal.encoder is None
    again = fit_shared_scale(fit.scores.forward(X), 8, 4).state_dict()
    assert all(torch.equal(part, again[name]) for name, part in fit.proposal.mixture.state_dict().items())
    score = torch.as_tensor(fit.scores.forward(np.array([[0.3, 0.3, 0, 0], [4.0, 0.3, 0, 0], [-4.0, 4.0, 0, 0]])))
    with torch.no_grad():
        head = fit.proposal(score, torch.tensor([[True, True, False, False]] * 3))
    mean, variance = Mixture(*(part.numpy() for part in head)).moments()
    sd = np.sqrt(variance[:, 2:].mean(axis=1))
    assert (np.diff(sd) > 0.3 * sd[0]).all()
    assert np.abs(mean[:, 2:]).max() < 0.3


@every_encoder
def test_every_encoder_learns_what_the_mixture_cannot_say(encoder):
    """x1 = x0^2 + noise and a single Gaussian: the correction is kept, its gain in nats a row far beyond chance."""
    rng = np.random.default_rng(0)
    x0 = rng.standard_normal(1500)
    X = np.column_stack([x0, x0**2 + 0.3 * rng.standard_normal(1500), rng.standard_normal(1500)])
    options = replace(TINY, components=1, encoder=encoder, hidden=16, steps=120, loop=Loop(1, 128, 1e-2, 1e-3, 99))
    fit = fit_emshap(X, 0, options=options)
    assert fit.proposal.encoder is not None
    assert fit.correction[0] > 4 * fit.correction[1] > 0
    assert fit.correction[0] > 0.15


# P2: hidden values never reach the network


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("encoder", [*ENCODERS, None])
def test_hidden_cells_change_no_bit(encoder, junk):
    network, (score, observed) = proposal(encoder), batch()
    network = stirred(network) if encoder else network
    clean = network(score, observed)
    soiled = network(torch.where(observed, score, junk), observed)
    assert all(torch.isfinite(part).all() for part in soiled)
    assert all(torch.equal(a, b) for a, b in zip(clean, soiled, strict=True))


@pytest.mark.parametrize("junk", [0.3, *JUNK[:3]])
@every_encoder
def test_no_gradient_flows_to_hidden_cells(encoder, junk):
    network, (score, observed) = stirred(proposal(encoder)), batch()
    score = torch.where(observed, score, junk).requires_grad_()
    sum(part.pow(2).sum() for part in network(score, observed)).backward()
    assert score.grad is not None
    assert (score.grad[~observed] == 0).all()
    assert (score.grad[observed] != 0).all()


@pytest.mark.parametrize("junk", JUNK)
def test_hidden_cells_change_no_bit_of_what_is_served(served, junk):
    noise = served.law.noise(16, 0)
    S = np.random.default_rng(0).random((12, 4)) < 0.5
    for x in served.X[:3]:
        for k in range(len(S)):
            clean = served.law.complete(x, S[k : k + 1], noise)
            soiled = served.law.complete(np.where(S[k], x, junk), S[k : k + 1], noise)
            assert all(np.isfinite(a).all() and a.tobytes() == b.tobytes() for a, b in zip(clean, soiled, strict=True))


# P3: rows are a batch, not a time


@every_encoder
def test_a_row_alone_is_the_row_in_a_batch_and_in_a_shuffled_one(encoder):
    network, (score, observed) = stirred(proposal(encoder)), batch()
    whole = network(score, observed)
    order = torch.randperm(len(score), generator=torch.Generator().manual_seed(1))
    shuffled = network(score[order], observed[order])
    alone = [network(score[k : k + 1], observed[k : k + 1]) for k in range(len(score))]
    for j, part in enumerate(whole):
        assert (shuffled[j] - part[order]).abs().max() < 1e-5
        assert (torch.cat([a[j] for a in alone]) - part).abs().max() < 1e-5


@every_encoder
def test_one_rows_output_has_no_gradient_by_another_row(encoder):
    network, (score, _) = stirred(proposal(encoder)), batch()
    observed = torch.ones_like(score, dtype=torch.bool)
    score.requires_grad_()
    sum(part[7].pow(2).sum() for part in network(score, observed)).backward()
    assert score.grad is not None
    assert (score.grad[7] != 0).all()
    assert (score.grad[:7] == 0).all()
    assert (score.grad[8:] == 0).all()


# P4: heads reach any mean and any spread


def test_two_normals_far_from_the_origin_are_recovered():
    """By the mixture, and by a correction that starts from another one."""
    rng = np.random.default_rng(0)
    raw = np.column_stack([-3 + 0.4 * rng.standard_normal(2000), 5 + 2 * rng.standard_normal(2000)])
    rows, none = torch.as_tensor(raw, dtype=torch.float32), torch.zeros(2000, 2, dtype=torch.bool)
    standard = FactorMixture(np.ones(1), np.zeros((1, 2)), np.ones((1, 2)), np.zeros((1, 2, 1)))
    network = proposal("gru", standard).train()

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        return -log_q(network(rows[index], none[index]), rows[index], none[index]).mean()

    options = Loop(epochs=40, batch=200, lr=3e-2, weight_decay=0, patience=40)
    train(network, 2000, loss, lambda: float(loss(np.arange(2000), 1.0)), options, rng)
    for found in (network, proposal(None, fit_factor_mixture(raw, 1, 1, 0))):
        with torch.no_grad():
            _, mean, diag, factor = found(rows[:1], none[:1])
        sd = (diag + factor.pow(2).sum(dim=-1)).sqrt()
        assert mean[0, 0].numpy() == pytest.approx([-3, 5], rel=0.05)
        assert sd[0, 0].numpy() == pytest.approx([0.4, 2], rel=0.05)


def test_natural_units_come_back_through_the_served_path(monkeypatch):
    options = replace(TINY, loop=Loop(epochs=40, batch=64, lr=1e-2, patience=40))
    monkeypatch.setattr(conditional, "fit_emshap", partial(fit_emshap, options=options))
    rng = np.random.default_rng(0)
    X = np.column_stack([-3 + 0.1 * rng.standard_normal(600), 5 + 2 * rng.standard_normal(600)])
    law = fit_conditional(X)
    Z, log_weight = law.draw(X[:1], np.zeros((1, 2), bool), 4096, rng)
    w = np.exp(log_weight[0, 0]) / np.exp(log_weight[0, 0]).sum()
    mean = w @ Z[0, 0]
    sd = np.sqrt(w @ (Z[0, 0] - mean) ** 2)
    assert np.abs((mean - X.mean(axis=0)) / X.std(axis=0)).max() < 0.1
    assert sd == pytest.approx(X.std(axis=0), rel=0.1)


@pytest.mark.parametrize(
    "X", [np.zeros((49, 3)), np.zeros((60, 1)), np.full((60, 2), np.nan)], ids=["few rows", "one feature", "nan"]
)
def test_rows_that_cannot_be_fitted_are_refused(X):
    with pytest.raises(InputError, match=r"at least 50 rows of 2 finite features, got \(\d+, \d\)"):
        fit_conditional(X)


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


# P10: every loss term teaches, the hidden part only


def test_both_losses_have_gradients(monkeypatch):
    first, second, _ = stages(monkeypatch, crossed(400))
    stirred(first.network)  # it starts at 0, behind which nothing learns yet
    first.loss(np.arange(64), 0.5).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in first.network.parameters())
    torch.nn.init.normal_(second.network.leave.weight, 0, 0.1)  # so does the energy
    second.loss(np.arange(64), 0.5).backward()
    taught = {name for name, p in second.network.named_parameters() if p.grad.abs().max() > 1e-6}
    assert {name for name, _ in second.network.named_parameters()} - taught <= {"leave.bias"}


def test_a_new_correction_and_a_new_energy_learn_from_their_first_step(monkeypatch):
    first, second, _ = stages(monkeypatch, crossed(400))
    first.loss(np.arange(64), 0.5).backward()
    heads = (first.network.logits, first.network.shift, first.network.widen, first.network.stretch)
    assert all(head.weight.grad.abs().max() > 1e-5 for head in heads)
    second.loss(np.arange(64), 0.5).backward()
    assert second.network.leave.weight.grad.abs().max() > 1e-3


def test_the_energys_loss_pushes_data_down_and_draws_up(monkeypatch):
    """t(x) and log Z both teach: the gradient is not that of either alone."""
    second = stages(monkeypatch, crossed(400))[1]
    network = second.network
    torch.nn.init.normal_(network.leave.weight, 0, 0.1)
    seen: list[torch.Tensor] = []
    network.register_forward_hook(lambda _, inputs, out: (out.retain_grad(), seen.append(out))[0])
    second.loss(np.arange(64), 0.5).backward()
    drawn, data = sorted(seen, key=len, reverse=True)
    assert data.grad.numpy() == pytest.approx(np.full(64, 1 / 64), rel=1e-5)
    assert (drawn.grad < 0).all()
    assert drawn.grad.sum().item() == pytest.approx(-1, rel=1e-5)


def test_with_nothing_hidden_the_loss_is_exactly_nothing():
    score, _ = batch()
    everything = torch.ones_like(score, dtype=torch.bool)
    value = log_q(proposal()(score, everything), score, everything)
    assert value.abs().max() < 1e-6
    assert (value == 0).all()


def test_with_nothing_hidden_the_losses_of_the_fit_are_nothing(monkeypatch):
    monkeypatch.setattr(scored_rows, "observed_masks", lambda rows, n, *_: np.ones((rows, n), dtype=bool))
    for stage in stages(monkeypatch, crossed(400))[:2]:
        assert stage.loss(np.arange(64), 0.5).abs().item() < 1e-6


# P12, P13: training and inference see the same


def test_training_never_shows_a_hidden_cell(monkeypatch):
    X = crossed(400)
    first, second, fit = stages(monkeypatch, X, noise=0.0)
    seen: list[torch.Tensor] = []
    first.network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    first.loss(np.arange(200), 0.3)
    second.loss(np.arange(200), 0.3)
    first.validate()
    second.validate()
    assert len(seen) == 4
    middles = [set(column.tolist()) for column in fit.scores.forward(X).T]
    for steps in seen:
        value, mask = steps[..., 0].detach().numpy(), steps[..., -1].detach().numpy()
        assert set(np.unique(mask)) == {0.0, 1.0}
        told = first.network.mixture(torch.as_tensor(value), torch.as_tensor(mask == 1))
        mean, variance = Mixture(*(part.numpy() for part in told)).moments()
        assert value[mask == 0] == pytest.approx(mean[mask == 0], abs=1e-4)  # of what is observed alone
        assert steps[..., 1].detach().numpy()[mask == 0] == pytest.approx(variance[mask == 0], abs=1e-3)
        for j, known in enumerate(middles):  # observed cells come in as they will be served, atoms in the middle
            assert set(value[mask[:, j] == 1, j].tolist()) <= known


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
@pytest.mark.parametrize("bias", [0.0, 0.7, -2.0])
def test_a_constant_tilt_has_log_z_of_its_own_negative(monkeypatch, draws, bias):
    _, second, fit = stages(monkeypatch, crossed(400), draws=draws)
    torch.nn.init.constant_(second.network.leave.bias, bias)
    assert second.loss(np.arange(100), 0.5).item() == pytest.approx(0, abs=1e-6)
    assert second.validate() == pytest.approx(0, abs=1e-6)
    assert fit.gain == pytest.approx((0, 0), abs=1e-6)


# P15, P17: seeds, and every row once


def test_the_same_seed_gives_the_same_weights():
    X = crossed(300)
    one, two, other = (fit_emshap(X, seed, options=TINY) for seed in (3, 3, 4))
    for name in ("proposal", "tilt"):
        states = [getattr(fit, name).state_dict() for fit in (one, two, other)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])
    assert one.scores.table.tobytes() == two.scores.table.tobytes()
    assert one.gain == two.gain
    assert one.held.tolist() == two.held.tolist() != other.held.tolist()


def test_rows_that_validate_teach_nothing_and_every_other_row_once(monkeypatch):
    X = crossed(400)
    first, second, fit = stages(monkeypatch, X, noise=0.0)
    assert len(fit.held) == len(set(fit.held.tolist())) == round(0.15 * 400)
    assert first.rows == second.rows == 400 - len(fit.held)
    seen: list[np.ndarray] = []
    first.network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().numpy()))
    monkeypatch.setattr(scored_rows, "observed_masks", lambda rows, n, *_: np.ones((rows, n), dtype=bool))
    first.network.requires_grad_(False)
    first.loss(np.arange(first.rows), 0.5)
    second.loss(np.arange(second.rows), 0.5)
    first.validate()
    shown, taught, judged = ({row.tobytes() for row in part[..., 0].copy()} for part in seen)
    assert shown == taught
    assert len(taught) == second.rows  # unique: none padded, none repeated
    assert len(judged) == len(fit.held)
    assert not taught & judged


def test_validation_is_the_same_question_each_epoch(monkeypatch):
    first, second, _ = stages(monkeypatch, crossed(400))
    assert first.validate() == first.validate()
    torch.nn.init.normal_(second.network.leave.weight, 0, 1)
    assert second.validate() == second.validate()


def test_the_fit_is_reported_and_the_budget_of_time_kept():
    told: list[tuple[float, str]] = []
    options = replace(
        TINY, loop=Loop(epochs=9999, batch=128, patience=9999), energy_loop=Loop(epochs=9999, patience=9999)
    )
    fit = fit_emshap(crossed(300), 0, options=options, max_seconds=0.5, progress=lambda d, text: told.append((d, text)))
    assert fit.proposal_history.seconds + fit.tilt_history.seconds < 4
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert {text.split(":")[0] for _, text in told} == {"mixture", "proposal", "energy"}
    assert fit.proposal_history.validation[0] > fit.proposal_history.best


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
