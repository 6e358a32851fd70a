"""What a model of lags sees of a window: its days side by side, its latest level, and which kind of day is forecast.

    values  (b, c)        the first input of each step
    days    (b, d, day)   the last d = c // day whole days, oldest first; a step that is forecast looks at its own time
    recent  (b, r)        mean of the last 5 min, 1 h, 6 h less that of the same time a day before; mean of the last day
    kinds   (b, h, k)     1 at the kind of the day of a step: Monday, Tuesday to Friday, Saturday, Sunday
    level   (b, 1)        mean |value|;  swing (b, 1): mean |value - that of a day before|, never 0

The day of a step that is forecast is read off the calendar of the window's last step, so a row is all that is needed.
Torch, so that what is fitted can be exported as it stands; trees ask for the same numbers.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.errors import InputError
from ascribe.core.forecast import Window
from ascribe.train.forecasting.slots import slot_of

__all__ = ["CLOCK", "KINDS", "Past"]

CLOCK = ("minute_sin", "minute_cos", "weekday_sin", "weekday_cos")
KINDS = (0, 1, 1, 1, 1, 2, 3)  # Monday to Sunday; with seven kinds a season is too short to learn them
SPANS_S = (300, 3600, 21600)
LEAST = 1e-3  # of the level: a series that repeats itself has a band that can still be scaled


class Past(nn.Module):
    """Raises InputError for a context shorter than a day."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        if window.context < window.day:
            raise InputError(
                f"a context of {window.context} steps is less than a day of {window.day}: give --context 1d or more"
            )
        self.window, self.day = window, window.day
        self.whole = window.context // window.day
        spans = dict.fromkeys(max(1, s // window.step_s) for s in SPANS_S)
        self.spans = tuple(k for k in spans if k + self.day <= window.context)
        self.clocked = set(CLOCK) <= set(window.inputs)
        self.n_kinds = max(KINDS) + 1 if self.clocked else 1
        turn = 2 * np.pi * np.arange(self.day) / self.day
        week = 2 * np.pi * np.arange(7) / 7
        kinds = np.eye(max(KINDS) + 1)[np.array(KINDS)]
        circles = {"slots": np.stack([np.sin(turn), np.cos(turn)]), "week": np.stack([np.sin(week), np.cos(week)])}
        for name, held in {**circles, "table": kinds}.items():
            self.register_buffer(name, torch.tensor(held, dtype=torch.float64), persistent=False)
        self.register_buffer("ahead", torch.arange(1, window.horizon + 1), persistent=False)

    def values(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.window.context, len(self.window.inputs))[:, :, 0]

    def days(self, v: Tensor) -> Tensor:
        return v[:, -self.whole * self.day :].reshape(-1, self.whole, self.day)

    def same_time(self, v: Tensor) -> Tensor:
        """(b, d, h): of each whole day, its value at the time of each step that is forecast."""
        held = self.days(v)
        h = self.window.horizon
        return held if h == self.day else torch.cat([held] * -(-h // self.day), dim=2)[:, :, :h]

    def recent(self, v: Tensor) -> Tensor:
        found = [(v[:, -k:] - v[:, -self.day - k : -self.day]).mean(dim=1) for k in self.spans]
        return torch.stack([*found, v[:, -self.day :].mean(dim=1)], dim=1)

    def level(self, v: Tensor) -> Tensor:
        return v.abs().mean(dim=1, keepdim=True)

    def swing(self, v: Tensor) -> Tensor:
        if self.window.context >= 2 * self.day:
            moved = (v[:, self.day :] - v[:, : -self.day]).abs().mean(dim=1, keepdim=True)
        else:
            moved = (v - v.mean(dim=1, keepdim=True)).abs().mean(dim=1, keepdim=True)
        return moved + LEAST * self.level(v) + 1e-9

    def kinds(self, x: Tensor) -> Tensor:
        b, h = x.shape[0], self.window.horizon
        if not self.clocked:
            return torch.ones_like(x[:, :1]).unsqueeze(1).expand(b, h, 1)
        sine, cosine = self._last(x, CLOCK[2:])
        week = cast(Tensor, self.week).to(x)
        today = (sine.unsqueeze(1) * week[0] + cosine.unsqueeze(1) * week[1]).argmax(dim=1)
        return cast(Tensor, self.table).to(x)[(today.unsqueeze(1) + self._slot(x) // self.day) % 7]

    def clock(self, x: Tensor) -> Tensor:
        """(b, h, 2): sine and cosine of the time of day of each step, from a table, so that the same time is the same
        number in every window; 0 where the window does not say it.
        """
        if not self.clocked:
            return x.new_zeros(()).expand(x.shape[0], self.window.horizon, 2)
        return cast(Tensor, self.slots).to(x).T[self._slot(x) % self.day]

    def _slot(self, x: Tensor) -> Tensor:
        """(b, h): steps from the midnight before the window's last step."""
        return slot_of(*self._last(x, CLOCK[:2]), self.day).unsqueeze(1) + cast(Tensor, self.ahead)

    def _last(self, x: Tensor, names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        """(b,) each: two inputs of the window's last step."""
        last = x.reshape(-1, self.window.context, len(self.window.inputs))[:, -1]
        sine, cosine = (last[:, self.window.inputs.index(name)] for name in names)
        return sine, cosine
