"""The way out, in the order in which no request is lost.

not ready -> all is answered as before, but connections end -> nothing new -> what runs is finished -> the rest

Between "not ready" and "nothing new" lie `drain_s` seconds, in which balancers hear of it and every connection that is
in use goes elsewhere: an HTTP answer says `Connection: close` (`porch_http`), a gRPC connection is as old as it may be
(`connection_age_ms`). Both ends then know of the end before it comes. An end that comes first, as of a gRPC server that
stops, kills the calls that cross it on their way: their callers see CANCELLED.
"""

from __future__ import annotations

import asyncio

import uvicorn

from ascribe.serve.house import House
from ascribe.serve.rpc import door as rpc
from ascribe.serve.settings import Settings
from ascribe.serve.standing import Standing

__all__ = ["connection_age_ms", "leave"]

AGE_SHARE = 0.5  # of the drain, give or take a tenth: who connects in its first part is moved as well


def connection_age_ms(settings: Settings) -> list[int]:
    """The age at which a gRPC connection is told to end (GOAWAY) while its server still takes calls; streams on it go
    on. None without a drain. There is no other way to say so to one connection, or later.
    """
    return [round(settings.drain_s * AGE_SHARE * 1000)] if settings.drain_s else []


async def leave(
    house: House, words: rpc.Health, rpc_server: Standing, web: uvicorn.Server, web_task: asyncio.Task[None],
    drain_s: float,
) -> None:  # fmt: skip
    """Returns when both doors are closed: after `drain_s` seconds, and at most `grace_s` for what then runs. Jobs are
    handed over at once.
    """
    await words.say(False)
    await asyncio.gather(house.quiet(), asyncio.sleep(drain_s))
    web.should_exit = True
    await asyncio.gather(rpc_server.stop(house.settings.grace_s), web_task)
    await house.close()
