"""Chunks in, answers out as they become ready; a bounded number is in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

__all__ = ["answered"]

C = TypeVar("C")
A = TypeVar("A")


async def answered(chunks: AsyncIterator[C], answer: Callable[[C], Awaitable[A]], most: int) -> AsyncGenerator[A, None]:
    """Answers in the order in which they become ready. No further chunk is read while `most` are read whose answers
    were not taken yet: a reader who is slow slows the sender down, and memory stays bounded. `answer` raises nothing
    but what ends the stream.
    """
    room = asyncio.Semaphore(most)
    ready: asyncio.Queue[A | BaseException | None] = asyncio.Queue()
    working: set[asyncio.Task[None]] = set()

    async def one(chunk: C) -> None:
        try:
            ready.put_nowait(await answer(chunk))
        except Exception as exc:
            ready.put_nowait(exc)

    async def read() -> None:
        try:
            await room.acquire()
            async for chunk in chunks:
                task = asyncio.create_task(one(chunk))
                working.add(task)
                task.add_done_callback(working.discard)
                await room.acquire()
            while working:
                await asyncio.wait(working)
            ready.put_nowait(None)
        except Exception as exc:
            ready.put_nowait(exc)

    reader = asyncio.create_task(read())
    try:
        while (held := await ready.get()) is not None:
            if isinstance(held, BaseException):
                raise held
            yield held
            room.release()
    finally:
        reader.cancel()
        for task in working:
            task.cancel()
        await asyncio.wait({reader, *working})
