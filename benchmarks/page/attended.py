"""Attention held against attributions, by day of a forecast's windows."""

from __future__ import annotations

from benchmarks.page.text import table, three
from benchmarks.record import Raw


def text(raw: Raw) -> str:
    c = raw("attended")["check"]
    lines, unit = [], c["unit"] and f", {c['unit']}"
    for name, m in c["methods"].items():
        beside = name not in ("attention", "random")  # of attention with itself there is nothing to tell
        rank, first = (three(m["rank"]), f"{100 * m['same_first']:.0f} %") if beside else ("", "")
        area = f"{three(m['area'])} ± {three(m['area_stderr'])}"
        lines.append([name.replace("_", " "), rank, first, three(m["first"]), area])
    weights = c["methods"]["attention"]["weight"]
    least, most = (f"{100 * w:.1f} %" for w in (min(weights), max(weights)))
    head = ("days by", "rank with attention", "same day first", f"first day removed{unit}", f"area{unit}")
    return f"""{table(head, lines)}
{c["rows"]} windows. Attention of a day is {least} to {most}, where {100 / len(weights):.1f} % each would say nothing.
"""
