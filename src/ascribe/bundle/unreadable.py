"""JSON that may be damaged: what a decoder raises for bytes that are none, or none of the kind asked for."""

from __future__ import annotations

from typing import TypeVar

import msgspec

__all__ = ["UNREADABLE", "readable"]

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # no UTF-8 inside a text; nested too deep
T = TypeVar("T")


def readable(raw: bytes | None, kind: type[T]) -> T | None:
    """An object of a kind; None where there is nothing, or what a machine that lost power left in pieces."""
    try:
        return None if raw is None else msgspec.json.decode(raw, type=kind)
    except UNREADABLE:
        return None
