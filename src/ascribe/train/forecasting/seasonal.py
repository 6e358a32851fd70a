"""Regression on the same time of earlier days, in closed form: what the network starts from, and a rival of it.

    score_k = typical_k + a_k' beta,   min sum w (score - a' beta)^2 + lambda |beta|^2,   w = 1 / max(|residual|, 0.05)

typical_k: the median of the same-time lags, or 0, as is said; the penalty draws the forecast there, and of series of
spikes little is better. a_k (f,) of step k: same-time lags and the calendar; lags and time of day again by kind of day
(Saturday, Sunday, Monday, others: the first two and the third differ from the day before); how the last hours stand
against the same hours of a day and of six days before, which fades over the horizon. Three rounds of weights bring the
least squares near the least absolute deviations, which is what MAE asks for.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.train.forecasting.front import Front, Seen

__all__ = ["Seasonal", "fit_seasonal", "middle"]

ROUNDS, LEAST = 3, 0.05
FADES = 8  # of a day: the last hours are half forgotten after some two of them
PENALTY = 1e-2  # per equation


class Seasonal(nn.Module):
    """x (b, n) in natural units -> forecast (b, h)."""

    beta: Tensor
    fade: Tensor

    def __init__(self, front: Front, beta: np.ndarray | None = None, typical: bool = False) -> None:
        super().__init__()
        self.front, self.typical = front, typical and front.j > 0
        window = front.window
        day, self.hours = window.day, sorted({max(1, window.day // k) for k in (24, 4)} & set(range(1, window.context)))
        self.back = [
            day * k for k in {1, max(1, front.j - 1)} if day * k + max(self.hours, default=0) <= window.context
        ]
        fade = torch.exp(-torch.arange(window.horizon) * FADES / day)
        self.register_buffer("fade", fade.to(torch.float32))
        self.register_buffer("beta", torch.as_tensor(np.zeros(0) if beta is None else beta, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        seen = self.front(x)
        return self.front.straight(self.score(seen), seen)

    def score(self, seen: Seen) -> Tensor:
        """(b, h)."""
        return self.columns(seen) @ self.beta + self.begin(seen)

    def begin(self, seen: Seen) -> Tensor:
        """typical (b, h)."""
        return middle(seen.lags) if self.typical else torch.zeros_like(seen.moment[..., 0])

    def columns(self, seen: Seen) -> Tensor:
        """(b, h, f), the last of them 1."""
        lags, moment, kind = seen.lags, seen.moment, seen.kind
        score, ahead = seen.score, lags.shape[1]
        recent = [score[:, -1:]] + [
            score[:, -n:].mean(dim=1, keepdim=True) for n in (*self.hours, self.front.window.day)
        ]
        for n in self.hours:
            now = score[:, -n:].mean(dim=1, keepdim=True)
            recent += [now - score[:, -n - back : -back].mean(dim=1, keepdim=True) for back in self.back]
        last = torch.cat(recent, dim=1).unsqueeze(1).expand(-1, ahead, -1)
        by_kind = [(held.unsqueeze(-1) * kind.unsqueeze(-2)).flatten(2) for held in (lags, moment)]
        one = torch.ones_like(moment[..., :1])
        return torch.cat([lags, moment, seen.weekday, last, last * self.fade[:, None], *by_kind, one], dim=-1)


def middle(x: Tensor) -> Tensor:
    """Median over the last axis, of few: sorted by minima and maxima of neighbours, which every graph can say."""
    held = list(x.unbind(dim=-1))
    for turn in range(len(held)):
        for k in range(turn % 2, len(held) - 1, 2):
            held[k], held[k + 1] = torch.minimum(held[k], held[k + 1]), torch.maximum(held[k], held[k + 1])
    return (held[(len(held) - 1) // 2] + held[len(held) // 2]) / 2


def fit_seasonal(
    front: Front, batches: Iterable[tuple[Tensor, Tensor]], typical: bool = False, penalty: float = PENALTY
) -> Seasonal:
    """`batches`: rows (b, n) and what came (b, h), NaN where nobody knows; may be gone through several times."""
    model = Seasonal(front, None, typical)
    beta: Tensor | None = None
    for _ in range(ROUNDS + 1):
        gram, moment, weight = torch.zeros(()), torch.zeros(()), 0.0
        for x, y in batches:
            with torch.no_grad():
                seen = front(x)
                known = torch.isfinite(y)
                A, target = (
                    model.columns(seen)[known].double(),
                    (front.scored(y, seen) - model.begin(seen))[known].double(),
                )
            w = torch.ones_like(target) if beta is None else 1 / (target - A @ beta).abs().clamp_min(LEAST)
            weighed = (A * w[:, None]).T
            gram, moment, weight = gram + weighed @ A, moment + weighed @ target, weight + float(w.sum())
        beta = torch.linalg.solve(gram + torch.eye(len(gram), dtype=torch.float64) * weight * penalty, moment)
    return Seasonal(front, None if beta is None else beta.numpy(), typical)
