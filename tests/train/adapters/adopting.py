"""A model file imported in this process, and what its library says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import ascribe
from ascribe.opened import OpenModel
from ascribe.train.adapters.adopted import Asked
from ascribe.train.adapters.background import Background
from ascribe.train.adopted.adopt import AdoptOptions, adopt
from tests.journey import ROOT

DATA = ROOT / "examples" / "data"
MODELS = DATA / "models"
NUMBERS = (
    "longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population", "households",
    "median_income",
)  # fmt: skip
PRICE = "median_house_value"


def houses() -> pl.DataFrame:
    return pl.read_csv(DATA / "california_housing.csv.gz").gather_every(16).drop("ocean_proximity")


def adults() -> pl.DataFrame:
    return pl.read_csv(DATA / "adult.csv.gz").gather_every(16)


def background(rows: pl.DataFrame, place: Path) -> Path:
    rows.write_parquet(place / "rows.parquet")
    return place / "rows.parquet"


def adopted(file: Path, rows: Path, out: Path, **more: Any) -> OpenModel:
    """Imported and opened."""
    adopt(AdoptOptions(file, Asked(Background.at(rows), **more), out))
    return ascribe.open(out)


def near(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Within 1e-5 of the largest value."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    return found.shape == wanted.shape and bool(np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max())
