"""A lake with a known law, small enough to train on in seconds: two nodes, three counters, watts.

watts = 40 + 30 busy + 8 ghz + 2 misses + noise
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import deltalake
import numpy as np
import pyarrow as pa

from ascribe.core.features import Feature
from ascribe.train.definitions import FeatureSet
from ascribe.train.lake.lake import Lake

NAMES = ("busy", "ghz", "misses")
DEFINED = FeatureSet(
    (Feature("busy", "ratio", -2.0, 3.0), Feature("ghz", "Hz", 0.0, 10.0), Feature("misses", "count/s", -50.0, 100.0))
)
START = datetime(2026, 11, 1, tzinfo=UTC)


def telemetry(
    rows: int, seed: int = 0, start: int = 0, noise: float = 0.5, shuffled: bool = False, shift: float = 0.0,
    unlabelled: int = 0,
) -> pa.Table:  # fmt: skip
    """`start`: seconds after the first row of all; `shuffled`: watts of other rows; `shift`: of `busy`, in its standard
    deviations; the first `unlabelled` rows have no watts.
    """
    rng = np.random.default_rng(seed)
    score = np.sqrt(0.8) * rng.standard_normal((rows, 1)) + np.sqrt(0.2) * rng.standard_normal((rows, 3))
    X = np.array([0.5, 4.0, 20.0]) + np.array([0.1, 0.4, 2.0]) * (score + np.array([shift, 0, 0]))
    watts = 40 + X @ np.array([30.0, 8.0, 2.0]) + noise * rng.standard_normal(rows)
    if shuffled:
        watts = rng.permutation(watts)
    times = pa.array([START + timedelta(seconds=start + k // 2) for k in range(rows)], pa.timestamp("us", "UTC"))
    columns = {
        "id": [f"{seed}-{start}-{k}" for k in range(rows)],
        "node": [f"n{k % 2}" for k in range(rows)],
        "timestamp": times,
        "day": [str(time.as_py().date()) for time in times],
        "power_w": pa.array(watts, mask=np.arange(rows) < unlabelled),
    }
    return pa.table(columns | {name: X[:, j] for j, name in enumerate(NAMES)})


def pour(uri: str, table: pa.Table) -> Lake:
    """Append to the lake, whose features are defined."""
    deltalake.write_deltalake(uri, table, mode="append", partition_by=["node", "day"], schema_mode="merge")
    lake = Lake(uri)
    lake.define(DEFINED)
    return lake
