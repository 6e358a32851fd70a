"""Parts that networks on scores share: ramps, a residual body, and an average of weights.

    ramps:   r_k(z) = clip((z - t_k)/h, 0, 1),  t_k = -3 + k h, h = 6/K         z (r, n) -> (r, n, K)
    body:    h <- h + W2 silu(W1 norm(h)),  B times                             (r, w) -> (r, w)

Ramps let a first layer bend where trees cut (Gorishniy et al., NeurIPS 2022, piecewise-linear encoding).
"""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

__all__ = ["Averaged", "Ramps", "Residual"]

REACH = 3.0
N = TypeVar("N", bound=nn.Module)


class Ramps(nn.Module):
    """Scores (r, n) -> (r, n, K), each in 0..1."""

    start: torch.Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.width = 2 * REACH / count
        self.register_buffer("start", torch.arange(count) * self.width - REACH)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return ((z.unsqueeze(-1) - self.start) / self.width).clamp(0, 1)


class Residual(nn.Module):
    """(r, inputs) -> (r, outputs) through `blocks` residual blocks of `width`."""

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(blocks)
        )
        self.leave = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.enter(x)
        for block in self.blocks:
            h = h + block(h)
        left: torch.Tensor = self.leave(nn.functional.silu(h))
        return left


class Averaged(nn.Module, Generic[N]):
    """A network and the moving average of its weights, which is what is kept:

        a <- a + (w - a) max(1 - decay, 1/(k + 1))        after step k

    Both are parts of one module, so that a checkpoint of the training loop holds the average too.
    """

    live: N
    average: N

    def __init__(self, live: N, decay: float) -> None:
        super().__init__()
        self.live, self.average, self.decay, self.steps = live, copy.deepcopy(live).requires_grad_(False), decay, 0

    @torch.no_grad()
    def follow(self) -> None:
        """After (or before) each step."""
        self.steps += 1
        rate = max(1 - self.decay, 1 / (self.steps + 1))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.live.parameters()), rate)
