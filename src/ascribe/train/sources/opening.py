"""From an address to a source: one row a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ascribe.core.errors import InputError
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import Columns, FileSource
from ascribe.train.sources.source import Source
from ascribe.train.vectors import Batch

__all__ = ["Asked", "open_dead_topic", "open_source"]

FORMS = (
    "kafka://HOST:PORT/TOPIC, a file (.jsonl, .csv, .parquet, .arrow), prometheus+http://HOST:PORT?preset=NAME or "
    "replay:FILE?speed=1"
)


@dataclass(frozen=True)
class Asked:
    """What the command line says of a source. `batch_rows`, `batch_s`: of Kafka; `config`: librdkafka's settings."""

    address: str
    group: str = "ascribe"
    batch_rows: int = 25_000
    batch_s: float = 1.0
    config: Mapping[str, Any] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)


def open_source(asked: Asked, known_schema: Callable[[str], bool], note: Callable[[str], None]) -> Source:
    """Raises InputError for an address of no known kind, and as the source itself."""
    scheme = urlsplit(asked.address).scheme
    if scheme == "kafka":
        return _kafka(asked, Decoder(known_schema), note)
    if scheme in ("prometheus+http", "prometheus+https"):
        from ascribe.train.sources.prometheus import opened

        return opened(asked.address)
    if scheme == "replay":
        from ascribe.train.sources.replay import ReplaySource, read_replay

        replay = read_replay(asked.address)
        return ReplaySource(FileSource(replay.path, Decoder(known_schema), asked.columns), replay)
    if scheme in ("", "file"):
        path = Path(asked.address.removeprefix("file://")).expanduser()
        return FileSource(path, Decoder(known_schema), asked.columns)
    raise InputError(f"'{asked.address}' is no source: use {FORMS}")


def open_dead_topic(asked: Asked, topic: str) -> Callable[[Batch], None]:
    """Takes batches with dead letters. Raises InputError where the source is no Kafka cluster."""
    if urlsplit(asked.address).scheme != "kafka":
        raise InputError("--dead-letter-topic needs a source kafka://HOST:PORT/TOPIC")
    from ascribe.train.sources.dead_topic import DeadTopic

    return DeadTopic(_kafka_parts(asked)[0], topic, asked.config)


def _kafka_parts(asked: Asked) -> tuple[str, str]:
    brokers, _, topic = asked.address.removeprefix("kafka://").partition("/")
    if not brokers or not topic or "/" in topic:
        raise InputError(f"'{asked.address}' names no broker or no topic: write kafka://HOST:PORT/TOPIC")
    return brokers, topic


def _kafka(asked: Asked, decoder: Decoder, note: Callable[[str], None]) -> Source:
    from ascribe.train.sources.kafka import KafkaOptions, KafkaSource

    brokers, topic = _kafka_parts(asked)
    options = KafkaOptions(brokers, topic, asked.group, asked.batch_rows, asked.batch_s, asked.config)
    return KafkaSource(options, decoder, note)
