"""How much of everything a fleet needs, from 10 to 100,000 nodes: `python -m benchmarks.sizing [--nodes N --every S]`.

    rows a second        r = nodes / every
    an append            of b = min(r batch_s / readers, batch_rows) rows touches p partitions and writes p files:
                         by node  p = min(b, nodes / readers)
                         by shard p = S (1 - (1 - 1/S)^min(b, nodes / readers))
    a reader, behind     takes batch_rows / (batch_rows / rows_per_s + p file_s) rows a second
    readers              the fewest that take `headroom` times r
    after an outage      of T seconds, all is read T r / (taken - r) seconds later

Without arguments it writes the tables and the figure of docs/sizing.md and benchmarks/results/sizing.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import ceil, inf, log2

import numpy as np

from benchmarks.record import keep

__all__ = ["FLEETS", "Costs", "Fleet", "Plan", "caught_up_s", "plan", "simulated_files", "touched"]

DAY_S = 86_400.0
FILE_BYTES = 128 << 20  # what compaction joins to
SHARD_BYTES = (
    8 * FILE_BYTES
)  # of a shard's day: fewer shards are fewer files an append, more are less to read for a node
NODES_BY_NODE = 50  # more than these are partitioned by shard
MOST_BATCH_ROWS = 400_000  # 100 MB of 32 features
BATCHES_S = (1.0, 5.0, 15.0, 60.0)
BLOBS_EVERY_S = 2.0  # a reader writes a node's latest vector at most so often
FILES_A_DAY = 100_000
"""Files that an hourly compaction joins without pain: about 4,000 an hour."""


@dataclass(frozen=True)
class Fleet:
    """`every_s`: seconds between two vectors of a node."""

    nodes: int
    every_s: float = 15.0

    @property
    def rows_per_s(self) -> float:
        return self.nodes / self.every_s


@dataclass(frozen=True)
class Costs:
    """What one of everything costs. Seconds, bytes, rows; 32 features.

    Measured on two cores: `rows_per_s` of a reader, `row_bytes` in the compacted lake, `file_s` of one more file of an
    append on a directory, `message_bytes` as JSON (benchmarks/lake_costs.py), `train_s` for `train_rows`. Above what
    was measured (docs/sizing.md): `serve_s` of a row in calls of 256 through gRPC, tier fast. Taken as given:
    `remote_s`, one write to an object store, of which a reader has `remote_at_once` under way;
    `partition_bytes_per_s`; the rest are choices.
    """

    rows_per_s: float = 100_000.0
    row_bytes: float = 90.0
    file_s: float = 0.0003
    remote_s: float = 0.015
    remote_at_once: int = 16
    message_bytes: float = 1_000.0
    partition_bytes_per_s: float = 5e6
    batch_rows: int = 25_000
    headroom: float = 3.0
    topic_days: float = 3.0
    lake_days: float = 90.0
    train_s: float = 600.0
    train_rows: int = 20_000
    train_rows_most: int = 200_000
    train_days: float = 14.0
    serve_s: float = 0.00017
    serve_cores: float = 2.0
    busy: float = 0.6


@dataclass(frozen=True)
class Plan:
    """What a fleet needs. `shards` 0: by node. `files_*`: a day; `written` before compaction, `kept` after."""

    nodes: int
    rows_per_s: float
    topic_bytes: float
    partitions: int
    readers: int
    shards: int
    batch_s: float
    batch_rows: int
    files_by_node: float
    files_by_shard: float
    files_written: float
    files_kept: int
    lake_bytes_per_day: float
    lake_bytes: float
    hour_caught_up_s: float
    blobs_per_s: float
    readers_remote: int
    train_share: float
    train_cpu_s: float
    replicas: int


def shards_of(fleet: Fleet, costs: Costs) -> int:
    """0 for few nodes; else the power of two, at least 4, by which a shard's day is at most `SHARD_BYTES`."""
    if fleet.nodes <= NODES_BY_NODE:
        return 0
    return int(max(4, 2 ** ceil(log2(max(fleet.rows_per_s * DAY_S * costs.row_bytes / SHARD_BYTES, 1)))))


def touched(rows: float, nodes: float, shards: int) -> float:
    """Expected partitions of one append of `rows` rows, of a reader that hears of `nodes` nodes."""
    heard = min(rows, nodes)
    return shards * -np.expm1(heard * np.log1p(-1 / shards)) if shards > 1 else (heard if not shards else min(heard, 1))


def taken(fleet: Fleet, costs: Costs, readers: int, shards: int) -> float:
    """Rows a second that so many readers take when they are behind and every append is full."""
    files = touched(costs.batch_rows, fleet.nodes / readers, shards)
    return readers * costs.batch_rows / (costs.batch_rows / costs.rows_per_s + files * costs.file_s)


def caught_up_s(rows_per_s: float, taken_per_s: float, outage_s: float) -> float:
    """Seconds from the end of an outage until nothing is left to read."""
    return outage_s * rows_per_s / (taken_per_s - rows_per_s) if taken_per_s > rows_per_s else inf


def files_of(fleet: Fleet, costs: Costs, readers: int, shards: int, batch_s: float) -> float:
    """Files that appends write in a day; an append that would have no row is none."""
    rows = fleet.rows_per_s / readers * batch_s
    appends = readers * DAY_S / batch_s * min(rows, 1.0)
    if rows > costs.batch_rows:
        appends, rows = fleet.rows_per_s * DAY_S / costs.batch_rows, costs.batch_rows
    return appends * max(touched(max(rows, 1.0), fleet.nodes / readers, shards), 1.0)


def fewest(enough: Callable[[int], bool]) -> int:
    """The smallest count that is enough, where more is never less."""
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def plan(fleet: Fleet, costs: Costs | None = None) -> Plan:
    """Everything for one fleet."""
    costs = costs or Costs()
    r, shards = fleet.rows_per_s, shards_of(fleet, costs)
    readers = fewest(lambda c: taken(fleet, costs, c, shards) >= costs.headroom * r)
    costs = replace(costs, batch_rows=int(min(max(costs.batch_rows, r / readers * BATCHES_S[-1]), MOST_BATCH_ROWS)))
    batch_s = next((b for b in BATCHES_S if files_of(fleet, costs, readers, shards, b) <= FILES_A_DAY), BATCHES_S[-1])
    least = max(2 * readers, r * costs.message_bytes / costs.partition_bytes_per_s, 4)
    per_day = r * DAY_S * costs.row_bytes
    parts = shards or fleet.nodes
    blobs = min(r, fleet.nodes / BLOBS_EVERY_S)
    rows_seen = r * DAY_S * costs.train_days
    trained = min(rows_seen, costs.train_rows_most)
    return Plan(
        nodes=fleet.nodes,
        rows_per_s=r,
        topic_bytes=r * DAY_S * costs.topic_days * costs.message_bytes,
        partitions=2 ** ceil(log2(least)),
        readers=readers,
        shards=shards,
        batch_s=batch_s,
        batch_rows=costs.batch_rows,
        files_by_node=files_of(fleet, costs, readers, 0, batch_s),
        files_by_shard=files_of(fleet, costs, readers, shards or 4, batch_s),
        files_written=files_of(fleet, costs, readers, shards, batch_s),
        files_kept=parts * ceil(per_day / parts / FILE_BYTES),
        lake_bytes_per_day=per_day,
        lake_bytes=per_day * costs.lake_days,
        hour_caught_up_s=caught_up_s(r, taken(fleet, costs, readers, shards), 3600.0),
        blobs_per_s=blobs,
        readers_remote=max(readers, ceil(blobs * costs.remote_s / costs.remote_at_once / costs.busy)),
        train_share=trained / rows_seen,
        train_cpu_s=costs.train_s * trained / costs.train_rows,
        replicas=max(2, ceil(r * costs.serve_s / (costs.serve_cores * costs.busy))),
    )


def simulated_files(
    fleet: Fleet, readers: int, shards: int, batch_s: float, batch_rows: int, seconds: float, seed: int = 0
) -> float:
    """Files an append, by drawing it: each node speaks every `every_s` at a moment of its own; one reader's appends."""
    rng = np.random.default_rng(seed)
    mine = np.flatnonzero(rng.integers(readers, size=fleet.nodes) == 0)
    first = rng.uniform(0, fleet.every_s, len(mine))
    times = np.concatenate([first + k * fleet.every_s for k in range(ceil(seconds / fleet.every_s))])
    node = np.tile(mine, ceil(seconds / fleet.every_s))
    order = np.argsort(times)
    part = (rng.permutation(fleet.nodes) % shards)[node[order]] if shards else node[order]
    append = (times[order] // batch_s).astype(int)
    within = np.arange(len(append)) - np.searchsorted(append, append)
    _, append = np.unique(np.stack([append, within // batch_rows]), axis=1, return_inverse=True)
    files = len(np.unique(np.stack([append.ravel(), part]), axis=1).T)
    return files / (append.max() + 1)


FLEETS = tuple(Fleet(n) for n in (10, 100, 1_000, 10_000, 100_000))


def main() -> None:
    """The fleets of docs/sizing.md, or one of the reader's own."""
    ask = argparse.ArgumentParser(description="How much of everything a fleet needs.")
    ask.add_argument("--nodes", type=int)
    ask.add_argument("--every", type=float, default=15.0, help="seconds between two vectors of a node")
    ask.add_argument("--features", type=int, default=32)
    ask.add_argument("--rows-per-s", type=float, default=Costs.rows_per_s, help="of one reader")
    ask.add_argument("--quick", action="store_true", help="nothing is reduced: results apart")
    said = ask.parse_args()
    scale = said.features / 32
    costs = replace(Costs(), rows_per_s=said.rows_per_s, row_bytes=90 * scale, message_bytes=1000 * scale)
    if said.nodes:
        for name, value in asdict(plan(Fleet(said.nodes, said.every), costs)).items():
            print(f"{name:20s} {value:,.4g}" if isinstance(value, float) else f"{name:20s} {value:,}")
        return
    plans = [plan(fleet) for fleet in FLEETS]
    print(keep("sizing", {"costs": asdict(Costs()), "plans": [asdict(p) for p in plans]}, said.quick))


if __name__ == "__main__":
    main()
