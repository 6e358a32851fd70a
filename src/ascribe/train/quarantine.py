"""Rows that are not learnt from, kept beside the bundle with their reasons."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ascribe.core.errors import InputError

__all__ = ["QUARANTINE", "put_aside"]

QUARANTINE = "quarantine.parquet"


def put_aside(rows: pl.DataFrame, folder: Path) -> Path:
    """Write them into a folder, which is made. Raises InputError where it cannot be written."""
    place = folder / QUARANTINE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(place)
    except OSError as exc:
        raise InputError(f"{place} cannot be written ({exc.strerror or exc})") from exc
    return place
