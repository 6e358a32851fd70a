"""A forecaster as its family gives it, before calibration and export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

__all__ = ["Ask", "FittedForecast"]

Ask = Callable[[np.ndarray], "tuple[np.ndarray, np.ndarray | None]"]
"""Rows X (b, n) in natural units -> forecast (b, h) and, where the family has them, quantiles (b, h, q)."""


@dataclass(frozen=True, eq=False)
class FittedForecast:
    """A window's h next steps, in the series' unit.

    family   its name in FORECAST_FAMILIES
    ask      X (b, n) float, natural units, step after step -> forecast (b, h), quantiles (b, h, q) or None
    levels   of the quantiles, rising; empty where there are none
    module   x (b, n) float32, natural units -> forecast (b, h) or (forecast (b, h), quantiles (b, h, q)); exported and
             served as it stands
    told     options, losses by epoch, what the report says; plain numbers, words, lists
    graph    where torch cannot say it (trees): windows (b, n) to be compared on -> the bytes of `predict`, as
             `bundle` describes it. With neither module nor graph it is compared and never served
    """

    family: str
    ask: Ask
    levels: tuple[float, ...] = ()
    module: torch.nn.Module | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    graph: Callable[[torch.Tensor], bytes] | None = None

    @property
    def served(self) -> bool:
        """Whether a bundle can hold it: a graph and an interval."""
        return (self.module is not None or self.graph is not None) and len(self.levels) > 1
