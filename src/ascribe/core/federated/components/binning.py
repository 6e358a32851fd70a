"""HeteroFeatureBinning: a value becomes the number of its bin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.table import Context, Table

__all__ = ["Binning"]


@dataclass(frozen=True, eq=False)
class Binning:
    """`points`: name -> split points in rising order; the bin of x is min(points below x, points - 1). Other columns
    pass. A value that is no number fails its row. Raises InputError for points that do not rise.
    """

    points: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        held = {name: np.asarray(p, dtype=float) for name, p in self.points.items()}
        for name, p in held.items():
            if p.ndim != 1 or not len(p) or not np.isfinite(p).all() or (np.diff(p) < 0).any():
                raise InputError(f"split points of '{name}' do not rise: read the model again")
        object.__setattr__(self, "points", held)

    def local_inference(self, context: Context, rows: Table) -> Table:
        """New rows; an absent value stays absent."""
        out = dict(rows.columns)
        for name, points in self.points.items():
            if name in out:
                x = rows.numbers(name, context)
                found = np.minimum(np.searchsorted(points, x, side="left"), len(points) - 1)
                out[name] = np.where(np.isnan(x), np.nan, found)
        return rows.having(out)
