"""Rows a second into the lake."""

from __future__ import annotations

from benchmarks.page.text import table
from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("ingest")
    rates, us, size = d["rows_per_s"], d["us_per_row"], raw("lake_costs")["message_bytes"]
    lines = [
        ("bare consumer loop that only counts", f"{rates['bare']:,.0f}"),
        ("`ascribe ingest` into Delta on a directory", f"{rates['lake']:,.0f} ({d['ratio']:.2f} of it by round)"),
    ]
    steps = {"decode": "decode JSON", "screen": "screen", "columns": "columns", "append": "append (Delta, 8 nodes)"}
    return f"""## Into the lake

{d["rows"]:,} messages of real telemetry (32 features in JSON, {size:.0f} bytes, compressed sets) in 48 partitions of a
mock cluster that shares the cores; both loops in turn, medians of {len(d["rounds"]["lake"])}.

{table(("", "rows a second"), lines)}
A loop that only counts depends on how large the sets are that the cluster hands over; the lake's rate hardly does.
Microseconds a row of each step alone, one thread, best of five:

{table(steps.values(), [[f"{us[s]:.2f}" for s in steps]])}
Decoding and the client hold Python's lock, so one reader is bound by them; a second reader of the group takes
another core.
"""
