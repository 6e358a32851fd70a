"""What one of everything costs in a lake, for sizing: python -m benchmarks.lake_costs [--quick]

`file_s`, `file_bytes`: of one more file of an append on a directory: rows of as many nodes as rows, less those of one
node. `blob_s`: the latest vector of a node. `value_bytes`: of a value in the compacted lake, on the telemetry of two
servers and on random numbers. `message_bytes`: a vector of 32 features as JSON. One thread; medians of three.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ascribe.train.ingest.latest import Latest
from ascribe.train.ingest.run import Ingested
from ascribe.train.lake.lake import Lake
from ascribe.train.lake.rows import rows_of
from ascribe.train.lake.upkeep import compact, described
from ascribe.train.vectors import Places, Vectors
from benchmarks.ingest import messages
from benchmarks.record import keep

DATA = Path(__file__).parents[1] / "examples" / "data"
FEATURES = tuple(f"f{j}" for j in range(32))


def vectors(X: np.ndarray, names: tuple[str, ...], nodes: int, first: int = 0) -> Vectors:
    """Rows of so many nodes in turn, two seconds apart, from one stream."""
    at = np.arange(first, first + len(X))
    places = Places(("bench",), np.zeros(len(X), int), at)
    ids, node = [f"r{i}" for i in at], [f"n{i % nodes}" for i in at]
    return Vectors(
        ids, node, 1_790_000_000_000_000 + 2_000_000 * (at % 10_000), np.full(len(X), 90.0), names, X, places
    )


def put(lake: Lake, v: Vectors) -> float:
    """Seconds of an append."""
    placed = rows_of(v, np.ones(len(v), bool))
    begin = time.perf_counter()
    lake.append(placed, None, None, {"bench": int(v.places.position[-1]) + 1})
    return time.perf_counter() - begin


def stored(lake: Lake) -> int:
    return sum(place.stat().st_size for place in Path(lake.uri).rglob("*.parquet") if "_delta_log" not in place.parts)


def of_files(folder: Path, nodes: int, rounds: int) -> dict[str, float]:
    X = np.random.default_rng(0).standard_normal((nodes, 32))
    held: dict[int, tuple[float, float]] = {}
    for many in (1, nodes):
        lake = Lake(str(folder / f"files{many}"))
        put(lake, vectors(X, FEATURES, many))
        before = stored(lake)
        took = [put(lake, vectors(X, FEATURES, many, nodes * (k + 1))) for k in range(rounds)]
        held[many] = statistics.median(took), (stored(lake) - before) / rounds
    (one_s, one_bytes), (all_s, all_bytes) = held[1], held[nodes]
    return {"file_s": (all_s - one_s) / (nodes - 1), "file_bytes": (all_bytes - one_bytes) / (nodes - 1)}


def of_blobs(folder: Path, nodes: int, rounds: int) -> float:
    v = vectors(np.random.default_rng(0).standard_normal((nodes, 32)), FEATURES, nodes)
    took, latest = [], Latest(Lake(str(folder / "blobs")).state, "bench")
    for _ in range(rounds):
        latest.see(v, np.ones(nodes, bool))
        begin = time.perf_counter()
        latest.write(Ingested())
        took.append((time.perf_counter() - begin) / nodes)
    return statistics.median(took)


def of_values(folder: Path, name: str, X: np.ndarray, names: tuple[str, ...]) -> float:
    """Bytes a value after compaction, ids and times included, of ten appends of one node."""
    lake = Lake(str(folder / name))
    for k, rows in enumerate(np.array_split(X, 10)):
        put(lake, vectors(rows, names, 1, k * len(X)))
    compact(lake)
    return described(lake).tables["rows"]["bytes"] / X.size


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    nodes, rounds = (200, 2) if quick else (1_000, 3)
    numbers: dict[str, Any] = {"nodes": nodes, "columns": {}, "value_bytes": {}}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        numbers |= of_files(folder, nodes, rounds)
        numbers["blob_s"] = of_blobs(folder, nodes, rounds)
        for server in ("xeon_e5_2650", "opteron6140"):
            frame = pl.read_parquet(DATA / f"{server}.parquet").select(pl.selectors.numeric())
            numbers["columns"][server] = frame.width
            numbers["value_bytes"][server] = of_values(folder, server, frame.to_numpy(), tuple(frame.columns))
        X = np.random.default_rng(0).standard_normal((10_000, 32))
        numbers["value_bytes"]["random"] = of_values(folder, "random", X, FEATURES)
    numbers["message_bytes"] = statistics.mean(map(len, messages(1_000)))
    for key, value in numbers.items():
        print(f"{key:16s} {value}")
    print(keep("lake_costs", numbers, quick))


if __name__ == "__main__":
    main()
