"""Kafka: a consumer group on one topic. The lake says where to go on; committed offsets are for whoever watches lag."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ascribe.core.errors import SourceError
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.source import Held
from ascribe.train.vectors import Batch

__all__ = ["KafkaOptions", "KafkaSource"]

SCHEMA_HEADER = "schema-id"
OFFSET_BITS = 48  # of a key of stream and offset
CLUSTER_TRIES, CLUSTER_S = 12, 5.0  # a broker that restarts is waited for
JOIN_S = 60.0  # a group is shared out within seconds, or there is nothing to share


@dataclass(frozen=True)
class KafkaOptions:
    """`batch_rows`, `batch_s`: a batch is handed over when it has so many messages, or so long after the one before.
    `config`: settings of librdkafka, such as security.protocol; they win over ours.
    """

    brokers: str
    topic: str
    group: str = "ascribe"
    batch_rows: int = 25_000
    batch_s: float = 1.0
    config: Mapping[str, Any] = field(default_factory=dict)


class KafkaSource:
    """`note` takes lines worth reading. A stream is `kafka:CLUSTER/TOPIC/PARTITION`: another cluster's offsets are
    others, even under the same topic.
    """

    def __init__(self, options: KafkaOptions, decoder: Decoder, note: Callable[[str], None]) -> None:
        self._options, self._decoder, self._note = options, decoder, note
        self._problem: SourceError | None = None
        self._said: set[str] = set()
        ours = {
            "bootstrap.servers": options.brokers,
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "error_cb": self._error,
            "log_level": 2,  # what `error_cb` hears is said once; the library would say it twenty times a second
        }
        try:
            self._consumer = Consumer(ours | dict(options.config))
        except (KafkaException, ValueError, TypeError) as exc:
            raise SourceError(f"Kafka cannot be used with these settings ({exc}): see --kafka-config") from exc
        self._strategy = str(options.config.get("partition.assignment.strategy", ""))
        self._cluster = ""
        self._lock = threading.Lock()
        self._assigned: dict[int, bool] = {}  # partition -> read to its end
        self._next: dict[int, int] = {}
        self._joined, self._began = False, time.monotonic()
        self._unsaid: dict[int, int] = {}
        self._lag: dict[str, int] = {}

    def batches(self, held: Held) -> Iterator[Batch]:
        """Raises SourceError for a cluster that does not answer or a topic that may not be read."""
        self._cluster = self._cluster_id()
        self._consumer.subscribe(
            [self._options.topic],
            on_assign=lambda _, parts: self._take(parts, held),
            on_revoke=lambda _, parts: self._leave(parts),
            on_lost=lambda _, parts: self._leave(parts),
        )
        while True:
            self._commit(wait=False)
            messages = self._consumer.consume(self._options.batch_rows, self._options.batch_s)
            if self._problem is not None:
                raise self._problem
            for m in messages:
                if (error := m.error()) is not None:
                    self._told(error, m.partition())
            yield self._batch([m for m in messages if m.error() is None])

    def idle(self) -> bool:
        """Whether everything that was assigned is read to its end; a group that is still being shared out is not."""
        with self._lock:
            joined = self._joined or time.monotonic() - self._began > JOIN_S
            return joined and all(self._assigned.values())

    def kept(self, ends: Mapping[str, int]) -> None:
        """Offsets to commit before the next messages are read: the consumer is used by the reading thread alone."""
        with self._lock:
            self._unsaid.update((int(s.rsplit("/", 1)[1]), end) for s, end in ends.items())

    def lag(self) -> dict[str, int]:
        """Messages between what was read and the newest known, by stream; as of the last batch."""
        with self._lock:
            return dict(self._lag)

    def close(self) -> None:
        self._commit(wait=True)
        self._consumer.close()

    def _commit(self, wait: bool) -> None:
        """Explicit offsets; while the group is shared out anew that fails, and nothing is lost by it."""
        with self._lock:
            topic = self._options.topic
            offsets = [TopicPartition(topic, p, end) for p, end in self._unsaid.items() if p in self._assigned]
            self._unsaid.clear()
        if offsets:
            with suppress(KafkaException):
                if wait:
                    self._consumer.commit(offsets=offsets, asynchronous=False)
                else:
                    self._consumer.commit(offsets=offsets, asynchronous=True)

    def _measure(self) -> None:
        """Lag from what the consumer knows already."""
        with self._lock:
            places = dict(self._next)
        found = {}
        for partition, at in places.items():
            with suppress(KafkaException):
                part = TopicPartition(self._options.topic, partition)
                _, high = self._consumer.get_watermark_offsets(part, cached=True)
                found[self._stream(partition)] = max(0, high - at)
        with self._lock:
            self._lag = found

    def _cluster_id(self) -> str:
        last = ""
        for _ in range(CLUSTER_TRIES):
            try:
                told = self._consumer.list_topics(timeout=CLUSTER_S)
            except KafkaException as exc:
                last = str(exc.args[0].str())
                self._once(f"no broker at {self._options.brokers} answers yet ({last}): still trying")
            else:
                return str(told.cluster_id or "")
        raise SourceError(f"no broker at {self._options.brokers} answers ({last}): is the address right, is it up?")

    def _take(self, parts: Sequence[TopicPartition], held: Held) -> None:
        self._joined = True
        for part in parts:
            at = held(self._stream(part.partition))
            if at is not None:
                part.offset = at
            with self._lock:
                self._assigned[part.partition] = False
                self._next.pop(part.partition, None)
        if "cooperative" in self._strategy:
            self._consumer.incremental_assign(list(parts))
        else:
            self._consumer.assign(list(parts))
        if parts:
            self._note(f"reading {len(parts)} partitions of {self._options.topic}")

    def _leave(self, parts: Sequence[TopicPartition]) -> None:
        with self._lock:
            for part in parts:
                self._assigned.pop(part.partition, None)
                self._next.pop(part.partition, None)
        if "cooperative" in self._strategy:
            self._consumer.incremental_unassign(list(parts))
        else:
            self._consumer.unassign()

    def _batch(self, messages: list[Message]) -> Batch:
        """A rebalance may hand over a message a second time within a batch: it is taken once."""
        if not messages:
            return Batch((), {})
        partition = np.array([m.partition() for m in messages], np.int64)
        offset = np.array([m.offset() for m in messages], np.int64)
        _, first = np.unique(partition << OFFSET_BITS | offset, return_index=True)
        if len(first) < len(messages):
            messages = [messages[i] for i in first]
            partition, offset = partition[first], offset[first]
        numbers, stream = np.unique(partition, return_inverse=True)
        streams = tuple(self._stream(int(p)) for p in numbers)
        after = np.zeros(len(numbers), np.int64)
        np.maximum.at(after, stream, offset + 1)
        self._read_to(dict(zip(numbers.tolist(), after.tolist(), strict=True)))
        payloads = [m.value() for m in messages]
        schemas = {i: s for i, m in enumerate(messages) if (h := m.headers()) and (s := _schema(h)) is not None}
        vectors, dead = self._decoder.decode(payloads, streams, stream, offset, schemas)
        return Batch(vectors, dict(zip(streams, after.tolist(), strict=True)), dead)

    def _read_to(self, after: Mapping[int, int]) -> None:
        with self._lock:
            for partition, end in after.items():
                if partition in self._assigned:
                    self._next[partition] = end
        self._measure()

    def _told(self, error: KafkaError, partition: int | None) -> None:
        """Something that stands where a message would; a problem where reading cannot go on."""
        if error.code() == KafkaError._PARTITION_EOF:
            with self._lock:
                if partition is not None and partition in self._assigned:
                    self._assigned[partition] = True
        elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            self._problem = SourceError(f"{self._options.topic} may not be read by this user ({error.str()})")
        else:
            self._once(f"{self._options.topic}: {error.str()}; still trying")

    def _error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._AUTHENTICATION:
            self._problem = SourceError(f"Kafka at {self._options.brokers}: {error.str()}")
        else:
            self._once(f"Kafka: {error.str()}; still trying")

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._note(text)

    def _stream(self, partition: int) -> str:
        return f"kafka:{self._cluster}/{self._options.topic}/{partition}"


def _schema(headers: Any) -> str | None:
    for name, value in headers.items() if isinstance(headers, dict) else headers:
        if name == SCHEMA_HEADER:
            return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return None
