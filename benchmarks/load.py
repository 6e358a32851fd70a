"""Load on a server of its own process, and what it costs there.

Open loop: calls leave at their time whether or not earlier ones are answered (nothing is left out when the server is
slow), and a latency counts from the time at which a call should have left. Closed loop: so many callers ask again as
soon as they have their answer. Cost: processor time of the server and its children per call, which other work on the
machine hardly changes; the calls that one core can answer in a second are its inverse.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Ask", "Posts", "closed_loop", "cpu_s", "open_loop", "settled"]

Ask = Callable[[], Awaitable[Any]]
TICKS = os.sysconf("SC_CLK_TCK")
FAILED = (OSError, EOFError, RuntimeError, TimeoutError)
LONGEST_S = 60.0


def settled() -> None:
    """Or the generator's own collections of garbage, 50 ms each, would be told as the server's."""
    gc.collect()
    gc.freeze()


async def open_loop(ask: Ask, rate: float, seconds: float, failures: tuple[type[Exception], ...] = FAILED) -> dict:
    """Milliseconds at a constant rate; `late_ms`: p99 of how late the generator itself was; how many failed."""
    taken: list[float] = []
    late: list[float] = []
    failed = 0

    async def one(due: float) -> None:
        nonlocal failed
        try:
            await asyncio.wait_for(ask(), LONGEST_S)
            taken.append((time.perf_counter() - due) * 1000)
        except failures:
            failed += 1

    start, tasks = time.perf_counter() + 0.1, []
    for i in range(max(1, round(rate * seconds))):
        due = start + i / rate
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        late.append((time.perf_counter() - due) * 1000)
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    p50, p99 = np.percentile(taken, [50, 99]).tolist() if taken else (None, None)
    return {"rate": rate, "p50_ms": p50, "p99_ms": p99, "failed": failed, "answered": len(taken),
            "late_ms": float(np.percentile(late, 99))}  # fmt: skip


async def closed_loop(
    ask: Ask, callers: int, seconds: float, pid: int, failures: tuple[type[Exception], ...] = FAILED
) -> dict:
    """Calls a second by so many callers; `cpu_ms`: processor time of a call in the server."""
    answered, failed = 0, 0
    start, spent = time.perf_counter(), cpu_s(pid)

    async def caller() -> None:
        nonlocal answered, failed
        while time.perf_counter() - start < seconds:
            try:
                await asyncio.wait_for(ask(), LONGEST_S)
                answered += 1
            except failures:
                failed += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    took, spent = time.perf_counter() - start, cpu_s(pid) - spent
    return {"callers": callers, "calls_per_s": answered / took, "cores": spent / took, "failed": failed,
            "cpu_ms": 1000 * spent / answered if answered else None}  # fmt: skip


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and of all that it started, of those that ended too."""
    total, children = 0.0, {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = place.read_text().rpartition(")")[2].split()
            children[int(place.parent.name)] = (int(words[1]), sum(map(int, words[11:15])) / TICKS)
    family = [pid]
    for one in family:
        family += [child for child, (parent, _) in children.items() if parent == one]
        total += children.get(one, (0, 0.0))[1]
    return total


class Posts:
    """One POST again and again over connections that stay open: little more than writing and reading bytes, since a
    whole HTTP client takes longer than the server that it measures. `check`: looks at the first answer.
    """

    def __init__(self, url: str, body: bytes, content: str = "application/json") -> None:
        address, _, path = url.removeprefix("http://").partition("/")
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._bytes = (
            f"POST /{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content}\r\n"
            f"Content-Length: {len(body)}\r\nAccept: */*\r\n\r\n"
        ).encode() + body
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __call__(self) -> bytes:
        """The answer's body. Raises RuntimeError for another status than 200."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        writer.write(self._bytes)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await (_chunks(reader) if b"transfer-encoding: chunked" in head else reader.readexactly(_length(head)))
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append((reader, writer))
        if head.split(b" ", 2)[1] != b"200":
            raise RuntimeError(f"{head[:40]!r} {body[:300]!r}")
        return body


def _length(head: bytes) -> int:
    return int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = b""
    while size := int(await reader.readline(), 16):
        found += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return found
