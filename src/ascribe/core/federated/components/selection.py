"""HeteroFeatureSelection: some columns are kept."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.federated.table import Context, Table

__all__ = ["Selection"]


@dataclass(frozen=True, eq=False)
class Selection:
    """Only the columns `kept` pass."""

    kept: tuple[str, ...]

    def local_inference(self, context: Context, rows: Table) -> Table:
        """The same values, fewer columns."""
        return rows.having({name: rows.columns[name] for name in self.kept if name in rows.columns})
