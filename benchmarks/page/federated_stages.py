"""A federated request, stage by stage."""

from __future__ import annotations

from benchmarks.page.text import table
from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("federated_stages")
    stages = {"host": "slower host", "local": "guest's own half", "merge": "merge", "explain": "explain"}
    lines = [
        [r["rows"], *(f"{r['p50_p95_ms'][s][0]:.2f} / {r['p50_p95_ms'][s][1]:.2f}" for s in stages),
         f"{r['packed_bytes']:,}", f"{r['json_bytes']:,}"]
        for r in d["requests"]
    ]  # fmt: skip
    return f"""### Where its time goes

300 trees of depth 6 ({d["nodes"]:,} nodes) on adult, split between a guest and two hosts, no network: p50 / p95 in
ms. A host's reply in bytes, as bits and as FATE-Serving's JSON. What explains is prepared once, in
{d["tables_ms"]:.0f} ms.

{table(("rows", *stages.values(), "reply, bits", "reply, JSON"), lines)}"""
