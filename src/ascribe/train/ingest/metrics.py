"""Lag and counts of a reader, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ascribe.core.errors import ServiceError
from ascribe.train.ingest.ingested import Ingested

__all__ = ["Metrics"]

LAST_PORT = 65_535


class Metrics(Collector):
    """`GET http://HOST:PORT/metrics` on a thread; `set` says what is true now. Raises ServiceError for an address that
    cannot be had.
    """

    def __init__(self, address: str, group: str) -> None:
        host, _, port = address.rpartition(":")
        if not port.isdecimal() or int(port) > LAST_PORT:
            raise ServiceError(f"--metrics {address}: write HOST:PORT, PORT being 0 to {LAST_PORT}")
        self._group, self._total = group, Ingested()
        registry = CollectorRegistry()
        registry.register(self)
        try:
            start_http_server(int(port), host or "127.0.0.1", registry)
        except OSError as exc:
            raise ServiceError(f"--metrics {address} cannot be had ({exc.strerror}): choose another") from exc

    def set(self, total: Ingested) -> None:
        """The counts to be told from now on."""
        self._total = total

    def collect(self) -> Iterator[Metric]:
        """Metrics in the words of the whole service."""
        total, group = self._total, self._group
        rows = CounterMetricFamily("attribution_ingested_rows", "Rows kept", labels=["group"])
        rows.add_metric([group], total.rows)
        yield rows
        refused = CounterMetricFamily("attribution_quarantine", "Rows refused", labels=["group"])
        refused.add_metric([group], total.quarantined)
        yield refused
        dead = CounterMetricFamily("attribution_dead_letter", "Messages that are no vector", labels=["group"])
        dead.add_metric([group], total.dead)
        yield dead
        lag = GaugeMetricFamily(
            "attribution_consumer_lag_records", "Messages not read yet", labels=["group", "topic", "partition"]
        )
        for stream, waiting in dict(total.lag).items():
            topic, _, partition = stream.rpartition("/")
            lag.add_metric([group, topic.rpartition("/")[2], partition], waiting)
        yield lag
