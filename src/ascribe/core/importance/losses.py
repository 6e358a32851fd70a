"""What a wrong prediction costs, row by row.

squared    (y - f)^2                                in the output's unit, squared
absolute   |y - f|                                  in the output's unit
log        -(y log f + (1 - y) log(1 - f))          in nats; f is a probability, y is 0 or 1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError

__all__ = ["LOSSES", "Loss", "loss_of", "unit_of"]

Loss = Callable[[Any, np.ndarray], np.ndarray]  # the truth, of each row or of all, and predictions
LEAST = 1e-15  # of a probability, so that one certain mistake is not infinite


def _log(y: Any, f: np.ndarray) -> np.ndarray:
    p = np.clip(f, LEAST, 1 - LEAST)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


LOSSES: dict[str, Loss] = {
    "squared": lambda y, f: (y - f) ** 2,
    "absolute": lambda y, f: np.abs(y - f),
    "log": _log,
}


def loss_of(name: str, y: Float[np.ndarray, " b"], f: Float[np.ndarray, " b"]) -> Loss:
    """The loss, by name. Raises InputError for an unknown one, and for a log loss of what is no probability."""
    if name not in LOSSES:
        raise InputError(f"no loss '{name}': use {', '.join(LOSSES)}")
    if name == "log" and not ((y >= 0) & (y <= 1) & (f >= 0) & (f <= 1)).all():
        raise InputError("a log loss is of probabilities: choose space='probability', and a target of 0 and 1")
    return LOSSES[name]


def unit_of(loss: str, unit: str) -> str:
    """
    >>> unit_of("squared", "W"), unit_of("log", "")
    ('W^2', 'nat')
    """
    return {"squared": f"{unit}^2" if unit else "", "absolute": unit, "log": "nat"}[loss]
