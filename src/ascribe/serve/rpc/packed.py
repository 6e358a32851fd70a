"""The answer to GetAttribution as bytes, its rows all at once: they read as the message of `messages.attributions`.

A row's three maps are most of its bytes, and from row to row only their numbers differ; protobuf would build them
entry by entry. Two things of its wire format are relied on: a message may come in parts (a row is its scalars, then
its maps), and an entry of a map ends with its value, a number of 8 bytes. A row that lacks one goes the long way.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ascribe.serve import messages as said
from ascribe.serve.observe.log import stage
from ascribe.serve.rpc.messages import fields
from ascribe.serve.wire import attribution_pb2 as pb

__all__ = ["attributions"]

MAPS = ("attribution_shares", "fraction", "stderr")
NUMBER = 8  # bytes of a double, little-endian
ROW = pb.AttributionResponse(attributions=[pb.Attribution()]).SerializeToString()[:-1]  # the field's key alone


@stage("encode")
def attributions(answer: said.AttributionResponse) -> bytes:
    rows, names = answer.attributions, answer.features
    held = [[getattr(row, name) for name in MAPS] for row in rows]
    whole = [i for i, maps in enumerate(held) if all(list(one) == names for one in maps)]
    filled = dict(
        zip(whole, _filled(names, [[x for one in held[i] for x in one.values()] for i in whole]), strict=True)
    )
    parts = [pb.AttributionResponse(**fields(answer, "attributions")).SerializeToString()]
    for i, row in enumerate(rows):
        maps = filled.get(i)
        message = pb.Attribution(**(fields(row) if maps is None else fields(row, *MAPS))).SerializeToString()
        parts += (ROW, _varint(len(message) + len(maps or b"")), message, maps or b"")
    return b"".join(parts)


def _filled(names: Sequence[str], numbers: list[list[float]]) -> list[bytes]:
    """Bytes of the maps for numbers (rows, 3 n)."""
    if not numbers or not names:
        return [b""] * len(numbers)
    blank, at = _blank(tuple(names))
    block = np.tile(blank, (len(numbers), 1))
    block[:, at] = np.array(numbers, "<f8").view(np.uint8)
    raw, length = block.tobytes(), len(blank)
    return [raw[k : k + length] for k in range(0, len(raw), length)]


@lru_cache(maxsize=8)
def _blank(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of the maps with some numbers, and where the bytes of each number are."""
    fields_of: list[dict[str, Any]] = [{of: {name: 1.0}} for of in MAPS for name in names]
    entries = [pb.Attribution(**one).SerializeToString() for one in fields_of]
    ends = np.cumsum([len(entry) for entry in entries])
    return np.frombuffer(b"".join(entries), np.uint8), (ends[:, None] + np.arange(-NUMBER, 0)).ravel()


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))
