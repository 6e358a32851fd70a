"""Dynamic masking: which features the networks see in training.

    rate(t) = 0.2 + 0.6 t,  t in [0, 1] the share of training done;  hidden_j ~ Bernoulli(rate)

Shapley weights give every coalition size the same total, the schedule does not (in its last epoch 2 % of masks hide
half or fewer of 12 features), so half of each batch has its size drawn uniformly instead, and in the last fifth of
training all of it: `docs/decisions/0003-masking.md`.
"""

from __future__ import annotations

import numpy as np

__all__ = ["hidden_rate", "observed_masks"]

START, END = 0.2, 0.8
UNIFORM_FROM = 0.8


def hidden_rate(t: float) -> float:
    """Fraction HIDDEN at share `t` of training."""
    return START + (END - START) * min(max(t, 0.0), 1.0)


def observed_masks(rows: int, n: int, t: float, rng: np.random.Generator, schedule: str = "mixed") -> np.ndarray:
    """Masks (rows, n), True = observed.

    `schedule`: "linear" is the documented schedule alone, "uniform" the uniform cardinality alone, "mixed" both.
    """
    linear = rng.random((rows, n)) >= hidden_rate(t)
    size = rng.integers(0, n, size=(rows, 1))  # observed: 0..n-1, so at least one is hidden
    uniform = rng.random((rows, n)).argsort(axis=1).argsort(axis=1) < size
    if schedule == "linear":
        return linear
    if schedule == "uniform" or t >= UNIFORM_FROM:
        return uniform
    return np.where(np.arange(rows)[:, None] % 2 == 0, linear, uniform)
