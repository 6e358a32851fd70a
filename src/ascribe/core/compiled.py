"""An explanation as one function: rows in; prediction, attribution, standard error and effective sample size out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ascribe.core.arrays import Float, np

__all__ = ["ROWS", "Compiled", "in_blocks"]

ROWS = 256  # of one call: the graph's memory grows with its rows

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Compiled:
    """`run`: rows (b, n) float32 in natural units -> `prediction (b,)`, `attribution (b, n)`, `stderr (b, n)`, `ess
    (b,)`. What the plan inside it is: `value` answers v(S), `estimator` read it, `budget` coalitions, `samples`
    completions (0: none), `seed`. `error`: what its makers measured of it, for `Info.gaps`.
    """

    run: Run
    base_value: float
    value: str
    estimator: str
    budget: int
    samples: int
    seed: int
    error: Mapping[str, float]


def in_blocks(run: Run, X: Float[np.ndarray, "b n"]) -> dict[str, np.ndarray]:
    """`run` on at most `ROWS` rows at a time, joined; X has at least one row.

    >>> in_blocks(lambda X: {"prediction": X.sum(axis=1)}, np.ones((600, 2)))["prediction"].shape
    (600,)
    """
    parts = [run(X[k : k + ROWS]) for k in range(0, len(X), ROWS)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
