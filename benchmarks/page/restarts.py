"""Rolling restarts under load."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("restarts")
    asked = sum(door["answered"] + door["not_sent"] for door in d["doors"].values()) + d["failed_requests"]
    unsent = sum(door["not_sent"] for door in d["doors"].values())
    return f"""## Restarts

Two replicas behind a proxy that honours readiness, each ended by SIGTERM and started again {d["restarts"]} times,
{d["rate_per_s"]:g} requests a second by HTTP and by gRPC all the while: {asked:,} requests, {d["failed_requests"]}
failed, {unsent} unsent. The longest answers are those that met the start of a replica on the same cores.
"""
