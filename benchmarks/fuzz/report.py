"""What a run found, as the JSON that is kept."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.fuzz.schema import drive
from benchmarks.fuzz.server import Server
from benchmarks.fuzz.soak import WARM, Told, slope

__all__ = ["told"]


def told(server: Server, soaked: Told, cases: int, seed: int) -> dict[str, Any]:
    """Drive Schemathesis against the same server, stop it, and put the numbers together."""
    seen, start = len(server.wrong), time.perf_counter()
    nothing: dict[str, Any] = {"cases": 0, "operations": 0, "statuses": {}, "failures": {}}
    driven = drive(server.at["http"], cases, seed) if server.alive() else nothing
    for label, curl in driven["failures"].items():
        soaked.fail(f"schemathesis: {label}", curl=curl)
    for line in server.wrong[seen:]:
        soaked.fail(f"log: {line}", numbers="schemathesis")
    after = server.rss_bytes() if server.alive() else 0
    if not server.alive() or server.stop():
        soaked.fail(f"the server ended with {server.process.returncode}")
    found, error = slope(soaked.rss)
    return {
        "inputs": soaked.inputs,
        "statuses": {family: dict(sorted(counts.items())) for family, counts in sorted(soaked.statuses.items())},
        "canaries": soaked.canaries,
        "canaries_again": soaked.canaries_again,
        "grpc_server_fell_and_stood_up": soaked.grpc_again,
        "failed": soaked.failed,
        "failures_by_kind": dict(soaked.kinds.most_common()),
        "failures": soaked.failures,
        "seconds": soaked.seconds,
        "seed": seed,
        "rss_bytes": soaked.rss,
        "rss_start_bytes": soaked.rss[0][1],
        "rss_end_bytes": soaked.rss[-1][1],
        "rss_after_schemathesis_bytes": after,
        "rss_warm_up_share": WARM,
        "rss_slope_bytes_per_input": found,
        "rss_slope_stderr_bytes_per_input": error,
        "schemathesis": {
            "cases": driven["cases"],
            "operations": driven["operations"],
            "statuses": {label: dict(sorted(counts.items())) for label, counts in sorted(driven["statuses"].items())},
            "seconds": time.perf_counter() - start,
        },
    }
