"""Vectors as Arrow tables: the lake's own rows, quarantine and dead letters. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec
import numpy as np
import pyarrow as pa

from ascribe.train.vectors import DeadLetter, Places, Vectors

__all__ = [
    "DAY", "DEAD_SCHEMA", "EMPTY", "QUARANTINE_SCHEMA", "ROW_SCHEMA", "SHARD", "Placed", "by_kind", "dead_of", "joined",
    "quarantine_of", "rows_of",
]  # fmt: skip

DAY, SHARD = "day", "shard"
DAY_US = 86_400_000_000
TIME = pa.timestamp("us", "UTC")
ROW_SCHEMA = pa.schema(
    [("id", pa.string()), ("node", pa.string()), ("timestamp", TIME), ("power_w", pa.float64()), (DAY, pa.string())]
)
QUARANTINE_SCHEMA = pa.schema(
    [("reason", pa.string()), ("id", pa.string()), ("node", pa.string()), ("timestamp", TIME), ("payload", pa.string()),
     ("stream", pa.string()), ("position", pa.int64()), ("at", TIME)]
)  # fmt: skip
DEAD_SCHEMA = pa.schema(
    [("reason", pa.string()), ("payload", pa.binary()), ("stream", pa.string()), ("position", pa.int64()),
     ("at", TIME)]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Placed:
    """Rows of one table, and where each came from."""

    rows: pa.Table
    places: Places


EMPTY = Placed(ROW_SCHEMA.empty_table(), Places((), np.zeros(0, int), np.zeros(0, np.int64)))
"""No rows; appended where a batch had none that are good, so that its positions are held all the same."""


def rows_of(v: Vectors, good: np.ndarray, shards: int = 0) -> Placed:
    """The good rows as the lake keeps them: one column a feature, absent values null, and the day (UTC); with `shards`
    also node modulo shards, for fleets whose nodes are too many to be partitions.
    """
    everything = bool(good.all())
    at = np.flatnonzero(good)
    node = list(v.node) if everything else [v.node[i] for i in at.tolist()]
    time = v.timestamp if everything else v.timestamp[at]
    columns = {
        "id": pa.array(v.id if everything else [v.id[i] for i in at.tolist()], pa.string()),
        "node": pa.array(node, pa.string()),
        "timestamp": pa.array(time, TIME),
        "power_w": pa.array(v.power_w if everything else v.power_w[at], from_pandas=True),
        DAY: _days(time),
    }
    if shards:
        columns[SHARD] = pa.array([f"{crc32(name.encode()) % shards:04d}" for name in node], pa.string())
    by_feature = np.ascontiguousarray((v.X if everything else v.X[at]).T)
    columns |= {name: pa.array(by_feature[j], from_pandas=True) for j, name in enumerate(v.names)}
    return Placed(pa.table(columns), v.places if everything else v.places.take(at))


def quarantine_of(v: Vectors, reasons: Sequence[str], now_us: int) -> Placed:
    """The rows with a reason, each as a message could bring it again."""
    at = np.array([i for i, reason in enumerate(reasons) if reason], int)
    places = v.places.take(at)
    columns = {
        "reason": [reasons[i] for i in at],
        "id": [v.id[i] for i in at],
        "node": [v.node[i] for i in at],
        "timestamp": pa.array(v.timestamp[at], TIME),
        "payload": [_message(v, int(i)) for i in at],
        **_origin(places, now_us),
    }
    return Placed(pa.table(columns, QUARANTINE_SCHEMA), places)


def dead_of(letters: Sequence[DeadLetter], now_us: int) -> Placed:
    """Messages that are no vectors."""
    names = tuple(dict.fromkeys(letter.stream for letter in letters))
    stream = np.array([names.index(letter.stream) for letter in letters], int)
    places = Places(names, stream, np.array([letter.position for letter in letters], np.int64))
    columns = {"reason": [d.reason for d in letters], "payload": [d.payload for d in letters]}
    return Placed(pa.table(columns | _origin(places, now_us), DEAD_SCHEMA), places)


def joined(parts: Sequence[Placed]) -> Placed:
    """Several tables as one; a column that one of them lacks is null there."""
    if len(parts) == 1:
        return parts[0]
    names = tuple(dict.fromkeys(name for part in parts for name in part.places.names))
    streams = [np.array([names.index(name) for name in part.places.names], int)[part.places.stream] for part in parts]
    return Placed(
        pa.concat_tables([part.rows for part in parts], promote_options="default"),
        Places(names, np.concatenate(streams), np.concatenate([part.places.position for part in parts])),
    )


def by_kind(reasons: Iterable[str]) -> Counter[str]:
    """How often each reason was given, without its values in brackets."""
    return Counter(reason.split(" (")[0] for reason in reasons)


def _days(time: np.ndarray) -> pa.Array:
    """ISO dates of microseconds since 1970 UTC."""
    days, index = np.unique(time // DAY_US, return_inverse=True)
    names = np.datetime_as_string(days.astype("datetime64[D]"))
    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(names.tolist())).cast(pa.string())


def _origin(places: Places, now_us: int) -> dict[str, object]:
    count = len(places.position)
    return {
        "stream": [places.names[s] for s in places.stream],
        "position": places.position,
        "at": pa.array(np.full(count, now_us), TIME),
    }


def _message(v: Vectors, i: int) -> str:
    finite = {name: float(x) if np.isfinite(x) else None if np.isnan(x) else str(x) for name, x in zip(v.names, v.X[i], strict=True)}  # noqa: E501  # fmt: skip
    power = float(v.power_w[i])
    body = {
        "id": v.id[i], "node": v.node[i], "timestamp": int(v.timestamp[i]) // 1000, "features": finite,
        "power_w": power if np.isfinite(power) else None,
    }  # fmt: skip
    return msgspec.json.encode(body).decode()
