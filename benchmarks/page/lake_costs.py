"""What sizing reckons with, beside what was measured."""

from __future__ import annotations

from benchmarks.page.text import table
from benchmarks.record import Raw
from benchmarks.sizing import Costs


def text(raw: Raw) -> str:
    d, c = raw("lake_costs"), Costs()
    values = d["value_bytes"]
    servers = " and ".join(f"{values[name]:.1f} ({columns} columns)" for name, columns in d["columns"].items())
    lines = [
        ("one more file of an append, on a directory", f"{d['file_s'] * 1e3:.2f} ms, {d['file_bytes'] / 1e3:.1f} kB",
         f"{c.file_s * 1e3:g} ms"),
        ("latest vector of a node, on a directory", f"{d['blob_s'] * 1e3:.2f} ms", "nothing"),
        ("bytes a value in the compacted lake",
         f"{servers} on the telemetry of two servers; {values['random']:.1f} where numbers are random",
         f"{c.row_bytes:g} bytes for 32 features with their keys"),
        ("bytes of a message of 32 features as JSON", f"{d['message_bytes']:.0f}", f"{c.message_bytes:,.0f}"),
    ]  # fmt: skip
    return table(("", "measured", "reckoned with"), lines)
