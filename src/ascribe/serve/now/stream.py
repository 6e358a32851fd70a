"""Events over HTTP: `text/event-stream`, until the listener is lost, hangs up, or the server leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ascribe.serve.now.hub import Listener

__all__ = ["Events"]

BEAT_S = 10.0
SLOW_S = 20.0  # that a reader may take until it takes something
BEGIN, BEAT = b"retry: 2000\n: here\n\n", b": still here\n\n"


class Events(Response):
    """`left`: called once it is over."""

    def __init__(self, listener: Listener, left: Callable[[], None]) -> None:
        calm = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(headers=calm, media_type="text/event-stream")
        self._listener, self._left = listener, left
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def hung_up() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        talk, gone = asyncio.create_task(self._talk(send)), asyncio.create_task(hung_up())
        try:
            await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (talk, gone):
                task.cancel()
            await asyncio.wait({talk, gone})
            self._left()

    async def _talk(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with suppress(TimeoutError, OSError):  # it reads nothing any more
            await _said(send, BEGIN)
            while (events := await self._listener.next(BEAT_S)) is not None:
                await _said(send, b"".join(events) or BEAT)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _said(send: Send, text: bytes) -> None:
    async with asyncio.timeout(SLOW_S):
        await send({"type": "http.response.body", "body": text, "more_body": True})
