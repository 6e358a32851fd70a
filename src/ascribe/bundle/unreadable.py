"""What a decoder of JSON raises for bytes that are none, or none of the kind asked for."""

from __future__ import annotations

import msgspec

__all__ = ["UNREADABLE"]

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # no UTF-8 inside a text; nested too deep
