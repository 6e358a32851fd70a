"""A plain HTTP/1.1 client for load: it keeps connections, tries nothing twice, and costs the generator little.

The connection that was used last is used next, so that those beyond need go idle and are closed here after `idle_s`. A
connection whose answer says `Connection: close`, or that the other side has closed, is not used again. What was sent on
a connection that ends before its answer is a failure, and said to be one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

__all__ = ["Answer", "KeptAlive"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class KeptAlive:
    """Connections to one HOST:PORT. `opened`: how many there were."""

    def __init__(self, at: str, idle_s: float) -> None:
        self._idle_s = idle_s
        self._host, _, port = at.rpartition(":")
        self._port = int(port)
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.opened = 0

    async def post(self, path: str, body: bytes) -> Answer:
        """Raises OSError (of which ConnectionError) and EOFError (an answer cut off)."""
        reader, writer = self._kept() or await self._new()
        whole = False
        try:
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            answer = await _read(reader)
            whole = answer.headers.get("connection") != "close"
        finally:
            if whole:
                self._idle.append((time.monotonic(), reader, writer))
            else:
                writer.transport.abort()
        return answer

    def close(self) -> None:
        for _, _, writer in self._idle:
            writer.transport.abort()

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while self._idle and time.monotonic() - self._idle[0][0] > self._idle_s:
            self._idle.pop(0)[2].close()
        while self._idle:
            _, reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    async def _new(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.opened += 1
        return await asyncio.open_connection(self._host, self._port)


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Answer(int(head[0].split()[1]), headers, body)
