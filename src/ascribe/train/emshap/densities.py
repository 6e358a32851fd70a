"""Density of, and draws from, a proposal's head: the formulas of `core.mixture.Mixture`, in torch."""

from __future__ import annotations

import math

import torch

from ascribe.train.emshap.factor_mixture import Head

__all__ = ["draw_q", "log_q"]


def log_q(head: Head, z: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """log q(z_u | z_S) (r,); the formula of `core.mixture.Mixture.log_density`, differentiable."""
    logits, mean, diag, factor = head
    h = (~observed).unsqueeze(1)
    D = torch.where(h, diag, torch.ones_like(diag))
    Fh = factor * h.unsqueeze(-1)
    r = torch.where(h, z.unsqueeze(1) - mean, torch.zeros_like(mean))
    scaled = Fh / D.unsqueeze(-1)
    M = torch.eye(factor.shape[-1], device=z.device) + scaled.transpose(2, 3) @ Fh
    L = torch.linalg.cholesky(M)
    c = (scaled * r.unsqueeze(-1)).sum(2)
    white = torch.linalg.solve_triangular(L, c.unsqueeze(-1), upper=False).squeeze(-1)
    quadratic = (r**2 / D).sum(2) - (white**2).sum(2)
    log_det = 2 * torch.diagonal(L, dim1=2, dim2=3).log().sum(2) + D.log().sum(2)
    normal = -0.5 * (quadratic + log_det + h.sum(2) * math.log(2 * math.pi))
    return torch.logsumexp(logits + normal, dim=1) - torch.logsumexp(logits, dim=1)  # exactly 0 if nothing is hidden


def draw_q(head: Head, s: int, generator: torch.Generator) -> torch.Tensor:
    """Plain draws (r, s, n), detached."""
    logits, mean, diag, factor = (t.detach() for t in head)
    rows, _, n, rank = factor.shape
    device = mean.device
    component = torch.multinomial(torch.softmax(logits, dim=1), s, replacement=True, generator=generator)  # (r, s)
    at = torch.arange(rows, device=device)[:, None]
    eps = torch.randn(rows, s, rank, 1, generator=generator, device=device)
    delta = torch.randn(rows, s, n, generator=generator, device=device)
    correlated = (factor[at, component] @ eps).squeeze(-1)
    return mean[at, component] + correlated + diag[at, component].sqrt() * delta
