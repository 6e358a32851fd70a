"""What of a forecast can be named, so that it can be explained: a curve is no game, a number is.

mean     of the h steps, in the series' unit
peak     the largest of them, in the series' unit
total    their sum: of a rate (bit/s) not yet an amount, which is total x seconds of a step
step k   the k-th step, k = 1 ... h, in the series' unit
"""

from __future__ import annotations

from ascribe.core.arrays import Float, np

__all__ = ["NAMED", "names", "of_steps", "unit_of"]

NAMED = ("mean", "peak", "total")


def names(horizon: int) -> tuple[str, ...]:
    """In the order of a forecast graph's columns.

    >>> names(2)
    ('mean', 'peak', 'total', 'step 1', 'step 2')
    """
    return (*NAMED, *(f"step {k}" for k in range(1, horizon + 1)))


def of_steps(forecast: Float[np.ndarray, "b h"]) -> Float[np.ndarray, "b k"]:
    """All outputs (b, 3 + h) of forecasts.

    >>> of_steps(np.array([[1.0, 5.0, 3.0]])).tolist()
    [[3.0, 5.0, 9.0, 1.0, 5.0, 3.0]]
    """
    y = np.asarray(forecast, dtype=float)
    whole = (y.mean(axis=1), y.max(axis=1), y.sum(axis=1))
    return np.concatenate([np.stack(whole, axis=1), y], axis=1)


def unit_of(output: str, unit: str, horizon: int) -> str:
    """The unit of an output of a series in `unit`.

    >>> unit_of("peak", "bit/s", 288), unit_of("total", "bit/s", 288)
    ('bit/s', 'bit/s, summed over 288 steps')
    """
    return f"{unit}, summed over {horizon} steps".removeprefix(", ") if output == "total" else unit
