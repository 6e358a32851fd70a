"""A server in a process of its own, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import closing

from ascribe.serve.observe import memory
from ascribe.serve.observe.lines import Lines

__all__ = ["until_stopped"]


def until_stopped(serving: Callable[[asyncio.Event, Lines], Awaitable[None]]) -> None:
    """Run a server in a process of its own: SIGTERM or SIGINT sets its event; its log goes to standard output."""
    memory.settle()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, stop.set)
        with closing(Lines()) as lines:
            await serving(stop, lines)

    asyncio.run(main())
