"""Attention held against attributions, by day of a forecast's windows."""

from __future__ import annotations

from benchmarks.page.text import table, three
from benchmarks.record import Raw


def text(raw: Raw) -> str:
    c = raw("attended")["check"]
    lines = []
    for name, m in c["methods"].items():
        told = name != "random"
        lines.append(
            [name.replace("_", " "), three(m["rank"]) if told else "", f"{100 * m['same_first']:.0f} %" if told else "",
             three(m["first"]), f"{three(m['area'])} ± {three(m['area_stderr'])}"]
        )  # fmt: skip
    weights = c["methods"]["attention"]["weight"]
    least, most = (f"{100 * w:.1f} %" for w in (min(weights), max(weights)))
    head = ("days by", "rank with attention", "same day first", f"first day removed, {c['unit']}", f"area, {c['unit']}")
    return f"""{table(head, lines)}
{c["rows"]} windows. Attention of a day is {least} to {most}, where {100 / len(weights):.1f} % each would say nothing.
"""
