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
from ascribe.train.forecasting.past import Past

__all__ = ["Answered", "Lagged"]

GRID = 1 << 16  # steps of a swing


class Lagged(nn.Module):
    """x (b, n) -> Z (b h, p) double, same time yesterday (b, h), swing (b, 1).

    Trees jump at their thresholds. In double and on a grid, torch, ONNX Runtime, any batch and any machine give the
    same Z: what they differ by, some 1e-15, is no step of the grid.
    """

    def __init__(self, past: Past) -> None:
        super().__init__()
        self.past = past

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        past, x = self.past, x.double()
        v = past.values(x)
        swing, middle = past.swing(v), v.mean(dim=1, keepdim=True)
        sized = (v - middle) / swing
        same, recent = past.same_time(sized).transpose(1, 2), past.recent(sized)
        b, h = x.shape[0], past.window.horizon
        step = torch.arange(h, dtype=x.dtype).expand(b, h).unsqueeze(2)
        mean = same.mean(dim=2, keepdim=True)
        parts = [step, past.clock(x), past.kinds(x), same, mean, same[:, :, -1:] - mean]
        Z = torch.cat([*parts, recent.unsqueeze(1).expand(-1, h, -1)], dim=2)
        Z = torch.round(Z.flatten(0, 1) * GRID) / GRID
        return Z, past.same_time(v)[:, -1].float(), swing.float()


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
