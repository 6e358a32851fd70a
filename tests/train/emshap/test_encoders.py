"""Encoders: a state of the right width, row by row; a set has no order, a sequence has one."""

from __future__ import annotations

import pytest
import torch

from ascribe.train.emshap.encoders import ENCODERS

N, W, HIDDEN = 5, 7, 6
every = pytest.mark.parametrize("name", ENCODERS)


def encoder(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return ENCODERS[name](N, W, HIDDEN).eval()


def steps() -> torch.Tensor:
    """The last number of a step: whether it is observed; the first row observes nothing, the second everything."""
    generator = torch.Generator().manual_seed(0)
    held = torch.randn(20, N, W, generator=generator)
    held[..., -1] = (torch.rand(20, N, generator=generator) < 0.5).float()
    held[0, :, -1], held[1, :, -1] = 0, 1
    return held


def test_the_table_holds_what_these_laws_know():
    assert tuple(ENCODERS) == ("gru", "mlp", "set")


@every
def test_the_state_has_the_width_it_says(name):
    network = encoder(name)
    assert network(steps()).shape == (20, network.width)
    assert network(steps()[:1]).shape == (1, network.width)


@every
def test_rows_do_not_mix(name):
    network, held = encoder(name), steps()
    whole = network(held)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    assert (network(held[order]) - whole[order]).abs().max() < 1e-6
    assert (torch.cat([network(held[k : k + 1]) for k in range(20)]) - whole).abs().max() < 1e-6
    assert len({row.numpy().tobytes() for row in whole.detach()}) > 15  # rows that see nothing may look alike


@every
def test_every_part_learns_and_every_observed_step_matters(name):
    network, held = encoder(name), steps().requires_grad_()
    network(held).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    seen = held.detach()[..., -1] == 1
    assert (held.grad[..., 0][seen] != 0).all()


@every
def test_order_matters_to_a_sequence_and_not_to_a_set(name):
    network, held = encoder(name), steps()
    order = [3, 1, 4, 0, 2]
    gap = (network(held[:, order]) - network(held))[2:].abs().max()
    assert gap < 1e-6 if name == "set" else gap > 1e-2


def test_a_set_sees_nothing_of_hidden_features():
    network, held = encoder("set"), steps()
    other = torch.where(held[..., -1:] == 1, held, torch.cat([held[..., :-1] + 5, held[..., -1:]], dim=-1))
    assert torch.equal(network(other), network(held))
