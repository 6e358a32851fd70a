"""Data of the examples that pages count."""

from __future__ import annotations

from pathlib import Path

import polars as pl

__all__ = ["xeon"]


def xeon() -> pl.DataFrame:
    """What `make demo` reads."""
    return pl.read_parquet(Path(__file__).parents[2] / "examples" / "data" / "xeon_e5_2650.parquet")
