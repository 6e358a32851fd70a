"""The proposal: a mixture and its correction; no leak, no dependence between rows, honest densities (P2-P4)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ascribe.core.mixture import Mixture
from ascribe.train.emshap.densities import log_q
from ascribe.train.emshap.encoders import ENCODERS
from ascribe.train.emshap.factor_mixture import FactorMixture, fit_factor_mixture
from ascribe.train.emshap.networks import REACH
from ascribe.train.loop import Loop, train

from ..worlds import stirred
from .proposals import JUNK, N, batch, every_encoder, proposal


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


def test_with_nothing_hidden_the_loss_is_exactly_nothing():
    score, _ = batch()
    everything = torch.ones_like(score, dtype=torch.bool)
    value = log_q(proposal()(score, everything), score, everything)
    assert value.abs().max() < 1e-6
    assert (value == 0).all()
