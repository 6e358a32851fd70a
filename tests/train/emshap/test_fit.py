"""The fit of EmSHAP: what it keeps, what its losses teach, which rows it sees (pitfalls P10, P12, P15, P17)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ascribe.core.errors import InputError
from ascribe.core.mixture import Mixture
from ascribe.train import loop
from ascribe.train.emshap import scored_rows
from ascribe.train.emshap.shared_scale import fit_shared_scale
from ascribe.train.families.emshap import fit_emshap
from ascribe.train.loop import Loop
from ascribe.train.values import conditional
from ascribe.train.values.conditional import fit_conditional

from ..worlds import TINY, crossed, stages, stirred
from .proposals import every_encoder


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


def test_with_nothing_hidden_the_losses_of_the_fit_are_nothing(monkeypatch):
    monkeypatch.setattr(scored_rows, "observed_masks", lambda rows, n, *_: np.ones((rows, n), dtype=bool))
    for stage in stages(monkeypatch, crossed(400))[:2]:
        assert stage.loss(np.arange(64), 0.5).abs().item() < 1e-6


# P12: training never sees more than serving


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


def test_the_fit_is_reported_and_the_budget_of_time_kept(monkeypatch):
    """By a clock that moves 1 ms at every look."""
    told: list[tuple[float, str]] = []
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=(k / 1000 for k in count()).__next__))
    options = replace(
        TINY, loop=Loop(epochs=9999, batch=128, patience=9999), energy_loop=Loop(epochs=9999, patience=9999)
    )
    fit = fit_emshap(
        crossed(300), 0, options=options, max_seconds=0.03, progress=lambda d, text: told.append((d, text))
    )
    assert 0.021 <= fit.proposal_history.seconds < 0.026  # an epoch, of two batches, is finished
    assert 0.009 <= fit.tilt_history.seconds < 0.014
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert {text.split(":")[0] for _, text in told} == {"mixture", "proposal", "energy"}
    assert fit.proposal_history.best == min(fit.proposal_history.validation)
