"""What is counted: requests, times, batches, queues, refusals, watts; names and units as Prometheus wants them.

Fed by the log's hook (`began`, `staged`, `answered`, `ended`, `told`) and by the room (`Meter`). Labels are bounded:
models that are served, versions that answered, tiers that exist; anything else a caller writes is `other`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ascribe.core.tiers import TIERS
from ascribe.serve.observe.log import Entry, current
from ascribe.serve.observe.snapshots import Snapshot, taken
from ascribe.serve.observe.tally import Tally
from ascribe.serve.versions.leases import Lease

__all__ = ["OTHER", "Metrics"]

OTHER = "other"
MOST_CALLS, MOST_WORDS = 32, 16  # values of `method`; of `reason` and `stage`
MOST_VERSIONS = 16  # of a model that keep series of their own; the oldest go first
MOST_ROWS = 32  # of one answer that are looked at for watts and ranges
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
SHORT = (0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 20, 60)
RELOAD = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
WATTS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 1, 2, 5, 10, 50)
ASKS = frozenset(("attribution", "prediction", "energy", "forecast", "infer", "predict", "explain", "node attribution"))
RUNS = ("explain", "predict", "energy", "run")  # names in an answer's timings of what is here stage `run`


class Metrics:
    """`models`: names that may be a label; `held`: the versions at hand, asked now and then."""

    def __init__(self, models: Iterable[str] = (), held: Callable[[], Iterable[Lease]] = tuple) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self._held, self._models = held, set(models)
        self._features: dict[str, set[str]] = {}  # of a model, whatever the version: labels come from manifests alone
        self._outputs: dict[str, str] = {}
        self._versions: dict[str, dict[str, set[tuple[Counter, tuple[str, ...]]]]] = {name: {} for name in self._models}
        self._words: dict[str, set[str]] = {}
        self._children: dict[tuple[int, tuple[str, ...]], Any] = {}
        self._lock = threading.Lock()
        registry.register(_Info(held))
        self._tally, self._spent = Tally(registry), dict[int, dict[str, float]]()  # of requests at hand

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"attribution_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"attribution_{name}", text, labels, buckets=buckets, registry=registry)

        who = ("transport", "method", "model", "tier")
        self._requests = counter(
            "requests", "Requests that ended", "transport", "method", "model", "version", "tier", "code"
        )
        self._duration = histogram("request_duration_seconds", "From the door and back", SECONDS, *who)
        self._queue = histogram("queue_duration_seconds", "Waiting for a thread", SHORT, *who)
        self._stage = histogram(
            "compute_duration_seconds", "Parts of a request; stage=batch: of a batch", SHORT, "stage"
        )
        self._rows = counter("rows", "Rows answered", "method", "model", "version")
        self._batch_rows = histogram("batch_rows", "Rows computed together", ROWS)
        self._batch_wait = histogram("batch_wait_seconds", "How long a batch's first row waited", SHORT)
        self._queue_rows = Gauge("attribution_queue_rows", "Rows that wait", registry=registry)
        self._inflight = Gauge("attribution_inflight", "Requests at hand", registry=registry)
        self._shed = counter("shed", "Requests refused for lack of room", "reason")
        self._expired = counter("deadline_expired", "Deadlines that passed", "stage")
        self._residual = histogram(
            "efficiency_residual_watts", "Largest |prediction - base value - sum of shares| of an answer", WATTS
        )
        self._far = counter(
            "feature_out_of_range", "Rows outside the training range, by the first such feature", "feature"
        )
        self._reloads = counter("model_reload", "Versions brought, or not", "result")
        self._reload_s = histogram("model_reload_duration_seconds", "From notice to swap", RELOAD)
        self._share_w = counter(
            "share_watts", "Sum over rows of |share|; divide by share rows", "model", "feature", "sign"
        )
        self._base_w = counter("base_watts", "Sum over rows of the base value", "model")
        self._share_rows = counter("share_rows", "Rows in the two above", "model")
        for result in ("loaded", "kept", "failed", "unreachable", "broken"):
            self._reloads.labels(result)
        for reason in ("queue", "rate"):
            self._shed.labels(reason)
        for stage in ("door", "queue", "run"):
            self._expired.labels(stage)

    def snapshot(self) -> Snapshot:
        """Everything as it is now."""
        for lease in self._held():
            self._learn(lease.name, lease.version)
        return taken(self.registry)

    # The room's: `Meter`.

    def batch(self, rows: int, waited_s: float, ran_s: float) -> None:
        self._batch_rows.observe(rows)
        self._batch_wait.observe(waited_s)
        self._of(self._stage, "batch").observe(ran_s)

    def computed(self, of: object, rows: int, ran_s: float) -> None:
        for lease in self._held():
            if of is lease.model or any(of is other for other in lease.outputs.values()):
                self._learn(lease.name, lease.version)
                self._tally.computed((lease.name, lease.version), rows, ran_s)
                return

    def queued(self, rows: int) -> None:
        self._queue_rows.set(rows)

    # The log's: `Watch`.

    def began(self, entry: Entry) -> None:
        self._inflight.inc()

    def staged(self, stage: str, seconds: float) -> None:
        """A part of a request that the door did: decode, encode."""
        self._of(self._stage, self._word("part", stage, MOST_WORDS)).observe(seconds)
        if entry := current():
            self._add(entry, {stage: seconds})

    def answered(self, entry: Entry, answer: Any) -> None:
        """One answer of the service, in its own words: a message with `model`, `version`, `timings_ms` and rows."""
        self._learn(answer.model, answer.version)
        self._add(entry, {name: ms / 1000 for name, ms in answer.timings_ms.items()})
        who = self._who(entry)
        for name, ms in answer.timings_ms.items():
            if name == "queue":
                self._of(self._queue, *who).observe(ms / 1000)
            elif name in RUNS or name == "check":
                self._of(self._stage, "check" if name == "check" else "run").observe(ms / 1000)
        rows = (who[1], who[2], answer.version)
        self._versions[answer.model][answer.version].add((self._rows, rows))
        self._rows.labels(*rows).inc(entry.rows)
        shares = getattr(answer, "attributions", None)
        if shares is not None:
            self._explained(answer, shares[:MOST_ROWS])

    def ended(self, entry: Entry, seconds: float) -> None:
        transport, method, model, tier = who = self._who(entry)
        versions = self._versions.get(model, {})
        version = entry.version if not entry.version or entry.version in versions else OTHER
        labels = (transport, method, model, version, tier, entry.code)
        if version in versions:
            versions[version].add((self._requests, labels))
        self._requests.labels(*labels).inc()
        self._of(self._duration, *who).observe(seconds)
        self._inflight.dec()
        if entry.code == "shed":
            self.shed(entry.stage)
        elif entry.code == "deadline":
            self.expired(entry.stage)
        spent = self._spent.pop(id(entry), {})
        if entry.verb in ASKS:
            model = model or (next(iter(self._models)) if len(self._models) == 1 else "")
            if version in self._versions.get(model, {}) or (model in self._models and not version):
                self._tally.ended((model, version), entry.code == "ok", seconds)
                if entry.code == "ok":
                    self._tally.answered((model, version), spent)

    def shed(self, reason: str) -> None:
        """A request was refused for lack of room: of the `queue`, or by a caller's `rate`."""
        self._shed.labels(self._word("reason", reason, MOST_WORDS)).inc()

    def expired(self, stage: str) -> None:
        """A deadline passed before or in a stage: `door`, `queue`, `run`."""
        self._expired.labels(self._word("stage", stage, MOST_WORDS)).inc()

    def told(self, event: str, words: Mapping[str, Any]) -> None:
        """An event of the log; those of the rollout count."""
        if event != "rollout":
            return
        if how := words.get("how"):
            self._reloads.labels(self._word("result", str(how), MOST_WORDS)).inc()
            self._reload_s.observe(float(words["took_ms"]) / 1000)
        elif words.get("state") in ("failed", "unreachable", "broken"):
            self._reloads.labels(str(words["state"])).inc()

    def _add(self, entry: Entry, spent: Mapping[str, float]) -> None:
        held = self._spent.setdefault(id(entry), {})
        for name, seconds in spent.items():
            held[name] = held.get(name, 0.0) + seconds

    def _explained(self, answer: Any, rows: Iterable[Any]) -> None:
        known = self._features.get(answer.model, set())
        watts = answer.unit == "W" and answer.output == self._outputs.get(answer.model)
        ups: dict[str, float] = {}
        downs: dict[str, float] = {}
        count, base = 0, 0.0
        for row in rows:
            if row.status == "out_of_domain":
                first = row.reason.partition(" = ")[0]
                self._far.labels(first if first in known else OTHER).inc()
            if watts and row.base_value is not None:
                count, base = count + 1, base + row.base_value
                for feature, share in row.attribution_shares.items():
                    held = ups if share >= 0 else downs
                    held[feature] = held.get(feature, 0.0) + abs(share)
        if not (watts and count):
            return
        gap = answer.efficiency_gap
        if gap is not None and gap == gap:
            self._residual.observe(abs(gap))
        self._of(self._share_rows, answer.model).inc(count)
        self._of(self._base_w, answer.model).inc(max(base, 0.0))
        for sign, held in (("up", ups), ("down", downs)):
            for feature, total in held.items():
                self._of(self._share_w, answer.model, feature if feature in known else OTHER, sign).inc(total)

    def _who(self, entry: Entry) -> tuple[str, str, str, str]:
        call = "admin" if entry.verb.startswith("admin") else entry.verb
        model = entry.model.partition("@")[0]
        tier = entry.tier if entry.tier in TIERS or not entry.tier else OTHER
        return (
            entry.transport, self._word("method", call, MOST_CALLS),
            model if not model or model in self._models else OTHER, tier,
        )  # fmt: skip

    def _of(self, family: Any, *labels: str) -> Any:
        """`family.labels(...)` of bounded labels, remembered: a request asks for a dozen of them."""
        key = (id(family), labels)
        held = self._children.get(key)
        if held is None:
            held = self._children[key] = family.labels(*labels)
        return held

    def _learn(self, model: str, version: str) -> None:
        """A version that answered may be a label from now on."""
        held = self._versions.get(model)
        if held is not None and version in held:
            return
        with self._lock:
            self._models.add(model)
            held = self._versions.setdefault(model, {})
            held.setdefault(version, set())
            while len(held) > MOST_VERSIONS:
                gone = next(iter(held))
                self._tally.forget((model, gone))
                for family, labels in held.pop(gone):
                    with suppress(KeyError):
                        family.remove(*labels)
            for lease in self._held():
                self._features.setdefault(lease.name, set()).update(lease.model.names)
                self._outputs[lease.name] = lease.model.output
                for feature in lease.model.names:  # from 0 on, or the first increase is not seen
                    self._far.labels(feature)
                    if lease.model.unit == "W":
                        self._share_w.labels(lease.name, feature, "up")
                        self._share_w.labels(lease.name, feature, "down")

    def _word(self, of: str, word: str, most: int) -> str:
        """The word, while there are not too many."""
        held = self._words.setdefault(of, set())
        if word not in held:
            if len(held) >= most:
                return OTHER
            held.add(word)
        return word


class _Info(Collector):
    """`attribution_model_info`: 1 for each version at hand."""

    def __init__(self, held: Callable[[], Iterable[Lease]]) -> None:
        self._held = held

    def collect(self) -> Iterable[Metric]:
        found = GaugeMetricFamily("attribution_model_info", "Versions at hand", labels=["model", "version", "sha256"])
        for one in sorted({(lease.name, lease.version, lease.sha256) for lease in self._held()}):
            found.add_metric(one, 1)
        yield found
