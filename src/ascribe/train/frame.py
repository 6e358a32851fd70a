"""A file of rows as a frame, whose columns have a name each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl

from ascribe.bundle.tables import read_table
from ascribe.core.errors import InputError

__all__ = ["read_frame"]


def read_frame(path: Path) -> pl.DataFrame:
    """Raises InputError as `read_table`, and for a column that is there twice."""
    table = read_table(path)
    if twice := [name for name, count in Counter(table.column_names).items() if count > 1]:
        raise InputError(f"{path} has column '{twice[0]}' more than once: rename or remove the others in the file")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
