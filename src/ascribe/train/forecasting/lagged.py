"""What trees are asked of a window: a row for each step of the horizon, and how their answers become a forecast.

    row of (window, step):  step, time of day, kind of day, same time of each day, their mean, how far the last of them
                            lies from it, latest levels; as (value - mean) / swing of the window
    forecast:               same time yesterday + swing * answer;     bounds: forecast + swing * offset of the step

Torch, so that both ends of the graph are exported as they stand; the trees lie between them (`tree_graph`).
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.train.forecasting.answer import answer
from ascribe.train.forecasting.past import CLOCK, Past

__all__ = ["Answered", "Lagged"]


class Lagged(nn.Module):
    """x (b, n) -> Z (b h, p), same time yesterday (b, h), swing (b, 1). Z is double, as trees compare: the same numbers
    as in single precision.
    """

    def __init__(self, past: Past) -> None:
        super().__init__()
        self.past = past

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        past = self.past
        v = past.values(x)
        swing, middle = past.swing(v), v.mean(dim=1, keepdim=True)
        sized = (v - middle) / swing
        same, recent = past.same_time(sized).transpose(1, 2), past.recent(sized)
        b, h = x.shape[0], past.window.horizon
        step = torch.arange(h, dtype=x.dtype).expand(b, h).unsqueeze(2)
        mean = same.mean(dim=2, keepdim=True)
        parts = [step, self._clock(x, step), past.kinds(x), same, mean, same[:, :, -1:] - mean]
        Z = torch.cat([*parts, recent.unsqueeze(1).expand(-1, h, -1)], dim=2)
        return Z.flatten(0, 1).double(), past.same_time(v)[:, -1], swing

    def _clock(self, x: Tensor, step: Tensor) -> Tensor:
        """(b, h, 2): time of day as a point on a circle; 0 where the window does not say it."""
        past = self.past
        if not past.clocked:
            return torch.zeros_like(step).expand(-1, -1, 2)
        last = x.reshape(-1, past.window.context, len(past.window.inputs))[:, -1]
        sine, cosine = (last[:, past.window.inputs.index(name)].unsqueeze(1) for name in CLOCK[:2])
        turn = torch.atan2(sine, cosine) + 2 * np.pi * (step[:, :, 0] + 1) / past.day
        return torch.stack([turn.sin(), turn.cos()], dim=2)


class Answered(nn.Module):
    """Answers of the trees (b h,), same time yesterday (b, h), swing (b, 1) -> outputs (b, 3 + h), lower, upper (b, h).

    `offsets (h, q)`, in swings; `least`: nothing is forecast below, -inf for no such bound.
    """

    def __init__(self, offsets: np.ndarray, least: float) -> None:
        super().__init__()
        self.least = least
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.float32))

    def curves(self, told: Tensor, last: Tensor, swing: Tensor) -> tuple[Tensor, Tensor]:
        """Forecast (b, h) and quantiles (b, h, q)."""
        f = last + swing * told.reshape(last.shape)
        q = f.unsqueeze(2) + swing.unsqueeze(2) * cast(Tensor, self.offsets)
        return (f.clamp(min=self.least), q.clamp(min=self.least)) if np.isfinite(self.least) else (f, q)

    def forward(self, told: Tensor, last: Tensor, swing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return answer(*self.curves(told, last, swing))
