"""A federated request in one process, stage by stage: what host and guest compute, without a network; bytes of a reply.

XGBoost's 300 trees of depth 6 on adult (columns with gaps), split between a guest and two hosts. Median and 95th
percentile over repeated requests of 1, 10, 50 and 300 rows, one thread. `host`: the slower host's own half; `local` and
`merge`: the guest's; `explain`: exact Shapley values, each host one player. `json` and `packed`: a host's answer in
bytes, as FATE-Serving writes it and as bits.

    OMP_NUM_THREADS=1 python -m benchmarks.federated_stages [--quick]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xgboost

from ascribe.core.federated import Explainer, Party, Table, answer, ask, local, merge, pack
from ascribe.core.federated.fate_routes import told
from ascribe.core.federated.split import split_trees
from ascribe.train.adapters.xgboost_trees import xgboost_trees
from benchmarks.record import keep

DATA = Path(__file__).parents[1] / "examples" / "data" / "adult.csv.gz"
SIZES = {1: 200, 10: 150, 50: 80, 300: 30}  # rows of a request, and how many requests
PARTIES = ("guest", "bank", "telco")


def table() -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    frame = pl.read_csv(DATA, null_values=["", "?"])
    held = frame.drop("income")
    columns = [c.cast(pl.Categorical).to_physical() if c.dtype == pl.String else c for c in held.iter_columns()]
    X = np.stack([c.cast(pl.Float64).to_numpy() for c in columns], axis=1)
    return tuple(held.columns), X, (frame["income"] == ">50K").cast(pl.Float64).to_numpy()


def halves(names: tuple[str, ...], X: np.ndarray, y: np.ndarray) -> dict[str, Party]:
    options = {"max_depth": 6, "objective": "binary:logistic", "eta": 0.1, "nthread": 1, "seed": 0}
    booster = xgboost.train(options, xgboost.DMatrix(X, y, feature_names=list(names)), 300)
    return split_trees(xgboost_trees(booster), {c: PARTIES[i % 3] for i, c in enumerate(names)}, "adult")


def spent(call: Callable[[], Any], times: list[float]) -> Any:
    start = time.perf_counter()
    held = call()
    times.append(1e3 * (time.perf_counter() - start))
    return held


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    names, X, y = table()
    parties = halves(names, X[:10_000], y[:10_000])
    guest, explainer = parties["guest"], Explainer(parties["guest"])
    made: list[float] = []
    spent(lambda: explainer.values, made)
    rng, results = np.random.default_rng(0), []

    def own(name: str, rows: np.ndarray) -> Table:
        return Table.of_matrix(parties[name].inputs, rows[:, [names.index(c) for c in parties[name].inputs]])

    for size, requests in SIZES.items():
        times: dict[str, list[float]] = {stage: [] for stage in ("host", "local", "merge", "explain")}
        for _ in range(requests // 10 if quick else requests):
            rows = X[rng.integers(0, len(X), size)]
            asked, replies, slow = ask(guest, range(size)), {}, []
            for name in PARTIES[1:]:
                theirs, each = own(name, rows), []
                replies[parties[name].name] = spent(lambda p=parties[name], q=asked, r=theirs: answer(p, q, r), each)
                slow += each
            times["host"].append(max(slow))
            mine = own("guest", rows)
            held = spent(lambda r=mine: local(guest, r), times["local"])
            scored = spent(lambda h=held, r=replies: merge(guest, h, r), times["merge"])
            spent(lambda s=scored: explainer(s), times["explain"])
        routes = replies["host:bank"].parts["trees"]
        text = json.dumps(told(guest.pipeline.last[1].structure, "host:bank", routes), separators=(",", ":"))
        stages = {stage: [round(float(np.percentile(t, q)), 3) for q in (50, 95)] for stage, t in times.items()}
        results.append(
            {"rows": size, "p50_p95_ms": stages, "json_bytes": len(text), "packed_bytes": pack(routes.bits).size}
        )
        print(f"{size:4d} rows  " + "  ".join(f"{s} {p50:.2f}/{p95:.2f} ms" for s, (p50, p95) in stages.items())
              + f"  json {len(text)} B, packed {pack(routes.bits).size} B")  # fmt: skip
    shape = guest.pipeline.last[1].structure
    keep("federated_stages", {"tables_ms": round(made[0], 1), "nodes": len(shape.owner), "requests": results}, quick)


if __name__ == "__main__":
    main()
