"""Dead letters as messages: to a topic beside the table, for whoever mends and sends again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from ascribe.core.errors import SourceError
from ascribe.train.vectors import Batch

__all__ = ["DeadTopic"]

FLUSH_S = 30.0


class DeadTopic:
    """Every dead letter of a batch, with headers `reason` and `origin`; a crash may send one twice."""

    def __init__(self, brokers: str, topic: str, config: Mapping[str, Any]) -> None:
        self._topic = topic
        ours = {"bootstrap.servers": brokers, "enable.idempotence": True, "log_level": 2}
        self._producer = Producer(ours | dict(config))

    def __call__(self, batch: Batch) -> None:
        """Raises SourceError if they cannot all be delivered."""
        lost: list[str] = []

        def delivered(error: KafkaError | None, _: object) -> None:
            if error is not None:
                lost.append(error.str())

        for letter in batch.dead:
            origin = f"{letter.stream}@{letter.position}"
            headers: list[tuple[str, str | bytes | None]] = [("reason", letter.reason), ("origin", origin)]
            try:
                self._producer.produce(self._topic, letter.payload, headers=headers, on_delivery=delivered)
            except (BufferError, KafkaException) as exc:
                raise SourceError(f"dead letters cannot be sent to {self._topic} ({exc})") from exc
        if self._producer.flush(FLUSH_S) or lost:
            why = lost[0] if lost else f"not within {FLUSH_S:g} s"
            raise SourceError(f"dead letters cannot be sent to {self._topic} ({why}): does the topic exist?")
