"""What fleets need, and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np

from benchmarks.record import Raw
from benchmarks.sizing import Costs, Fleet, Plan, caught_up_s, files_of, plan, shards_of, taken

EVERY_S = (1.0, 15.0, 60.0)
COLOURS = ("#1b6ca8", "#d1603d", "#4f8a4b", "#7a5195")


def text(raw: Raw) -> str:
    """Three tables, a fleet a row."""
    plans = [Plan(**held) for held in raw("sizing")["plans"]]
    return "\n".join(
        [
            _table(
                "Topic and ingest", plans,
                {
                    "rows/s": lambda p: _count(p.rows_per_s), "topic, 3 days": lambda p: _bytes(p.topic_bytes),
                    "partitions": lambda p: p.partitions, "readers": lambda p: p.readers,
                    "after an hour's outage": lambda p: _time(p.hour_caught_up_s),
                    "latest vectors written/s": lambda p: _count(p.blobs_per_s),
                    "readers, object store": lambda p: p.readers_remote,
                },
            ),
            _table(
                "Lake", plans,
                {
                    "`--shards`": lambda p: p.shards, "`--batch-seconds`": lambda p: f"{p.batch_s:g}",
                    "`--batch-rows`": lambda p: f"{p.batch_rows:,}", "a day": lambda p: _bytes(p.lake_bytes_per_day),
                    "90 days": lambda p: _bytes(p.lake_bytes),
                    "files a day by node": lambda p: _count(p.files_by_node),
                    "by shard": lambda p: _count(p.files_by_shard) if p.shards else "",
                    "after compaction": lambda p: f"{p.files_kept:,}",
                },
            ),
            _table(
                "Training and serving", plans,
                {
                    "rows in 14 days": lambda p: _count(p.rows_per_s * 14 * 86_400),
                    "share trained on": lambda p: f"{100 * p.train_share:.2g} %",
                    "CPU time of a training": lambda p: _time(p.train_cpu_s),
                    "replicas of 2 cores, every row explained (`fast`)": lambda p: p.replicas,
                },
            ),
        ]
    )  # fmt: skip


def _table(title: str, plans: Sequence[Plan], columns: dict) -> str:  # type: ignore[type-arg]
    head = ["nodes", *columns]
    lines = [f"### {title}", "", f"| {' | '.join(head)} |", f"|{' ---: |' * len(head)}"]
    lines += [f"| {' | '.join([f'{p.nodes:,}', *(str(of(p)) for of in columns.values())])} |" for p in plans]
    return "\n".join([*lines, ""])


def _count(value: float) -> str:
    for size, word in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{word}"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _bytes(value: float) -> str:
    for size, word in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{value / 1e3:.3g} kB"


def _time(seconds: float) -> str:
    if seconds == inf:
        return "never"
    for size, word in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {word}"
    return "< 1 s" if seconds < 1 else f"{seconds:.0f} s"


def draw(raw: Raw, folder: Path) -> None:
    """Four pictures over the number of nodes: readers, time after an outage, files a day, bytes a day."""
    import matplotlib.pyplot as plt

    nodes = np.unique(np.logspace(1, 5, 33).round().astype(int))
    figure, ((readers, outage), (files, size)) = plt.subplots(2, 2, figsize=(10, 7), constrained_layout=True)
    for every, colour in zip(EVERY_S, COLOURS, strict=False):
        plans = [plan(Fleet(int(n), every)) for n in nodes]
        readers.plot(nodes, [p.readers for p in plans], color=colour, label=f"every {every:g} s, a directory")
        readers.plot(nodes, [p.readers_remote for p in plans], "--", color=colour, label="object store")
        size.plot(nodes, [p.lake_bytes_per_day / 1e9 for p in plans], color=colour, label=f"every {every:g} s")
    costs, fleet = Costs(**raw("sizing")["costs"]), Fleet(100_000, 1.0)
    counts = np.arange(1, 9)
    for hours, colour in zip((0.25, 1.0, 4.0), COLOURS, strict=False):
        later = [caught_up_s(fleet.rows_per_s, _taken(fleet, costs, int(c)), hours * 3600) for c in counts]
        outage.plot(counts, np.array(later) / 60, "o-", color=colour, label=f"{hours:g} h")
    fleets = [Fleet(int(n)) for n in nodes]
    sized = replace(costs, batch_rows=400_000)
    for label, shards, colour in (("by node", [0] * len(nodes), COLOURS[1]),
                                  ("by shard", [shards_of(f, costs) or 4 for f in fleets], COLOURS[0])):  # fmt: skip
        for batch_s, style in ((1.0, "--"), (60.0, "-")):
            many = [files_of(f, sized, 1, s, batch_s) for f, s in zip(fleets, shards, strict=True)]
            files.plot(nodes, many, style, color=colour, label=f"{label}, an append every {batch_s:g} s")
    kept = [plan(f).files_kept for f in fleets]
    files.plot(nodes, kept, color=COLOURS[2], label="after compaction (by node to 50 nodes)")
    files.set_ylim(1, 1e13)
    _dress(readers, "Readers that take three times the rate", "nodes", "readers")
    _dress(outage, "After an outage: 100,000 nodes, every second", "readers", "minutes until nothing is left", "linear")
    _dress(files, "Files a day, a vector every 15 s", "nodes", "files")
    _dress(size, f"Lake, {costs.row_bytes:g} bytes a row", "nodes", "GB a day")
    figure.savefig(folder / "sizing.svg", metadata={"Date": None})
    plt.close(figure)


def _taken(fleet: Fleet, costs: Costs, readers: int) -> float:
    sized = replace(costs, batch_rows=400_000)
    return taken(fleet, sized, readers, shards_of(fleet, costs))


def _dress(axes, title: str, x: str, y: str, scale: str = "log") -> None:  # type: ignore[no-untyped-def]
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xscale(scale)
    axes.set_yscale("log")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False, ncols=2 if len(axes.lines) > 5 else 1, loc="best")
    axes.yaxis.set_minor_formatter("")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
