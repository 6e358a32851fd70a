"""Encoders: what is known of a row, one step a feature, into one state. One class and one row of `ENCODERS` each.

All take `steps (r, n, w)` -> state (r, `width`), the last number of a step saying whether its feature is observed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

__all__ = ["ENCODERS"]


class Gru(nn.Module):
    """Bidirectional GRU over the features; the state is that after the last step of either direction."""

    def __init__(self, n: int, w: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(w, hidden, batch_first=True, bidirectional=True)
        self.width = 2 * hidden

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        _, last = self.gru(steps)
        return torch.cat([last[0], last[1]], dim=-1)


class Mlp(nn.Module):
    """All steps side by side through a residual network: no order, no recurrence."""

    def __init__(self, n: int, w: int, hidden: int) -> None:
        super().__init__()
        self.width = 2 * hidden
        self.enter = nn.Linear(n * w, self.width)
        self.blocks = nn.ModuleList(nn.Sequential(nn.SiLU(), nn.Linear(self.width, self.width)) for _ in range(2))

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        h = self.enter(steps.flatten(1))
        for block in self.blocks:
            h = h + block(h)
        return nn.functional.silu(h)


class Set(nn.Module):
    """A network on each observed feature, summed (Zaheer et al. 2017): no order of features at all."""

    def __init__(self, n: int, w: int, hidden: int) -> None:
        super().__init__()
        self.width = 2 * hidden
        self.each = nn.Sequential(nn.Linear(w, self.width), nn.SiLU(), nn.Linear(self.width, self.width))
        self.after = nn.Sequential(nn.SiLU(), nn.Linear(self.width, self.width), nn.SiLU())
        self.scale = n**-0.5

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        seen = steps[..., -1:]
        state: torch.Tensor = self.after((self.each(steps) * seen).sum(1) * self.scale)
        return state


ENCODERS: dict[str, Callable[[int, int, int], nn.Module]] = {"gru": Gru, "mlp": Mlp, "set": Set}
