"""Questions of many requests to one host leave together, and every request gets its own rows back.

    ask -> (a question of `at_once` is free) -> all that wait, as one question -> rows back to who asked

Nothing waits for company: while fewer than `at_once` questions are under way, one leaves at once; meanwhile others
gather, and the next takes all of them that a host answers in a call. Each host is gathered for by itself, so that
nobody waits for another's host. A caller waits for as long as it said, whatever the others do. Where a host refuses a
gathered question before it looked anything up, its halves are asked, down to the one at fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ascribe.core.federated.codes import NETWORK
from ascribe.core.federated.records import Ask, Linear, Part, Reply, Routes
from ascribe.serve.address import Address
from ascribe.serve.federated.link import HostLink, Unanswered

__all__ = ["Gathering", "cut"]

LEAST_S = 0.001


@dataclass(eq=False)
class _Waiting:
    """One request's question. `end`: when its caller has left, in seconds of the monotonic clock."""

    asked: Ask
    request_id: str
    end: float
    done: asyncio.Future[Reply]


@dataclass(eq=False)
class _Batch:
    """What leaves together, and the task that waits for the answer."""

    members: list[_Waiting]
    task: asyncio.Task[None] | None = field(default=None)


class Gathering:
    """A link like the one that it is made of. `at_once`: questions that may be under way."""

    def __init__(self, link: HostLink, at_once: int) -> None:
        self._link, self._free = link, at_once
        self._queue: list[_Waiting] = []
        self._batches: dict[_Waiting, _Batch] = {}

    @property
    def host(self) -> str:
        return self._link.host

    @property
    def address(self) -> Address:
        return self._link.address

    @property
    def max_rows(self) -> int:
        return self._link.max_rows

    @property
    def by_column(self) -> bool:
        return self._link.by_column

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        return self._link.columns

    @property
    def bound(self) -> bool:
        return self._link.bound

    async def bind(self, request_id: str, limit_s: float) -> None:
        await self._link.bind(request_id, limit_s)

    async def close(self) -> None:
        await self._link.close()

    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply:
        """This request's rows of an exchange. Raises Unanswered, within `limit_s` seconds."""
        one = _Waiting(asked, request_id, time.monotonic() + limit_s, asyncio.get_running_loop().create_future())
        self._queue.append(one)
        self._pump()
        try:
            async with asyncio.timeout(limit_s):
                return await one.done
        except TimeoutError as exc:
            raise Unanswered(NETWORK, f"{self.host} did not answer within {limit_s:g} s") from exc
        finally:
            one.done.cancel()
            self._left(one)

    def _left(self, one: _Waiting) -> None:
        """A question that nobody waits for any more is not asked, or ended."""
        if one in self._queue:
            self._queue.remove(one)
        batch = self._batches.pop(one, None)
        if batch and batch.task and all(member.done.done() for member in batch.members):
            batch.task.cancel()

    def _pump(self) -> None:
        while self._queue and self._free:
            self._free -= 1
            batch = _Batch(self._next())
            self._batches |= dict.fromkeys(batch.members, batch)
            batch.task = asyncio.get_running_loop().create_task(self._exchange(batch.members))
            batch.task.add_done_callback(self._ended)

    def _next(self) -> list[_Waiting]:
        """The first that waits, and all behind it that fit into the same call."""
        taken, rest, rows = [self._queue[0]], [], len(self._queue[0].asked.ids)
        for one in self._queue[1:]:
            if rows + len(one.asked.ids) <= self.max_rows:
                taken.append(one)
                rows += len(one.asked.ids)
            else:
                rest.append(one)
        self._queue = rest
        return taken

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._free += 1
        self._pump()

    async def _exchange(self, members: Sequence[_Waiting]) -> None:
        """One question, or as many as it takes to find whose ids are refused."""
        waiting = [one for one in members if not one.done.done()]
        if not waiting:
            return
        first = waiting[0]
        asked = replace(first.asked, ids=tuple(i for one in waiting for i in one.asked.ids))
        name = first.request_id if len(waiting) == 1 else f"{first.request_id[:100]}:and-{len(waiting) - 1}"
        limit_s = max(LEAST_S, round(max(one.end for one in waiting) - time.monotonic(), 2))
        try:
            reply = await self._link.ask(asked, name, limit_s)
        except Unanswered as exc:
            if exc.refused and len(waiting) > 1:
                half = len(waiting) // 2
                await asyncio.gather(self._exchange(waiting[:half]), self._exchange(waiting[half:]))
                return
            for one in waiting:
                _fail(one, Unanswered(exc.code, exc.text))
            return
        except Exception as exc:
            for one in waiting:
                _fail(one, exc)
            return
        at = 0
        for one in waiting:
            size = len(one.asked.ids)
            if not one.done.done():
                one.done.set_result(reply if len(waiting) == 1 else cut(reply, at, at + size))
            at += size


def _fail(one: _Waiting, exc: Exception) -> None:
    if not one.done.done():
        one.done.set_exception(exc)


def cut(reply: Reply, first: int, end: int) -> Reply:
    """Rows first ... end - 1 of a reply."""
    rows = slice(first, end)
    parts = {name: _cut(part, rows) for name, part in reply.parts.items()}
    defaulted = None if reply.defaulted is None else np.asarray(reply.defaulted[rows])
    return Reply(reply.party, reply.digest, np.asarray(reply.code[rows]), parts, defaulted)


def _cut(part: Part, rows: slice) -> Part:
    if isinstance(part, Routes):
        return Routes(part.bits[rows], None if part.known is None else part.known[rows])
    return Linear(part.sums[rows], None if part.terms is None else part.terms[rows], part.columns)
