"""Real tables in examples/data: features, target, and which rows train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.power import FEATURES as COUNTERS

__all__ = ["TABLES", "Table", "table"]

DATA = Path(__file__).parents[2] / "examples" / "data"
SHARE, MOST, SEED = 0.7, 15_000, 0


@dataclass(frozen=True, eq=False)
class Table:
    """Rows in natural units; `X`, `y` train, `X_held`, `y_held` are held out."""

    name: str
    features: tuple[str, ...]
    X: np.ndarray
    y: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray


def table(name: str) -> Table:
    """The table, split; at most `MOST` training rows, evenly spread."""
    rows, target, held = TABLES[name](name)
    features = tuple(c for c in rows.columns if c != target)
    X, y = rows.select(features).to_numpy().astype(float), rows[target].to_numpy().astype(float)
    train = np.flatnonzero(~held)
    train = train[np.linspace(0, len(train) - 1, min(MOST, len(train))).astype(int)]
    return Table(name, features, X[train], y[train], X[held], y[held])


Read = Callable[[str], tuple[pl.DataFrame, str, np.ndarray]]  # rows, target, which are held out


def _server(name: str) -> tuple[pl.DataFrame, str, np.ndarray]:
    """In time order within each workload, the last 30 % held out; rows with an impossible cpu_wio left out."""
    rows = pl.read_parquet(DATA / f"{name}.parquet").filter(pl.col("cpu_wio") <= 100).sort("seq")
    blocks = rows.partition_by(["source", "workload"], maintain_order=True)
    held = np.concatenate([np.arange(len(block)) >= round(SHARE * len(block)) for block in blocks])
    return pl.concat(blocks).select([*COUNTERS, "powerWatts"]), "powerWatts", held


def _kepler(name: str) -> tuple[pl.DataFrame, str, np.ndarray]:
    """Ten blocks in time order, the last 30 % of each held out: a plain split in time meets another stress phase."""
    rows = pl.read_csv(DATA / f"{name}.csv.gz", infer_schema_length=None).sort("timestamp")
    rows = rows.drop("timestamp", "dram_power", "platform_power").drop_nulls()
    place = np.arange(len(rows)) * 10 / len(rows)
    return rows, "package_power", place % 1 >= SHARE


def _random(target: str, drop: tuple[str, ...] = (), yes: str | None = None) -> Read:
    """A random 30 % held out; words become codes in alphabetical order, rows with missing values are left out. `yes`:
    the target's value that counts as 1.
    """

    def read(name: str) -> tuple[pl.DataFrame, str, np.ndarray]:
        rows = pl.read_csv(DATA / f"{name}.csv.gz", infer_schema_length=None).drop(*drop).drop_nulls()
        if yes is not None:
            rows = rows.with_columns((pl.col(target).str.strip_chars() == yes).cast(pl.Float64))
        words = [c for c, kind in rows.schema.items() if kind == pl.String]
        rows = rows.with_columns(pl.col(c).rank("dense").cast(pl.Float64) - 1 for c in words)
        return rows, target, np.random.default_rng(SEED).random(len(rows)) >= SHARE

    return read


def _ett(name: str) -> tuple[pl.DataFrame, str, np.ndarray]:
    """Random rows: the task is the load of this hour -> the oil's temperature, not a forecast."""
    rows = pl.read_csv(DATA / f"{name}.csv").drop("date")
    return rows, "OT", np.random.default_rng(SEED).random(len(rows)) >= SHARE


TABLES: dict[str, Read] = {
    "xeon_e5_2650": _server,
    "opteron6140": _server,
    "kepler_nx12": _kepler,
    "adult": _random("income", yes=">50K"),
    "abalone": _random("rings"),
    "bike_daily": _random("cnt", ("instant", "dteday", "casual", "registered")),
    "california_housing": _random("median_house_value"),
    "naval_propulsion": _random("comp_decay_state", ("turb_decay_state",)),
    "ETTh1": _ett,
}
