"""Mean |value| of each player over the rows of an attribution."""

from __future__ import annotations

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.importance.record import Importance

__all__ = ["mean_abs"]


def mean_abs(a: Attribution) -> Importance:
    """mean_i |values_i|, its error sd / sqrt(rows); rows without an answer are left out. The noise of the values
    themselves makes a mean of sizes larger: `told["noise"]` is the mean standard error of the values.

    Raises InputError where fewer than two rows were answered.
    """
    held = np.abs(a.values[np.isfinite(a.values).all(axis=1)])
    if len(held) < 2:
        raise InputError("importance needs two answered rows at least")
    told = float(np.nanmean(a.stderr)) if np.isfinite(a.stderr).any() else 0.0
    return Importance(
        a.features, held.mean(axis=0), held.std(axis=0, ddof=1) / np.sqrt(len(held)), "mean_abs", len(held),
        a.info.unit, seed=a.info.seed, told={"noise": told},
    )  # fmt: skip
