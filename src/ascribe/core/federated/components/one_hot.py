"""OneHotEncoder: one column becomes one of 0 and 1 for each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.federated.codes import BAD_FEATURE
from ascribe.core.federated.table import Context, Table
from ascribe.core.words import quoted

__all__ = ["OneHot"]


@dataclass(frozen=True, eq=False)
class OneHot:
    """`columns`: name -> (values, names of their columns). A value that is none of them gives all 0; an absent one
    leaves the new columns absent. A value that is no whole number fails its row ("1.0" is one).
    """

    columns: Mapping[str, tuple[tuple[int, ...], tuple[str, ...]]]

    def local_inference(self, context: Context, rows: Table) -> Table:
        """New columns behind those that pass; the ones they are made of are gone."""
        out = {name: held for name, held in rows.columns.items() if name not in self.columns}
        for name, (values, made) in self.columns.items():
            if name not in rows.columns:
                continue
            x = rows.numbers(name, context)
            broken = ~np.isnan(x) & (x != np.round(x))
            context.fail(np.flatnonzero(broken), BAD_FEATURE, f"{quoted(name)} must be a whole number")
            for value, new in zip(values, made, strict=True):
                out[new] = np.where(np.isnan(x), np.nan, (x == value).astype(float))
        return rows.having(out)
