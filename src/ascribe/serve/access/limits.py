"""What a request may cost before anybody knows what it asks: bytes before and after inflation, depth, headers, time."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterable, Sequence

from ascribe.core.errors import InputError
from ascribe.serve.faults import TooLargeError, UnsupportedError
from ascribe.serve.rows import Row

__all__ = ["Inflater", "check_depth", "check_headers", "narrow", "read_body"]

SWALLOWED = 4  # times the limit: how much of an oversize body is still read, so that its sender hears why
GZIP = 16 + zlib.MAX_WBITS
BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
BUT_MARKS = bytes(set(BUT_BRACKETS) - set(b'"\\'))
ONE_KIND = bytes.maketrans(b"{}", b"[]")
TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


def check_headers(headers: Sequence[tuple[bytes, bytes]], most: int, most_bytes: int) -> None:
    """Number, and bytes of names and values. Raises TooLargeError."""
    if len(headers) > most:
        raise TooLargeError(f"{len(headers)} headers, the limit of this server is {most}: send fewer")
    if sum(len(name) + len(value) for name, value in headers) > most_bytes:
        raise TooLargeError(f"headers of more than {most_bytes} bytes, the limit of this server: send shorter ones")


async def read_body(stream: AsyncIterable[bytes], encoding: str, limit: int, within_s: float) -> bytes:
    """A body, inflated where it came as gzip, at most `limit` bytes before and after. `within_s`: seconds until it is
    all there. Raises TooLargeError, UnsupportedError, InputError for one that is too slow or no gzip.
    """
    encoding = encoding.strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise UnsupportedError("this server reads bodies as they are, or as gzip: send no other Content-Encoding")
    inflater = Inflater(limit) if encoding != "identity" else None
    parts, size = [], 0
    try:
        async with asyncio.timeout(within_s):
            async for part in stream:
                size += len(part)
                if size <= limit:
                    parts.append(inflater.feed(part) if inflater else part)
                elif size > SWALLOWED * limit:
                    break
    except TimeoutError as exc:
        raise InputError(f"the body did not arrive within {within_s:g} s: send it faster, or in parts") from exc
    if size > limit:
        raise TooLargeError(f"the body has more than {limit} bytes, the limit of this server: send the rows in parts")
    if inflater:
        inflater.end()
    return b"".join(parts)


class Inflater:
    """One gzip stream, piece by piece, at most `limit` bytes altogether: a bomb is refused before it goes off."""

    def __init__(self, limit: int) -> None:
        self._limit, self._left = limit, limit
        self._stream = zlib.decompressobj(GZIP)

    def feed(self, part: bytes) -> bytes:
        """Raises InputError, TooLargeError."""
        try:
            out = self._stream.decompress(part, self._left + 1)
        except zlib.error as exc:
            raise InputError("the body cannot be read: it is not gzip, as its Content-Encoding says") from exc
        self._left -= len(out)
        if self._left < 0:
            raise TooLargeError(
                f"the body has more than {self._limit} bytes once inflated, the limit of this server: send it in parts"
            )
        if self._stream.unused_data:
            raise InputError("the body cannot be read: it goes on after the gzip stream ends")
        return out

    def end(self) -> None:
        """Raises InputError where the stream was cut off."""
        if not self._stream.eof:
            raise InputError("the body cannot be read: its gzip stream is cut off")


def check_depth(raw: bytes, most: int) -> None:
    """JSON nested at most `most` deep. Raises InputError.

    Taking away all innermost pairs lowers a text by one level; what is not gone after `most` rounds is too deep. A
    bracket after an odd number of quotes is part of a text: then, or where there are escapes, texts go first.
    """
    kept = raw.translate(None, BUT_MARKS)
    if b"\\" in kept or b'"' in kept.replace(b'""', b""):
        kept = TEXTS.sub(b"", raw)
    if not _within(kept.translate(ONE_KIND, BUT_BRACKETS), most):
        raise InputError(f"the body cannot be read: it is nested too deeply, the limit of this server is {most}")


def _within(brackets: bytes, most: int) -> bool:
    """What does not balance is no JSON: the parser says so, unless it opens more than it may."""
    deep = b"[" * (most + 1)
    for _ in range(most):
        if deep in brackets:
            return False
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return b"[]" not in brackets and brackets.count(b"[") <= most


def narrow(rows: Sequence[Row], most: int) -> None:
    """A row with more values than any model here may have is that row's problem."""
    for row in rows:
        if isinstance(row.values, list | tuple | dict) and len(row.values) > most:
            row.problem = f"{len(row.values)} values, the limit of this server is {most} in a row"
            row.values = None
