"""The way out, in the order in which no request is lost.

not ready -> all is answered as before, but connections end -> nothing new -> what runs is finished -> the rest

Between "not ready" and "nothing new" lie `drain_s` seconds, in which balancers hear of it and every connection that is
in use goes elsewhere: an HTTP answer says `Connection: close` (`access.porch_http`), a gRPC connection is as old as it
may be (`rpc.binding`). Both ends then know of the end before it comes. An end that comes first, as of a gRPC server
that stops, kills the calls that cross it on their way: their callers see CANCELLED.
"""

from __future__ import annotations

import asyncio

import uvicorn

from ascribe.serve.rooms import Rooms
from ascribe.serve.rpc.health import Health
from ascribe.serve.standing import Standing

__all__ = ["leave"]


async def leave(
    house: Rooms, words: Health, rpc_server: Standing, web: uvicorn.Server, web_task: asyncio.Task[None],
    drain_s: float,
) -> None:  # fmt: skip
    """Returns when both doors are closed: after `drain_s` seconds, and at most `grace_s` for what then runs. Jobs are
    handed over at once.
    """
    await words.say(False)
    await asyncio.gather(house.quiet(), drained(drain_s))
    web.should_exit = True
    await asyncio.gather(rpc_server.stop(house.settings.grace_s), web_task)
    await house.close()


async def drained(drain_s: float) -> None:
    """As long as others need to hear of it."""
    await asyncio.sleep(drain_s)
