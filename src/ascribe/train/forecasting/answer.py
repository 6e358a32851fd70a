"""What every graph of a forecast gives, of the curves."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ANSWER", "answer"]

ANSWER = ("forecast", "lower", "upper")


def answer(y: Tensor, quantiles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Forecast (b, h), quantiles (b, h, q) -> outputs (b, 3 + h) as `core.forecast.outputs` names them, and the
    outermost quantiles (b, h).
    """
    whole = [y.mean(dim=1, keepdim=True), y.amax(dim=1, keepdim=True), y.sum(dim=1, keepdim=True), y]
    return torch.cat(whole, dim=1), quantiles[..., 0], quantiles[..., -1]
