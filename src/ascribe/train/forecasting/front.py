"""What a forecaster sees of a row: scores on the window's own scale, same-time lags, the calendar of what comes.

    u = value, or asinh(value / unit) where tails are heavy           (b, c)
    level = mean of u over observed steps,  scale^2 = variance + floor^2
    score = (u - level) / scale

    other inputs: (x - centre) / width of the training part (`core.forecast.scaling`); the calendar as it is

A window is its own measure, so one model serves series of any size; where `fixed`, level and scale are those of the
training part too, as the design document has it. Where the steps that are forecast stand in their
day and week follows from the encodings of the last step of the context. All of it is inside the exported graph.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.errors import InputError
from ascribe.core.forecast import CALENDAR, Window, calendar
from ascribe.core.forecast.scaling import Scaling
from ascribe.train.forecasting.slots import slot_of

__all__ = ["Front", "Seen"]

WEEK = 7
KINDS = 4  # of days, by how they differ from the day before: Saturday, Sunday, Monday, others
NEEDED = ("minute_sin", "minute_cos", "weekday_sin", "weekday_cos")
TINY = 1e-6


class Seen(NamedTuple):
    """Of b windows of c steps, h steps ahead; j same-time lags, the nearest first.

    inputs (b, c, n)   every input of every step, scaled, the value as a score
    score (b, c)       the values
    lags (b, h, j)     scores at the same time of the j days before the context ended
    moment (b, h, 4)   sin and cos of the minute of the day, once and twice around
    weekday (b, h, 7)  one of seven;  kind (b, h, 4): one of four
    level, scale (b, 1)
    """

    inputs: Tensor
    score: Tensor
    lags: Tensor
    moment: Tensor
    weekday: Tensor
    kind: Tensor
    level: Tensor
    scale: Tensor


class Front(nn.Module):
    """`unit`: of the asinh, 0 where values enter as they are. `floor`: the least scale of a window. `scaling`: of the
    inputs beside the value, and where `fixed` of the value too.
    """

    floor: Tensor
    unit: Tensor
    centre: Tensor
    width: Tensor
    moments: Tensor
    weekdays: Tensor
    kinds: Tensor
    places: Tensor

    def __init__(
        self, window: Window, floor: float, unit: float = 0.0, scaling: Scaling | None = None, fixed: bool = False
    ) -> None:  # fmt: skip
        super().__init__()
        still = Scaling("standard", window.inputs, (0.0,) * len(window.inputs), (1.0,) * len(window.inputs))
        self.scaling, self.fixed = scaling or still, fixed
        self.register_buffer("centre", torch.tensor(self.scaling.centre, dtype=torch.float32))
        self.register_buffer("width", torch.tensor(self.scaling.width, dtype=torch.float32))
        if missing := [name for name in NEEDED if name not in window.inputs]:
            raise InputError(f"a window without {', '.join(missing)}: a forecaster reads its calendar there")
        self.window, self.bent = window, unit > 0
        self.observed = window.inputs.index("observed") if "observed" in window.inputs else None
        self.clock = [window.inputs.index(name) for name in NEEDED]
        day, ahead = window.day, np.arange(window.horizon)
        self.j = min(WEEK, window.context // day)
        back = day * np.arange(1, self.j + 1)
        self.register_buffer("floor", torch.tensor(floor, dtype=torch.float32))
        self.register_buffer("unit", torch.tensor(unit or 1.0, dtype=torch.float32))
        self.register_buffer("places", torch.as_tensor(window.context + (ahead % day)[:, None] - back))
        turn = calendar(np.arange(day) * 86400 // day)[:, : len(CALENDAR) // 3]
        twice = np.stack([2 * turn[:, 0] * turn[:, 1], turn[:, 1] ** 2 - turn[:, 0] ** 2], axis=1)
        moments = np.tile(np.concatenate([turn, twice], axis=1), (WEEK, 1))
        weekday = np.repeat(np.arange(WEEK), day)
        self.register_buffer("moments", torch.as_tensor(moments, dtype=torch.float32))
        self.register_buffer("weekdays", torch.eye(WEEK)[torch.as_tensor(weekday)])
        kind = torch.as_tensor([2, 3, 3, 3, 3, 0, 1])  # of Monday to Sunday
        self.register_buffer("kinds", torch.eye(KINDS)[kind][torch.as_tensor(weekday)])

    def forward(self, x: Tensor) -> Seen:
        z = x.reshape(-1, *self.window.shape)
        u = self.bend(z[..., 0])
        level, scale = self._measure(u, z)
        score = (u - level) / scale
        place = self._place(z[:, -1])
        others = (z[..., 1:] - self.centre[1:]) / self.width[1:]
        return Seen(
            torch.cat([score.unsqueeze(-1), others], dim=-1), score, score[:, self.places],
            self.moments[place], self.weekdays[place], self.kinds[place], level, scale,
        )  # fmt: skip

    def _measure(self, u: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Level and scale (b, 1)."""
        if self.fixed:
            none = 0 * u[:, :1]
            return none + self.centre[:1], none + self.width[:1]
        weight = torch.ones_like(u) if self.observed is None else z[..., self.observed] + TINY
        weight = weight / weight.sum(dim=1, keepdim=True)
        level = (u * weight).sum(dim=1, keepdim=True)
        scale = (((u - level) ** 2 * weight).sum(dim=1, keepdim=True) + self.floor**2).sqrt()
        return level, scale

    def bend(self, value: Tensor) -> Tensor:
        return torch.asinh(value / self.unit) if self.bent else value

    def straight(self, score: Tensor, seen: Seen) -> Tensor:
        """Scores (b, h, ...) in natural units."""
        more = (slice(None), slice(None), *[None] * (score.ndim - 2))
        u = score * seen.scale[more] + seen.level[more]
        return torch.sinh(u) * self.unit if self.bent else u

    def scored(self, y: Tensor, seen: Seen) -> Tensor:
        """Natural units (b, h) as scores."""
        return (self.bend(y) - seen.level) / seen.scale

    def _place(self, last: Tensor) -> Tensor:
        """(b, h): steps since Monday's midnight of the steps that are forecast."""
        day = self.window.day
        minute_sin, minute_cos, weekday_sin, weekday_cos = (last[:, k] for k in self.clock)
        slot = slot_of(minute_sin, minute_cos, day)
        weekday = torch.round(torch.atan2(weekday_sin, weekday_cos) * (WEEK / (2 * math.pi))) % WEEK
        ahead = torch.arange(1, self.window.horizon + 1, device=last.device)
        return ((weekday.to(torch.int64) * day + slot).unsqueeze(1) + ahead) % (WEEK * day)
