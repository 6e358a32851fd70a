"""What a second party costs."""

from __future__ import annotations

from benchmarks.page.text import table, three
from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("federated")
    sizes = sorted(d["rows"], key=int)
    lines = [
        [
            rows, what,
            *(three(d["rows"][rows][what][way]["p50"]) for way in ("local", "bitmap", "json")),
            three(d["rows"][rows][what]["bitmap"]["p99"]),
            *(f"{d['wire'][rows][form]['answer_bytes']:,}" for form in ("bitmap", "json")),
        ]
        for rows in sizes for what in ("scored", "explained")
    ]  # fmt: skip
    away = "; ".join(f"{ms} ms: {t['1']['p50']:.1f} ms for 1 row, {t['300']['p50']:.1f} for 300" for ms, t in sorted(d["delayed"].items(), key=lambda one: int(one[0])))  # fmt: skip  # noqa: E501
    head = ("rows", "", "in one process", "bits over gRPC", "JSON over gRPC", "p99, bits", "answer, bytes", "JSON")
    return f"""## Several companies

The FATE pair of `examples/data/fate`; guest and host two processes on one machine beside both halves in one, in
turn, ms at the median. `explained`: with Shapley values, each host a player.

{table(head, lines)}
With a delay on the way back, scored with bits: {away}. One exchange is one delay, whatever the rows.
"""
