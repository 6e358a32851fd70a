"""Rolling restarts under load."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("restarts")
    asked = sum(door["answered"] + door["not_sent"] for door in d["doors"].values()) + d["failed_requests"]
    unsent = sum(door["not_sent"] for door in d["doors"].values())
    waits = "; ".join(
        f"{name} p50 {door['p50_ms']:.1f}, p99 {door['p99_ms']:,.0f}, at most {door['max_ms']:,.0f} ms"
        for name, door in d["doors"].items()
    )
    return f"""## Restarts

Two replicas behind a proxy that honours readiness, each ended by SIGTERM and started again {d["restarts"]} times,
{d["rate_per_s"]:g} requests a second by HTTP and by gRPC all the while: {asked:,} requests, {d["failed_requests"]}
failed, {unsent} unsent. Replicas, their starts, proxy and callers share two cores: {waits}.
"""
