"""Counts as data: taken in one process, added up over several, written as a page that Prometheus reads.

    merged([a, b]) = a + b     sample by sample: counters, histograms and most gauges; the larger one for facts

`merged` does not depend on the order, and `merged([merged([a, b]), c])` is `merged([a, b, c])`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

__all__ = ["FACTS", "MEDIA", "Family", "Sample", "Snapshot", "decoded", "encoded", "lasting", "merged", "page", "taken"]

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
FACTS = frozenset(  # gauges that say the same in every process, or of which the latest counts
    {"attribution_model_info", "attribution_last_request_timestamp_seconds"}
)


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One number: the full name (`..._bucket`, `..._total`), its labels, its value in the unit of the name."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family(msgspec.Struct, frozen=True):
    """Samples of one name. `kind`: counter, gauge, histogram or unknown."""

    name: str
    kind: str
    help: str
    samples: list[Sample]


Snapshot = dict[str, Family]

_DECODER = msgspec.json.Decoder(Snapshot)


def taken(registry: CollectorRegistry) -> Snapshot:
    """Everything that a registry holds now, without the times of creation."""
    return {
        metric.name: Family(
            metric.name,
            metric.type,
            metric.documentation,
            [
                Sample(s.name, tuple(sorted(s.labels.items())), float(s.value))
                for s in metric.samples
                if not s.name.endswith("_created")
            ],
        )
        for metric in registry.collect()
    }


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """One view of several processes. Series keep the order in which they are first met: a histogram's its buckets'."""
    found: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for snapshot in snapshots:
        for name, family in snapshot.items():
            found.setdefault(name, family)
            held = sums.setdefault(name, {})
            for sample in family.samples:
                key = (sample.name, sample.labels)
                if name in FACTS:
                    held[key] = max(held.get(key, sample.value), sample.value)
                else:
                    held[key] = held.get(key, 0.0) + sample.value
    return {
        name: Family(name, family.kind, family.help, [Sample(*key, value) for key, value in sums[name].items()])
        for name, family in found.items()
    }


def lasting(snapshot: Snapshot) -> Snapshot:
    """What stays true once a process has ended: counters and histograms, since a sum that drops reads as a restart."""
    return {name: family for name, family in snapshot.items() if family.kind in ("counter", "histogram")}


def encoded(snapshot: Snapshot) -> bytes:
    """As JSON."""
    return msgspec.json.encode(snapshot)


def decoded(raw: bytes) -> Snapshot:
    """Raises one of `bundle.unreadable` for what is no snapshot."""
    return _DECODER.decode(raw)


def page(snapshot: Mapping[str, Family]) -> bytes:
    """Prometheus' text format, of media type `MEDIA`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Held(snapshot))
    return generate_latest(registry)


class _Held(Collector):
    def __init__(self, snapshot: Mapping[str, Family]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        for family in self._snapshot.values():
            metric = Metric(family.name, family.help, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric

    def describe(self) -> Iterable[Metric]:
        return ()
