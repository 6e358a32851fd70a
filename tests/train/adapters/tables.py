"""Two tables with missing values: adult (classes; categories as numbers) and california housing (a quantity)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

DATA = Path(__file__).parents[3] / "examples" / "data"
CATEGORICAL = (1, 3, 5, 6, 7, 8, 9, 13)  # columns of adult


@lru_cache(maxsize=1)
def adult(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """X (rows, 14), y: is the income above 50,000. Workclass, occupation and native country are missing at times."""
    frame = pl.read_csv(DATA / "adult.csv.gz", null_values=["", "?"]).head(rows)
    columns = [
        column.cast(pl.Categorical).to_physical() if column.dtype == pl.String else column
        for column in frame.drop("income").iter_columns()
    ]
    X = np.stack([column.cast(pl.Float64).to_numpy() for column in columns], axis=1)
    return X, (frame["income"] == ">50K").cast(pl.Float64).to_numpy()


@lru_cache(maxsize=1)
def housing(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """X (rows, 8), y in 100,000 dollars; a tenth of the incomes is taken away beside the bedrooms that are missing."""
    frame = pl.read_csv(DATA / "california_housing.csv.gz").sample(rows, seed=0)
    X = frame.drop("median_house_value", "ocean_proximity").cast(pl.Float64).to_numpy().copy()
    X[np.random.default_rng(0).random(rows) < 0.1, 7] = np.nan
    assert np.isnan(X[:, 4]).any()
    return X, frame["median_house_value"].to_numpy() / 1e5


TABLES = {"adult": adult, "housing": housing}
