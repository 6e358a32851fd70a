"""Malformed inputs."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("fuzz")
    kinds = [kind.partition(":")[0].partition(" by ")[0] for kind in d["failures_by_kind"]]
    told = "; ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))
    said = f"{d['failed']} failures, in the raw file with what was sent: {told}" if kinds else "no failure"
    return f"""## Malformed inputs

{d["inputs"]:,} malformed inputs and {d["schemathesis"]["cases"]:,} cases of Schemathesis, {d["canaries"]:,}
well-formed requests between them: {said}. A failure is an answer of 5xx, a connection that hangs, a server
that ends, a well-formed request that is answered otherwise than before, or memory that grows by more than 100 bytes
an input; it changed by {d["rss_slope_bytes_per_input"]:+.0f} ± {d["rss_slope_stderr_bytes_per_input"]:.0f}. Not
counted: the gRPC server fell {d["grpc_server_fell_and_stood_up"]} times and stood up again, by a path that is no
UTF-8 ([why](security.md)).
"""
