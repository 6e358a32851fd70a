"""From clean rows to training, validation and held-out parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from ascribe.core.errors import InputError

__all__ = ["Dataset", "Part", "split"]


@dataclass(frozen=True, eq=False)
class Part:
    """`X (rows, n)` in natural units, `y (rows,)` in the target's unit, `row`: positions in the file."""

    X: np.ndarray
    y: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Dataset:
    """`fit` and `validation` together are the training part; `holdout` is never touched before the end. `late`:
    positions in the training part of the last half of each group's validation rows, for what must be judged on rows
    that are not neighbours in time of those it was fitted on.
    """

    fit: Part
    validation: Part
    holdout: Part
    late: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

    @cached_property
    def training(self) -> Part:
        """The whole training part."""
        both = (self.fit, self.validation)
        return Part(*(np.concatenate([getattr(p, k) for p in both]) for k in ("X", "y", "row")))


def split(
    rows: pl.DataFrame,
    features: Sequence[str],
    target: str,
    time: str | None = None,
    group: Sequence[str] = (),
    holdout: float = 0.3,
    validation: float = 0.3,
    seed: int = 0,
) -> Dataset:
    """Cut each group in time order: the last `holdout` share is held out, the last `validation` share of the rest
    validates. The validation gap is thus as long, relative to what it is trained on, as the one that the model will
    be judged over. Without a time the order within each group is random by `seed`.

    Raises InputError for shares outside (0, 1) or when a part would be empty.
    """
    if not 0 < holdout < 1 or not 0 < validation < 1:
        raise InputError(f"shares must lie between 0 and 1: holdout {holdout}, validation {validation}")
    ordered = rows.sort(time, maintain_order=True) if time else rows.sample(fraction=1, shuffle=True, seed=seed)
    blocks = ordered.partition_by(list(group), maintain_order=True) if group else [ordered]
    parts: dict[str, list[pl.DataFrame]] = {"fit": [], "validation": [], "holdout": []}
    for block in blocks:
        train = round(len(block) * (1 - holdout))
        fit = round(train * (1 - validation))
        parts["fit"].append(block[:fit])
        parts["validation"].append(block[fit:train])
        parts["holdout"].append(block[train:])
    made = {name: _part(pl.concat(held), features, target) for name, held in parts.items()}
    late = np.concatenate([2 * np.arange(len(block)) >= len(block) for block in parts["validation"]])
    for name, part in made.items():
        if len(part) < 10:
            raise InputError(f"the {name} part has {len(part)} rows, 10 are the least: give more rows or other shares")
    return Dataset(**made, late=len(made["fit"]) + np.flatnonzero(late))


def _part(rows: pl.DataFrame, features: Sequence[str], target: str) -> Part:
    return Part(
        rows.select(features).to_numpy().astype(float),
        rows[target].to_numpy().astype(float),
        rows["row"].to_numpy().astype(np.int64),
    )
