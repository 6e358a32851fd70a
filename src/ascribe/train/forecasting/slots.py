"""Which step of its day a moment is, of its place on the circle of the day."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ascribe.core.forecast.calendar import DAY_S

__all__ = ["slot_of"]


def slot_of(sine: Tensor, cosine: Tensor, day: int) -> Tensor:
    """(b,) whole steps since midnight, 0 ... day - 1, of a day of so many; int64.

    Rounded down: steps at half past, as hourly ones are in India, belong to the hour that they are in. Rounded to the
    nearest, the last of a day would be midnight, and of which day is not said. Moments are whole seconds, so half a
    second is further than single precision is wrong.
    """
    turn = torch.atan2(sine.float(), cosine.float()) * (day / (2 * math.pi))
    since = torch.where(turn < 0, turn + day, turn)
    return torch.floor(since + 0.5 * day / DAY_S).to(torch.int64)
