"""Scale: columns moved to a range, or to mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.table import Context, Table

__all__ = ["METHODS", "Scale"]

METHODS = ("min_max_scale", "standard_scale")
NARROW = 1e-6  # a range below it counts as 1


@dataclass(frozen=True, eq=False)
class Scale:
    """`columns`: name -> (lower, upper, mean, deviation); others pass.

        min_max_scale     1 above upper, 0 below lower, else (x - lower) / range
        standard_scale    (x cut to lower..upper - mean) / deviation, a deviation of 0 counting as 1

    `decimals`: to how many scaled values are rounded, as FATE did while training up to 1.4 (6); None: not at all. A
    value that is no number fails its row. Raises InputError for another method.
    """

    method: str
    columns: Mapping[str, tuple[float, float, float, float]]
    decimals: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"scaling '{self.method}' is not known: use one of {', '.join(METHODS)}")

    def local_inference(self, context: Context, rows: Table) -> Table:
        """New rows; those that came in, and their other readers, see nothing of it."""
        out = dict(rows.columns)
        for name, (lower, upper, mean, deviation) in self.columns.items():
            if name not in out:
                continue
            x = rows.numbers(name, context)
            if self.method == "min_max_scale":
                width = upper - lower if upper - lower >= NARROW else 1.0
                x = np.where(x > upper, 1.0, np.where(x < lower, 0.0, (x - lower) / width))
            else:
                x = (np.clip(x, lower, upper) - mean) / (deviation or 1.0)
            out[name] = x if self.decimals is None else np.round(x, self.decimals)
        return rows.having(out)
