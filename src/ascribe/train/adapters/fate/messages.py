"""Bytes or JSON twins -> messages."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message

from ascribe.core.errors import InputError

__all__ = ["EMPTY", "finite", "parsed"]

EMPTY = b"\x0a\x03set"  # what FATE writes where a message would be of no bytes
M = TypeVar("M", bound=Message)


def parsed(kind: type[M], held: bytes | dict[str, Any], name: str) -> M:
    """A message; fields that are not known are passed over. Raises InputError for bytes that are none of it."""
    made: M = kind()
    if held == EMPTY:
        return made
    try:
        if isinstance(held, dict):
            ParseDict(held, made, ignore_unknown_fields=True)
        else:
            made.ParseFromString(held)
    except (DecodeError, ParseError, ValueError, TypeError, RecursionError) as exc:
        raise InputError(f"{name} cannot be read as {kind.DESCRIPTOR.name}: fetch the model again") from exc
    return made


def finite(value: float, name: str) -> float:
    """Raises InputError for infinity and NaN."""
    if not math.isfinite(value):
        raise InputError(f"{name} is not finite: fetch the model again")
    return float(value)
