"""An interval around any forecast, from what it missed on windows that it was not fitted on.

    q_a(x) = f(x) + swing(x) r_a,      r_a (h,): the a-quantile of (y - f) / swing over held-out origins, step by step

with the finite-sample level of split conformal prediction: of m residuals the ceil((m + 1) a)-th smallest above the
median, and its mirror below (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic learning in a random world", 2005). `swing`
is how far the window's days lie from one another (`past`), so that a quiet series has a narrow band.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.train.forecasting.past import Past

__all__ = ["LEVELS", "Banded", "asking", "offsets"]

LEVELS = (0.05, 0.95)


def offsets(residual: np.ndarray, levels: tuple[float, ...] = LEVELS) -> np.ndarray:
    """residual (o, h), NaN where nothing was measured -> (h, q). A step without residuals takes those of all steps.

    >>> offsets(np.arange(1.0, 20.0)[:, None]).tolist()
    [[1.0, 19.0]]
    """
    return np.array(
        [[_order(part, a) for a in levels] for part in (_held(residual, t) for t in range(residual.shape[1]))]
    )


def _held(residual: np.ndarray, t: int) -> np.ndarray:
    part = residual[:, t][~np.isnan(residual[:, t])]
    part = part if len(part) else residual[~np.isnan(residual)]
    return np.sort(part) if len(part) else np.zeros(1)


def _order(ordered: np.ndarray, level: float) -> float:
    m = len(ordered)
    rank = int(np.ceil((m + 1) * max(level, 1 - level) - 1e-9))
    rank = min(rank, m)
    return float(ordered[rank - 1] if level >= 0.5 else ordered[m - rank])


class Banded(nn.Module):
    """x (b, n) -> forecast (b, h), quantiles (b, h, q). `least`: nothing is forecast below; -inf for no such bound."""

    def __init__(self, point: nn.Module, past: Past, held: np.ndarray, least: float = -np.inf) -> None:
        super().__init__()
        self.point, self.past, self.least = point, past, least
        self.register_buffer("offsets", torch.tensor(held, dtype=torch.float32))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.point(x)
        moved = self.past.swing(self.past.values(x)).unsqueeze(2) * cast(Tensor, self.offsets).to(x)
        q = f.unsqueeze(2) + moved
        if np.isfinite(self.least):
            f, q = f.clamp(min=self.least), q.clamp(min=self.least)
        return f, q


def asking(module: nn.Module) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The module as a function of numpy rows."""

    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            f, q = module(torch.tensor(np.asarray(X, np.float32)))
        return f.double().numpy(), q.double().numpy()

    return ask
