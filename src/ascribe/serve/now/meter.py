"""What following costs and who listens, beside the other counts of a server."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ascribe.serve.now.follower import Follower
from ascribe.serve.now.hub import Hub

__all__ = ["watch"]


def watch(registry: CollectorRegistry, follower: Follower, hub: Hub) -> None:
    """Read when somebody looks."""
    registry.register(_Now(follower, hub))


class _Now(Collector):
    def __init__(self, follower: Follower, hub: Hub) -> None:
        self._follower, self._hub = follower, hub

    def collect(self) -> Iterable[Metric]:
        seen, hub = self._follower, self._hub
        gauges = (
            ("listeners", "Streams of events that are open", len(hub)),
            (
                "now_nodes",
                "Nodes whose moments are kept",
                max((len(s.tracks) for s in seen.series.values()), default=0),
            ),
            ("now_round_seconds", "Explaining the newest rows took so long", seen.took_s),
        )
        counters = (
            ("listeners_lost", "Listeners that were too slow", hub.lost),
            ("events", "Events that were said", hub.sent),
            ("now_rows", "Rows of nodes that were explained", seen.explained),
            ("now_rows_thinned", "Rows of nodes that were left out to keep up", seen.thinned),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"attribution_{name}", text, value=float(value))
        for name, text, value in counters:
            yield CounterMetricFamily(f"attribution_{name}", text, value=float(value))

    def describe(self) -> Iterable[Metric]:
        return ()
