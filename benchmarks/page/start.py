"""From starting a server to its ready line."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("start")
    return f"""## Start

From starting `ascribe serve` to its ready line, median of {len(d["ready_s"])}: {d["ready_median_s"]:.2f} s.
"""
