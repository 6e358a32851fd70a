"""Densities of a head and draws from it: those of `core.mixture.Mixture`, in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ascribe.core.mixture import Mixture
from ascribe.train.emshap.densities import draw_q, log_q

N = 5


def batch(rows: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    score = torch.randn(rows, N, generator=generator)
    observed = torch.rand(rows, N, generator=generator) < 0.5
    observed[0], observed[1] = False, True
    return score, observed


def a_head(rows: int = 30, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Two components of rank 3, wild on purpose."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(rows, 2, *shape, generator=generator)

    return normal(), 2 * normal(N), torch.exp(normal(N)), normal(N, 3)


def test_with_nothing_hidden_the_loss_is_exactly_nothing():
    z, _ = batch(30)
    value = log_q(a_head(), z, torch.ones_like(z, dtype=torch.bool))
    assert (value == 0).all()


def test_the_density_has_a_gradient_by_every_part_of_the_head():
    head = tuple(part.requires_grad_() for part in a_head())
    z, observed = batch(30)
    log_q(head, z, observed).sum().backward()
    for part in head:
        assert torch.isfinite(part.grad).all()
        assert part.grad.abs().sum() > 0
    assert not head[1].grad[observed[:, None].expand(-1, 2, -1)].any()


def test_observed_coordinates_of_a_head_say_nothing():
    logits, mean, diag, factor = a_head()
    z, observed = batch(30)
    told = log_q((logits, mean, diag, factor), z, observed)
    at = observed[:, None]
    other = (
        logits, torch.where(at, 7.0, mean), torch.where(at, 0.01, diag), torch.where(at[..., None], -3.0, factor),
    )  # fmt: skip
    assert torch.equal(log_q(other, z, observed), told)
    assert torch.equal(log_q((logits, mean, diag, factor), torch.where(observed, 99.0, z), observed), told)
    moved = log_q((logits, mean + 0.1, diag, factor), z, observed)
    assert (moved != told)[observed.logical_not().any(dim=1)].all()


def test_the_density_is_that_of_the_core():
    head, (z, observed) = a_head(), batch(30)
    wanted = Mixture(*(part.numpy() for part in head)).log_density(z.numpy(), ~observed.numpy())
    assert log_q(head, z, observed).numpy() == pytest.approx(wanted, abs=1e-5, rel=1e-5)


def test_the_draws_have_the_moments_of_the_mixture():
    head = tuple(part[:2] for part in a_head())
    z = draw_q(head, 100_000, torch.Generator().manual_seed(0)).numpy()
    mean, variance = Mixture(*(part.numpy() for part in head)).moments()
    assert z.shape == (2, 100_000, N)
    assert z.mean(axis=1) == pytest.approx(mean, abs=0.05)
    assert z.var(axis=1) == pytest.approx(variance, rel=0.05)


def test_the_draws_carry_the_dependence_of_the_factor():
    _, mean, diag, factor = (part[:1, :1] for part in a_head())
    z = draw_q((torch.zeros(1, 1), mean, diag, factor), 100_000, torch.Generator().manual_seed(0))[0].numpy()
    wanted = (factor[0, 0] @ factor[0, 0].T + torch.diag(diag[0, 0])).numpy()
    scale = np.sqrt(np.diag(wanted))
    assert np.abs((np.cov(z.T) - wanted) / np.outer(scale, scale)).max() < 0.03


def test_the_draws_are_detached_and_repeat():
    head = tuple(part.requires_grad_() for part in a_head(4))
    one, two, other = (draw_q(head, 16, torch.Generator().manual_seed(k)) for k in (0, 0, 1))
    assert not one.requires_grad
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
