"""Bytes on a socket that are no HTTP, or almost: what the library below the doors has to stand."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.fuzz.values import damaged

__all__ = ["FAMILIES", "PREFACE", "Steps", "frame", "headers"]

BODY = b'{"feature_vector":[{"values":[0.5,4.0,20.0]}]}'
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@dataclass(frozen=True)
class Steps:
    """Pieces sent one after another, each in a packet of its own; `leave`: hang up without listening."""

    pieces: tuple[bytes, ...]
    leave: bool = False


def _head(line: bytes = b"POST /v1/predictions HTTP/1.1", *more: bytes) -> bytes:
    return b"\r\n".join((line, b"Host: a", b"Content-Type: application/json", *more)) + b"\r\n\r\n"


def _whole() -> bytes:
    return _head(b"POST /v1/predictions HTTP/1.1", b"Content-Length: %d" % len(BODY)) + BODY


def lines(rng: random.Random) -> Steps:
    """Request lines and headers."""
    line = rng.choice((
        b"", b"GET", b"GET /", b"GET / HTTP/9.9", b"GET / HTTP/1.1 x", b"\0\0\0\0", b"GET /\0 HTTP/1.1",
        b"get / http/1.1",
        b"GET http://[::1 HTTP/1.1", b"GET //// HTTP/1.1", b"GET /%ff%fe%00 HTTP/1.1", b"CONNECT a:1 HTTP/1.1",
        b"GET /" + b"a" * rng.choice((100, 9000, 70_000)) + b" HTTP/1.1", b"GET * HTTP/1.1", b"GET /\xff\xfe HTTP/1.1",
        b"POST /v1/predictions HTTP/1.0", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"SSH-2.0-x",
        b"GET /v1/../.. HTTP/1.1",
    ))  # fmt: skip
    header = rng.choice((
        b"X", b": x", b"X : y", b" folded", b"X: \0", b"X: a\rb", b"X:" + b"y" * 40_000, b"\xff: \xff",
        b"\r\n".join(b"X%d: y" % k for k in range(rng.choice((99, 101, 2000)))), b"Host: a\r\nHost: b",
        b"Content-Length: 1\r\nContent-Length: 2", b"Expect: 100-continue",
        b"Upgrade: websocket\r\nConnection: upgrade",
        b"Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk", b"Connection: close",
        b"traceparent: 00-" + b"z" * 60, b"Cookie: " + b"a=b; " * 500, b"X-API-Key: \xff\xfe",
        b"Authorization: Bearer \xff",
    ))  # fmt: skip
    raw = _head(line, header)
    return Steps((damaged(rng, raw) if rng.random() < 0.3 else raw,), rng.random() < 0.1)


def bodies(rng: random.Random) -> Steps:
    """Lengths that lie, chunks that are none, bodies that break off."""
    length = rng.choice(
        (b"-1", b"+46", b"0x2e", b"1e2", b"", b"46, 46", b"99999999999999999999", b"1000000", b"45", b"47", b"0")
    )
    size = rng.choice((b"2e", b"-1", b"ffffffffffffffff1", b"2E;x=y", b"zz", b"", b"0", b"7fffffff", b"2f"))
    chunk = (
        size + b"\r\n" + BODY + rng.choice((b"\r\n0\r\n\r\n", b"0\r\n\r\n", b"\r\n0\r\nX: y\r\n\r\n", b"\n0\n\n", b""))
    )
    coding = rng.choice((b"chunked", b"gzip, chunked", b"chunked, chunked", b"xchunked", b"CHUNKED", b"identity"))
    post = b"POST /v1/predictions HTTP/1.1"
    raw = rng.choice((
        _head(post, b"Content-Length: " + length) + BODY,
        _head(post, b"Transfer-Encoding: " + coding) + chunk,
        _head(post, b"Transfer-Encoding: chunked", b"Content-Length: 5") + chunk,
        damaged(rng, _whole()),
        _whole()[: rng.randrange(len(_whole()))],
    ))  # fmt: skip
    return Steps((raw,), rng.random() < 0.1)


def drips(rng: random.Random) -> Steps:
    """A request byte by byte, closed early more often than not."""
    raw = _whole()
    raw = raw[: rng.choice((rng.randrange(1, 60), rng.randrange(1, len(raw)), len(raw)))]
    n = rng.choice((2, 5, 11))
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(n))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    return Steps(tuple(p for p in pieces if p), rng.random() < 0.7)


def pipelined(rng: random.Random) -> Steps:
    """Many at once, one of them broken; the answers may not be waited for."""
    many = [_whole() for _ in range(rng.choice((2, 5, 20)))]
    many[rng.randrange(len(many))] = rng.choice((damaged(rng, _whole()), b"\r\n\r\n", b"G", _head(b"GET /v2 HTTP/1.1")))
    return Steps((b"".join(many),), rng.random() < 0.3)


def frames(rng: random.Random) -> Steps:
    """HTTP/2 on the gRPC port: a call whose frames are damaged, or frames that nobody asked for."""
    settings = frame(4, 0, 0, rng.choice((b"", b"\0\4\0\0\xff\xff", b"\0\4\xff\xff\xff\xff", b"\0\5\0\0\0\1", b"\0\1")))
    path = rng.choice((b"/attribution.v1.AttributionService/GetPrediction", b"/grpc.health.v1.Health/Check", b"/", b""))
    fields = [
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"a"), (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"grpc-encoding", rng.choice((b"identity", b"gzip", b"none", b"\xff"))),
        (b"grpc-timeout", rng.choice((b"1S", b"-1S", b"99999999H", b"x", b"0n"))),
    ]  # fmt: skip
    fields = [f for f in fields if rng.random() < 0.95]
    if rng.random() < 0.1:
        fields += [(b"x", b"y" * rng.choice((9000, 15_000)))]
    block = headers(fields)
    message = rng.choice(
        (b"", b"\0\0\0\0\0", b"\1\0\0\0\5junk!", b"\0\xff\xff\xff\xff", b"\7\0\0\0\0", rng.randbytes(99))
    )
    call = [frame(1, 4, 1, block), frame(0, 1, 1, message)]
    for _ in range(rng.randrange(4)):
        kind, flags = rng.randrange(12), rng.choice((0, 1, 4, 8, 0x20, 0xFF))
        stream = rng.choice((0, 1, 2, 3, 2**31 - 1, 2**32 - 1))
        call.insert(
            rng.randrange(len(call) + 1), frame(kind, flags, stream, rng.randbytes(rng.choice((0, 1, 4, 8, 300))))
        )
    raw = b"".join(call)
    if rng.random() < 0.5:
        raw = damaged(rng, raw)
    start = (
        PREFACE if rng.random() < 0.9 else rng.choice((b"", PREFACE[:9], b"GET / HTTP/1.1\r\n\r\n", rng.randbytes(40)))
    )
    return Steps((start + settings + raw,), rng.random() < 0.2)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """RFC 9113, 4.1."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def headers(fields: list[tuple[bytes, bytes]]) -> bytes:
    """Fields as they are, none indexed (RFC 7541, 6.2.2)."""
    return b"".join(b"\0" + _length(name) + name + _length(value) + value for name, value in fields)


def _length(text: bytes) -> bytes:
    """HPACK's integer with seven bits (RFC 7541, 5.1), no Huffman code."""
    n = len(text)
    if n < 127:
        return bytes((n,))
    n, out = n - 127, bytearray(b"\x7f")
    while n >= 128:
        out.append(n % 128 + 128)
        n //= 128
    return bytes((*out, n))


FAMILIES: dict[str, tuple[int, Callable[[random.Random], Steps]]] = {
    "lines": (5, lines),
    "bodies": (5, bodies),
    "drips": (2, drips),
    "pipelined": (1, pipelined),
    "frames": (4, frames),
}
