"""Rows that are not learnt from, kept beside the bundle with their reasons."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ascribe.bundle.written import writing

__all__ = ["QUARANTINE", "put_aside"]

QUARANTINE = "quarantine.parquet"


def put_aside(rows: pl.DataFrame, folder: Path) -> Path:
    """Write them into a folder, which is made. Raises InputError where it cannot be written."""
    place = folder / QUARANTINE
    with writing(place) as part:
        rows.write_parquet(part)
    return place
