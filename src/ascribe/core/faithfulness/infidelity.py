"""Infidelity: what values miss of the change of a prediction when units are hidden at random; Yeh et al. 2019.

    infidelity = mean_I (beta sum_(j in I) phi_j - (f(x) - f(x with I hidden)))^2        in the output's unit, squared
    missed     = infidelity / mean_I (f(x) - f(x with I hidden))^2                          0 ... 1 at the best beta

I: each unit with probability 1/2, the same sets for every method. beta = 1, or, `scaled`, the factor that fits best: it
lets methods compare whose values are in no unit or on another scale (saliency), and `missed` is then at most 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, Predict, np
from ascribe.core.perturbations import asked
from ascribe.core.players import Segments

__all__ = ["DRAWS", "Infidelity", "changes", "infidelity", "masks"]

DRAWS = 64


@dataclass(frozen=True)
class Infidelity:
    """Of one row. `missed` is NaN where hiding changes nothing."""

    infidelity: float
    missed: float
    beta: float


def masks(units: Segments, draws: int, seed: int) -> Bool[np.ndarray, "draws u"]:
    """Sets of hidden units, none of them empty."""
    rng = np.random.default_rng(seed)
    I = rng.random((draws, units.p)) < 0.5  # noqa: E741 - the paper's letter
    empty = np.flatnonzero(~I.any(axis=1))
    I[empty, rng.integers(0, units.p, len(empty))] = True
    return I


def changes(
    predict: Predict,
    x: Float[np.ndarray, " n"],
    hidden: Float[np.ndarray, " n"],
    units: Segments,
    I: Bool[np.ndarray, "draws u"],  # noqa: E741
) -> Float[np.ndarray, " draws"]:
    """f(x) - f(x with I hidden)."""
    f = asked(predict, len(I), len(x), lambda at: np.where(units.features_of(~I[at]), x, hidden))
    return float(np.asarray(predict(x[None]), dtype=float).reshape(-1)[0]) - f


def infidelity(
    values: Float[np.ndarray, " u"],
    I: Bool[np.ndarray, "draws u"],  # noqa: E741
    change: Float[np.ndarray, " draws"],
    scaled: bool = True,
) -> Infidelity:
    """`values`: of each unit, what it adds to the prediction; `change`: see `changes`.

    >>> infidelity(np.array([1.0, 2.0]), np.array([[True, False], [True, True]]), np.array([1.0, 3.0])).missed
    0.0
    """
    told = I.astype(float) @ values
    square = float(told @ told)
    beta = 1.0 if not scaled else float(told @ change) / square if square > 0 else 0.0
    found = float(np.mean((beta * told - change) ** 2))
    moved = float(np.mean(change**2))
    return Infidelity(found, found / moved if moved > 0 else float("nan"), beta)
