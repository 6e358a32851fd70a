"""The lake through faults and kills."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("exactly_once")
    verdict = (
        "each row once" if d["exact"] else f"{d['unique']:,} different rows, {d['held']:,} in all: NOT each row once"
    )
    twice = d["messages"] - d["produced"] - d["poison"]
    return f"""### Exactly once

{d["produced"]:,} rows and {d["poison"]:,} messages of poison; a producer without idempotence; {d["kills"]} kills
(SIGKILL) at random moments, each beside one of: failing produce and fetch requests, 200 ms answers, a broker down
for 2 s, a second reader, a new leader. The cluster took on {d["messages"]:,} messages, {twice:,} of them a second
time. The lake held {verdict}, the dead letters {d["dead"]:,} of the poison; the rows that came twice,
{d["quarantined"]:,}, were in quarantine; {d["seconds"]:.0f} s.
"""
