"""Twice what a server can do."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("overload")
    over, beside = d["overload"], d["isolation"]
    held, peak = over["overload"], over["goodput_over_peak"]
    offered = over["rate_per_s"] * over["rows"] * peak / held["goodput_rows_per_s"]
    return f"""## Overload

{offered:.2g} times the rows that a server can answer, for {over["seconds"]:.0f} s, each with a deadline of
{over["promise_s"]:g} s: it still answers {100 * peak:.0f} % of its peak in time; of what it
took on {100 * over["late_of_accepted"]:.2g} % came too late; {held["refused"]:,} were refused,
{held["refused_without_a_hint"]} of them without saying when to come again. Predictions beside callers that saturate
explanations: p50 {beside["p50_over_calm"]:.2f} and p99 {beside["p99_over_calm"]:.2f} times those of a calm server.
"""
