"""Numbers that pages cite and no other benchmark has: python -m benchmarks.cited [--quick]

additive     R2 held out of families that are their own explanation, a row in six of the Xeon's telemetry
transformer  seconds and share right of `fit_transformer` on 12,000 rows of adult
importance   how often 95 % intervals of permutation importance hold the value, which is known
followed     bytes of a followed node, 32 counters in six groups, at the default settings
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import r2_score

from ascribe.core.features import Feature
from ascribe.core.importance import permutation_importance
from ascribe.core.model import Model
from ascribe.serve.now.track import Track
from ascribe.train.clean import clean
from ascribe.train.dataset import split
from ascribe.train.families.transformer import fit_transformer
from ascribe.train.power_families import ADDITIVE_FAMILIES
from ascribe.train.units import describe, read_units
from benchmarks.power import FEATURES, ROOT, TARGET, UNITS
from benchmarks.record import keep

WEIGHTS = np.array([3.0, 1.0, 0.5, 0.0])


def additive() -> dict[str, float]:
    """As `ascribe train` cuts the rows; only f, since the law of its inputs does not change R2."""
    rows = pl.read_parquet(ROOT / "examples" / "data" / "xeon_e5_2650.parquet").gather_every(6)
    group, units = ("source", "workload"), read_units(UNITS)
    kept = clean(rows, [describe(name, units) for name in FEATURES], describe(TARGET, units), "seq", group)
    data = split(kept.rows, [f.name for f in kept.features], TARGET, "seq", group)
    found = {}
    for family, fit in ADDITIVE_FAMILIES.items():
        terms = fit(data, 0).terms
        assert terms is not None
        found[family] = float(r2_score(data.holdout.y, terms.intercept + terms.parts(data.holdout.X).sum(axis=1)))
    return found


def transformer(rows: int) -> dict[str, Any]:
    frame = (
        pl.read_csv(ROOT / "examples" / "data" / "adult.csv.gz")
        .head(rows)
        .with_columns(pl.selectors.string().fill_null(""))
    )
    features, columns = [], []
    for column in frame.drop("income").iter_columns():
        if column.dtype == pl.String:
            kinds = sorted(column.unique().to_list())
            features.append(Feature(column.name, low=0, high=len(kinds) - 1, categories=tuple(kinds)))
            columns.append([float(kinds.index(text)) for text in column])
        else:
            features.append(Feature(column.name))
            columns.append(column.cast(pl.Float64).to_list())
    y = (frame["income"] == ">50K").to_numpy().astype(int)
    begin = time.perf_counter()
    _, accuracy = fit_transformer(features, np.array(columns).T, y, 2, seed=0)
    return {
        "rows": rows,
        "seconds": time.perf_counter() - begin,
        "accuracy": accuracy,
        "larger_class": float(1 - y.mean()),
    }


def importance(tables: int) -> dict[str, Any]:
    """Independent standard columns and a line: shuffling one adds 2 w^2 to a squared loss."""
    model = Model(tuple(Feature(f"x{j}") for j in range(4)), lambda Z: Z @ WEIGHTS, unit="W")
    held = np.zeros(4)
    for seed in range(tables):
        X = np.random.default_rng([seed, 0]).standard_normal((80, 4))
        y = X @ WEIGHTS + np.random.default_rng([seed, 1]).standard_normal(80)
        low, high = permutation_importance(model, X, y, repeats=3, seed=seed).interval()
        held += (low <= 2 * WEIGHTS**2) & (high >= 2 * WEIGHTS**2)
    return {"tables": tables, "rows": 80, "coverage": (held[:3] / tables).tolist()}


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    numbers = {
        "additive": additive(), "transformer": transformer(2_000 if quick else 12_000),
        "importance": importance(30 if quick else 300),
    }  # fmt: skip
    track = Track(32, 6, 900, 1440)
    numbers["followed"] = {"bytes": track.fine.bytes + track.coarse.bytes}
    for name, found in numbers.items():
        print(f"{name:12s} {found}")
    print(keep("cited", numbers, quick))


if __name__ == "__main__":
    main()
