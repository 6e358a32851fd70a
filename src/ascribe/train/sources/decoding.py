"""Messages to vectors: JSON or Protobuf, many at once; what is no vector becomes a dead letter with its reason.

JSON is read into structs whose fields are the features of the messages before it, which costs a third of reading into
dictionaries; a message with other features is read the long way, and its features become another layout. Names with a
quote or a backslash (Windows counters) are always read the long way.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from math import nan
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from google.protobuf.message import DecodeError

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.train.sources.moments import LATEST_US, timestamp_us
from ascribe.train.vectors import RESERVED, DeadLetter, Places, Vectors, joined
from ascribe.train.wire.telemetry_pb2 import FeatureVector

__all__ = ["Decoder"]

AT_ONCE = 1000  # messages whose structs are alive together: more leave the cache, and cost twice as much
MOST_LAYOUTS = 8
MOST_FEATURES, MOST_LETTERS = 4096, 256
CONTROL, ESCAPED = re.compile(r"[\x00-\x1f]").search, re.compile(r'["\\]').search  # msgspec renames to neither
FRAME = 5  # bytes that a schema registry's serialiser puts before a message: 0 and the schema's number
LATEST_MS = LATEST_US // 1000
MISFIT = (*UNREADABLE, TypeError)  # the last for a message without bytes
Die = Callable[[int, str], None]


class _Loose(msgspec.Struct, gc=False):
    """Any vector; floats that are null are absent."""

    id: str
    node: str
    timestamp: int | float | str
    features: dict[str, float | None]
    power_w: float | None = None


class _Layout:
    """Vectors whose features are these or fewer: how to read one, and all of them as a matrix."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        fields = [f"f{j}" for j in range(len(names))]
        features = msgspec.defstruct(
            "Features", [(f, float, nan) for f in fields], rename=dict(zip(fields, names, strict=True)),
            forbid_unknown_fields=True, gc=False,
        )  # fmt: skip
        vector = [("id", str), ("node", str), ("timestamp", int | str), ("features", features)]
        power: Any = ("power_w", float | None, None)
        self._decode: Callable[[Any], Any] = msgspec.json.Decoder(
            msgspec.defstruct("Vector", [*vector, power], gc=False)
        ).decode
        self._pack = struct.Struct(f"{len(names)}d").pack
        self._pick = attrgetter(*fields) if len(fields) > 1 else lambda f: (f.f0,)

    def read(self, payloads: Sequence[bytes | None], at: Iterable[int]) -> tuple[list[int], list[Any], list[int]]:
        """Of the messages `at`: which fit, what they say, and which do not fit."""
        fit, rows, others, decode = [], [], [], self._decode
        for i in at:
            try:
                rows.append(decode(payloads[i]))
            except MISFIT:
                others.append(i)
            else:
                fit.append(i)
        return fit, rows, others

    def matrix(self, rows: Sequence[Any]) -> np.ndarray:
        """X (rows, n): packed as bytes, since numpy takes twice as long to read a list of tuples."""
        pick, pack = self._pick, self._pack
        raw = b"".join([pack(*pick(row.features)) for row in rows])
        return np.frombuffer(raw, float).reshape(len(rows), len(self.names))


class _Unreadable(Exception):
    """Why a message is no vector."""


class Decoder:
    """Keeps the layouts it has met. `known(version)` says whether a schema id in a header is one of ours."""

    def __init__(self, known: Callable[[str], bool] = lambda _: True) -> None:
        self._layouts: list[_Layout] = []
        self._known = known

    def decode(
        self, payloads: Sequence[bytes | None], streams: tuple[str, ...], stream: np.ndarray, position: np.ndarray,
        schemas: Mapping[int, str] | None = None,
    ) -> tuple[list[Vectors], list[DeadLetter]]:  # fmt: skip
        """`stream (messages,)` indexes `streams`, `position (messages,)` is each message's place in it; `schemas`:
        the schema ids that came with some messages, by index.
        """
        places = Places(streams, stream, position)
        dead: list[DeadLetter] = []

        def die(i: int, reason: str) -> None:
            dead.append(DeadLetter(payloads[i] or b"", reason, streams[stream[i]], int(position[i])))

        strange = {i: schema for i, schema in (schemas or {}).items() if not self._known(schema)}
        for i, schema in strange.items():
            die(i, f"schema '{schema[:64]}' is unknown: `ascribe ingest --features` defines one")
        at = [i for i in range(len(payloads)) if i not in strange] if strange else range(len(payloads))
        found: dict[tuple[str, ...], list[Vectors]] = {}
        for k in range(0, len(at), AT_ONCE):
            for group in self._groups(payloads, at[k : k + AT_ONCE], die):
                if len(v := self._vectors(*group, places, die)):
                    found.setdefault(v.names, []).append(v)
        return [joined(parts) for parts in found.values()], dead

    def _groups(
        self, payloads: Sequence[bytes | None], rest: Iterable[int], die: Die
    ) -> Iterator[tuple[_Layout | None, list[int], list[Any]]]:
        """Messages by the layout that they fit, then those that fit none, whose features make a layout in passing."""
        for layout in self._layouts:
            fit, rows, rest = layout.read(payloads, rest)
            yield layout, fit, rows
        loose: tuple[list[int], list[_Loose]] = ([], [])
        left = deque(rest)
        while left:
            i = left.popleft()
            try:
                row = _loose(payloads[i])
            except _Unreadable as exc:
                die(i, str(exc))
                continue
            loose[0].append(i)
            loose[1].append(row)
            if row.features and len(self._layouts) < MOST_LAYOUTS and not self._fits(row) and _plain(row):
                self._layouts.append(layout := _Layout(tuple(row.features)))
                fit, rows, rest = layout.read(payloads, left)
                left = deque(rest)
                yield layout, fit, rows
        yield None, *loose

    def _fits(self, row: _Loose) -> bool:
        return any(set(row.features) <= set(layout.names) for layout in self._layouts)

    def _vectors(self, layout: _Layout | None, at: list[int], rows: list[Any], places: Places, die: Die) -> Vectors:
        times = [
            t * 1000 if type(t := row.timestamp) is int and 0 <= t <= LATEST_MS else timestamp_us(t) for row in rows
        ]
        ids, nodes = [row.id for row in rows], [row.node for row in rows]
        if None in times or not all(ids) or not all(nodes):
            sound = [t is not None and bool(row.id and row.node) for t, row in zip(times, rows, strict=True)]
            for i, row, good in zip(at, rows, sound, strict=True):
                if not good:
                    die(i, _lacking(row))
            at, rows, times, ids, nodes = (list(compress(part, sound)) for part in (at, rows, times, ids, nodes))
        names, X = (layout.names, layout.matrix(rows)) if layout else _aligned(rows)
        power = np.array([row.power_w for row in rows], float)
        return Vectors(ids, nodes, np.array(times, np.int64), power, names, X, places.take(np.array(at, int)))


def _loose(payload: bytes | None) -> _Loose:
    """JSON or Protobuf, framed by a schema registry's serialiser or not."""
    if not payload:
        raise _Unreadable("the message is empty")
    body = payload
    if body[:1] == b"\0" and len(body) > FRAME:
        body = body[FRAME:]
        if body.lstrip()[:1] != b"{":
            body = _after_indexes(body)
    row = _json(body) if body.lstrip()[:1] in (b"{", b"[", b'"') else _protobuf(body)
    if len(row.features) > MOST_FEATURES:
        raise _Unreadable(f"{len(row.features)} features, {MOST_FEATURES} are the most")
    _check_names(row.features)
    return row


def _check_names(names: Iterable[str]) -> None:
    """A table takes names that differ only in case for one column."""
    spelled: dict[str, str] = {}
    for name in names:
        lower = name.lower()
        if lower in RESERVED or not 0 < len(name) <= MOST_LETTERS or CONTROL(name):
            wanted = f"(1 to {MOST_LETTERS} letters, no control characters, none of the lake's own names)"
            raise _Unreadable(f"a feature cannot be named {name[:64]!r}: rename it {wanted}")
        if (other := spelled.setdefault(lower, name)) != name:
            raise _Unreadable(f"two features differ only in case ({other[:64]}, {name[:64]}): rename one")


def _plain(row: _Loose) -> bool:
    return not any(map(ESCAPED, row.features))


def _json(body: bytes) -> _Loose:
    try:
        return msgspec.json.decode(body, type=_Loose)
    except UNREADABLE as exc:
        said = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise _Unreadable(f"no vector in JSON: {said}") from exc


def _protobuf(body: bytes) -> _Loose:
    try:
        v = FeatureVector.FromString(body)
    except DecodeError as exc:
        raise _Unreadable("neither JSON nor a FeatureVector in Protobuf") from exc
    if not v.id and not v.node:  # many byte strings are Protobuf by accident
        raise _Unreadable("neither JSON nor a FeatureVector in Protobuf")
    return _Loose(v.id, v.node, v.timestamp, dict(v.features), v.power_w if v.HasField("power_w") else None)


def _after_indexes(body: bytes) -> bytes:
    """Behind the message indexes of the serialiser: a zigzag count, then so many numbers; a lone 0 is the first one."""
    count, at = _varint(body, 0)
    for _ in range(count >> 1):
        _, at = _varint(body, at)
    return body[at:]


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(body) and shift < 64:
        byte = body[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise _Unreadable("neither JSON nor a FeatureVector in Protobuf")


def _aligned(rows: Sequence[_Loose]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of all rows together, and X (rows, n) with NaN where a row lacks one."""
    names = tuple(dict.fromkeys(name for row in rows for name in row.features))
    column = {name: j for j, name in enumerate(names)}
    X = np.full((len(rows), len(names)), nan)
    for i, row in enumerate(rows):
        for name, value in row.features.items():
            if value is not None:
                X[i, column[name]] = value
    return names, X


def _lacking(row: Any) -> str:
    if not row.id or not row.node:
        return f"{'node' if row.id else 'id'} is empty"
    return f"timestamp {str(row.timestamp)[:40]!r} is neither epoch milliseconds to {LATEST_MS} nor RFC 3339"
