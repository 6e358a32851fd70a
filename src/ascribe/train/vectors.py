"""Telemetry vectors on their way into the lake: columns, and where each row came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

__all__ = ["RESERVED", "Batch", "DeadLetter", "Places", "Vectors", "joined"]

RESERVED = frozenset(("id", "node", "timestamp", "power_w", "day", "shard"))
"""Columns of the lake that are no features."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where rows came from: `stream (rows,)` indexes `names`, `position (rows,)` is the offset in that stream.

    A stream is an append-only sequence that can be read again from a position: `kafka:CLUSTER/TOPIC/PARTITION`,
    `file:SHA256`, `prometheus:...`.
    """

    names: tuple[str, ...]
    stream: np.ndarray
    position: np.ndarray

    def take(self, at: np.ndarray) -> Places:
        """Those of some rows (indices or mask)."""
        return replace(self, stream=self.stream[at], position=self.position[at])


@dataclass(frozen=True, eq=False)
class Vectors:
    """Rows as parsed, nothing judged yet. `id`, `node`: text; `timestamp (rows,)` int64, microseconds since 1970 UTC;
    `power_w (rows,)` W, NaN where no meter was read; `X (rows, n)` natural units, NaN where a feature is absent.
    """

    id: Sequence[str]
    node: Sequence[str]
    timestamp: np.ndarray
    power_w: np.ndarray
    names: tuple[str, ...]
    X: np.ndarray
    places: Places

    def __len__(self) -> int:
        return len(self.timestamp)


def joined(parts: Sequence[Vectors]) -> Vectors:
    """Vectors of the same features from the same streams as one."""
    if len(parts) == 1:
        return parts[0]
    first, places = parts[0], parts[0].places
    return Vectors(
        [name for v in parts for name in v.id],
        [name for v in parts for name in v.node],
        np.concatenate([v.timestamp for v in parts]),
        np.concatenate([v.power_w for v in parts]),
        first.names,
        np.concatenate([v.X for v in parts]),
        Places(
            places.names,
            np.concatenate([v.places.stream for v in parts]),
            np.concatenate([v.places.position for v in parts]),
        ),
    )


@dataclass(frozen=True)
class DeadLetter:
    """A message that is no vector: its bytes, why, and where it lies."""

    payload: bytes
    reason: str
    stream: str
    position: int


@dataclass(frozen=True, eq=False)
class Batch:
    """What a source hands over at once. `ends`: for every stream touched, the position after its last message here,
    good or dead; once a batch is kept, reading goes on from there.
    """

    vectors: Sequence[Vectors]
    ends: Mapping[str, int]
    dead: Sequence[DeadLetter] = field(default_factory=tuple)

    def __len__(self) -> int:
        return sum(len(v) for v in self.vectors)
