"""The service: rates, and what a call costs beside other servers."""

from __future__ import annotations

from typing import Any

from ascribe.core.tiers import TIERS
from benchmarks.page.text import row, three
from benchmarks.record import Raw

FLOOR = "ascribe_http_predict"
INTRODUCTION = """## The service

Boosted trees on a server's 32 counters, the generator on the same cores. Open loop: calls leave at a constant rate
whether or not earlier ones are answered. One file per cell.
"""


def text(raw: Raw) -> str:
    """Tables of the cells that are there, by their names."""
    found = raw.cells("serve")
    parts = [INTRODUCTION]
    if "rates" in found:
        parts.append(_rates(found["rates"]))
    plain = [held for held in found.values() if held.get("verb") == "predict"]
    if plain:
        parts.append(_per_core(plain, found.get(FLOOR), "### Predictions, beside other servers", PREDICTIONS))
    explained = [held for held in found.values() if "verb" in held and held["verb"] != "predict"]
    if explained:
        parts.append(_per_core(explained, found.get("ascribe_http_fast"), "### Explanations", EXPLANATIONS))
    return "\n".join(parts)


PREDICTIONS = """
The same ONNX graph behind each, in one worker; the peers' sessions have one thread, ours the machine's.
`calls a core`: the inverse of the processor time that a call takes in the server's processes, eight callers; `x`: over
Ascribe's JSON door in the same run.
"""
EXPLANATIONS = """
`kernel`, `trees`: shap's KernelExplainer and TreeExplainer at their defaults behind FastAPI; other games, and without
standard errors. `x`: over `fast` by JSON.
"""
HEAD = ("rows a call", "server", "door", "", "calls a core, 1/s", "x", "p50 ms", "p99 ms", "at", "failed")


def _rates(held: dict[str, Any]) -> str:
    lines = [row("one row a call", "rate", "p50 ms", "p99 ms", "in process, ms", "p99 over in process", "failed"),
             row(*["---"] * 7)]  # fmt: skip
    bare: dict[str, float] = {}
    for name, told in held["rates"].items():
        verb = name.partition(",")[0].rpartition(" ")[2]
        alone = bare.setdefault(verb, told.get("in_process_ms") or 0.0)
        over = f"{told['p99_ms'] / alone:.0f} x" if alone and told["p99_ms"] else ""
        lines.append(row(name, f"{told['rate']:g}/s", three(told["p50_ms"]), three(told["p99_ms"]), three(alone),
                          over, told["failed"]))  # fmt: skip
    done, refused = held["explained_meanwhile"], held["refused_meanwhile"]
    told = f"{done} `accurate` rows were explained meanwhile, {refused} refused."
    return "\n".join([*lines, "", told, ""])


def _per_core(cells: list[dict[str, Any]], floor: dict[str, Any] | None, title: str, text: str) -> str:
    """A line for each server, door and number of rows, and how it stands to `floor` at equal rows."""
    lines = [title, text, row(*HEAD), row(*["---"] * len(HEAD))]
    order = {verb: k for k, verb in enumerate(("predict", *TIERS))}
    batches = sorted({int(rows) for held in cells for rows in held["rows"]})
    for rows in map(str, batches):
        base = _calls(floor, rows)
        for held in sorted(cells, key=lambda c: (order.get(c["verb"], 9), c["who"] != "ascribe")):
            if rows not in held["rows"]:
                continue
            loop, calls = held["rows"][rows]["open"], _calls(held, rows)
            lines.append(row(
                rows, f"**{held['who']}**" if held["who"] == "ascribe" else f"{held['who']} {held.get('version', '')}",
                "JSON" if held["door"] in ("http", "rows") else held["door"],
                held["verb"].removeprefix("explain_"), three(calls), f"{calls / base:.2f}" if calls and base else "",
                three(loop["p50_ms"]), three(loop["p99_ms"]), f"{loop['rate']:g}/s", loop["failed"],
            ))  # fmt: skip
    return "\n".join([*lines, ""])


def _calls(held: dict[str, Any] | None, rows: str) -> float | None:
    """Calls a second of one core."""
    cpu_ms = held["rows"].get(rows, {}).get("closed", {}).get("cpu_ms") if held else None
    return 1000 / cpu_ms if cpu_ms else None
