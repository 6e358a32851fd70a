"""Which windows a fit learns from, which judge it, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, origins
from ascribe.core.forecast.rows import inputs_of

__all__ = ["Samples", "Split", "split"]

BLOCKS = 4  # that judge, spread over the training part, the last at its end
SHARE = 0.2  # of the origins' span
MOST = 2000  # origins of the closed form


@dataclass(frozen=True, eq=False)
class Split:
    """Origins (o, 2): `learn` and `judge` share no step that is forecast. All targets lie before `until`.

    `block (o,)`: number of the block that an origin of `judge` lies in.
    """

    learn: np.ndarray
    judge: np.ndarray
    block: np.ndarray


def split(series: Series, window: Window, until: int, every: int, share: float = SHARE, blocks: int = BLOCKS) -> Split:
    """Blocks of targets that judge are set apart, the last one at the end of the training part: a single one, a
    holiday for instance, would judge by itself alone. An origin learns if its target touches no block.

    Raises InputError where the series is too short for a window to learn from and one to judge by.
    """
    at = origins(series, window, 0, until, every)
    first = window.context
    span = (until - first) / blocks
    length = max(span * share, min(2 * window.horizon, span / 2))
    first_steps, block, learn = at[:, 0], np.full(len(at), -1), np.ones(len(at), bool)
    for k in range(blocks):
        end = first + round((k + 1) * span)
        start = round(end - length)
        block[(first_steps >= start) & (first_steps + window.horizon <= end)] = k
        learn &= (first_steps + window.horizon <= start) | (first_steps >= end)
    judge = block >= 0
    if not learn.any() or not judge.any():
        need = window.context + 8 * window.horizon
        raise InputError(f"{until} steps to learn from: windows of {window.context} and {window.horizon} need {need}")
    return Split(at[learn], at[judge], block[judge])


@dataclass(frozen=True, eq=False)
class Samples:
    """Windows and what came after them at origins `at (o, 2)`. `inputs (t, s, c)`, `ahead (t, s)`: float32, the latter
    NaN where nothing was measured; cut out as they are asked for.
    """

    window: Window
    at: np.ndarray
    inputs: np.ndarray
    ahead: np.ndarray

    @classmethod
    def of(cls, series: Series, window: Window, at: np.ndarray) -> Samples:
        ahead = np.where(series.observed, series.values, np.nan)
        return cls(window, at, inputs_of(series, window).astype(np.float32), ahead.astype(np.float32))

    def __len__(self) -> int:
        return len(self.at)

    def on(self, at: np.ndarray) -> Samples:
        """Of the same series, at other origins."""
        return replace(self, at=at)

    def batch(self, index: np.ndarray, device: str = "cpu") -> tuple[Tensor, Tensor]:
        """x (b, n), y (b, h)."""
        first, which = self.at[index].T
        x = self.inputs[first[:, None] + np.arange(-self.window.context, 0), which[:, None]]
        y = self.ahead[first[:, None] + np.arange(self.window.horizon), which[:, None]]
        return torch.as_tensor(x.reshape(len(x), -1), device=device), torch.as_tensor(y, device=device)

    def batches(self, size: int, device: str = "cpu") -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))), device)

    def thinned(self, most: int = MOST) -> Samples:
        """At most so many of them, evenly."""
        if len(self) <= most:
            return self
        return self.on(self.at[np.linspace(0, len(self) - 1, most).round().astype(int)])
