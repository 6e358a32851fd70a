"""Rows of many requests become one call of the engine, and every caller gets its own back.

    submit -> a queue for each caller -> (a thread is free) -> a batch of one kind -> run -> rows back to their tickets

Nothing waits for company: while a thread is free a ticket runs at once, and while none is, tickets gather and the next
batch takes all that are alike. Callers take turns, a quantum of rows each, so a long request does not hold up short
ones; among a caller's own requests priority counts (`turns`). A long request is cut into such pieces and put together
in order. A batch that raises is run again ticket by ticket: only the one at fault fails. Everything here runs on the
event loop; only `run` is on a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np

from ascribe.serve.faults import AbandonedError, DeadlineError, ShedError
from ascribe.serve.observe import tracing
from ascribe.serve.observe.log import reached
from ascribe.serve.observe.meter import Meter, NoMeter
from ascribe.serve.overdue import ran_out
from ascribe.serve.pace import Pace
from ascribe.serve.tickets import Answered, Kind, Piece, Ticket
from ascribe.serve.turns import Turns, rank

__all__ = ["Batcher"]

LEAST_RETRY_S, MOST_RETRY_S, LITTLE_S = 0.05, 30.0, 1e-9


class Batcher:
    """`slots`: calls at a time, on threads of `pool`; `max_rows`: that may wait, `max_wait_s`: seconds that they may
    wait, about; `max_bytes`: of one call; `quantum`: rows of a ticket before others have their turn. `clock`: seconds,
    the same as deadlines.
    """

    def __init__(
        self, pool: Executor, slots: int, max_rows: int, max_bytes: int = 64 << 20, quantum: int = 64,
        max_wait_s: float = float("inf"), meter: Meter | None = None, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._pool, self._free, self._max_rows, self._max_bytes = pool, slots, max_rows, max_bytes
        self._max_wait_s = max_wait_s
        self._slots, self._quantum, self._meter, self._clock = slots, quantum, meter or NoMeter(), clock
        self._callers: OrderedDict[str, Turns[Ticket]] = OrderedDict()  # whose turn it is stands first
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace, self._own_s = Pace(), dict[str, float]()  # seconds of each caller's rows that wait
        self.rows_waiting = 0
        self.seconds_waiting = 0.0

    async def submit(
        self, kind: Kind, X: np.ndarray, caller: str = "", deadline: float | None = None, priority: int = 0
    ) -> Answered:
        """Answers rows X (b, n). `priority`: among this caller's requests, as `turns.rank` reads it. Raises ShedError
        where too many wait or an answer would come after the deadline, DeadlineError where the time is up before all
        were handed over, and what the engine raises for these rows.
        """
        now, expected_s = self._clock(), 0.0
        if self.rows_waiting:
            expected_s = self._expected_s(len(X) * kind.row_s, caller)
            full = self.rows_waiting + len(X) > self._max_rows or self.wait_s() > self._max_wait_s
            if full or (deadline is not None and now + self._pace.ratio * expected_s > deadline):
                told = f"{self.rows_waiting} rows wait, about {self.wait_s():.1f} s"
                raise ShedError(f"{told}: come again later, or ask a faster tier", self.retry_s())
        ticket = Ticket(kind, X, caller, deadline, asyncio.get_running_loop().create_future(), now)
        ticket.left = len(X)
        self._callers.setdefault(caller, Turns()).add(ticket, rank(priority))
        self._count(len(X), ticket)
        self._pump()
        try:
            value = await ticket.done
            return Answered(value, ticket.waited_s, ticket.ran_s)
        finally:
            reached("queue" if ticket.waiting else "run")
            self._forget(ticket)
            took_s = self._clock() - now
            if expected_s and (ticket.answered or (deadline is not None and ran_out(deadline - now, took_s))):
                self._pace.learn(expected_s, took_s)

    def wait_s(self) -> float:
        """Seconds until a row that came now would run, nearly always less."""
        return self._pace.ratio * self.seconds_waiting / self._slots

    def _expected_s(self, own_s: float, caller: str) -> float:
        """Seconds until rows that take `own_s` would be answered, by latencies alone. Since callers take turns, a
        caller waits for no more of each other one's than it has itself.
        """
        turns = len(self._callers) + (caller not in self._callers)
        return min(self.seconds_waiting + own_s, (self._own_s.get(caller, 0.0) + own_s) * turns) / self._slots

    def requests_waiting(self) -> int:
        """Requests that have rows to be handed over."""
        return sum(len(queue) for queue in self._callers.values())

    def crowd(self) -> float:
        """How full the queue is: 1 where requests are shed."""
        return max(self.rows_waiting / self._max_rows, self.wait_s() / self._max_wait_s)

    def retry_s(self) -> float:
        """When to come again."""
        return min(MOST_RETRY_S, max(LEAST_RETRY_S, self.wait_s()))

    async def idle(self) -> None:
        """Once nothing waits or runs."""
        while self._tasks or self.rows_waiting:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def _count(self, rows: int, ticket: Ticket) -> None:
        self.rows_waiting += rows
        seconds, caller = rows * ticket.kind.row_s, ticket.caller
        self.seconds_waiting = max(0.0, self.seconds_waiting + seconds) if self.rows_waiting else 0.0
        self._own_s[caller] = self._own_s.get(caller, 0.0) + seconds
        if not self.rows_waiting or self._own_s[caller] < LITTLE_S:
            del self._own_s[caller]
        self._meter.queued(self.rows_waiting)

    def _forget(self, ticket: Ticket) -> None:
        """Rows that were not handed over, where the caller has left or has its answer."""
        if ticket.waiting:
            self._count(-ticket.waiting, ticket)
            ticket.taken = len(ticket.X)
        queue = self._callers.get(ticket.caller)
        if queue is not None and queue.remove(ticket) and not queue:
            del self._callers[ticket.caller]

    def _pump(self) -> None:
        while self._free and (pieces := self._batch()):
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._answer(pieces))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _batch(self) -> list[Piece]:
        """The next pieces of one kind, callers in turn."""
        first = self._next(None)
        if first is None:
            return []
        kind, pieces, rows = first.kind, [], 0
        most = self._most(kind, first.X.shape[1])
        ticket: Ticket | None = first
        while ticket is not None:
            count = min(ticket.waiting, most - rows, max(1, self._quantum)) if kind.most else ticket.waiting
            pieces.append(Piece(ticket, ticket.taken, ticket.taken + count, rows))
            ticket.taken += count
            rows += count
            self._count(-count, ticket)
            self._turn(ticket)
            ticket = self._next(kind) if kind.most and rows < most else None
        return pieces

    def _most(self, kind: Kind, columns: int) -> int:
        return max(1, min(kind.most, self._max_bytes // (8 * max(1, columns))))

    def _next(self, kind: Kind | None) -> Ticket | None:
        """Of the caller whose turn it is, or of the next one that has rows of a kind; who is too late is told so."""
        for caller in list(self._callers):
            ticket = self._callers[caller].next(self._alive)
            if ticket is None:
                del self._callers[caller]
            elif kind is None or (kind.key == ticket.kind.key and kind.most):
                return ticket
        return None

    def _alive(self, ticket: Ticket) -> bool:
        if ticket.done.done() or not ticket.waiting:
            return False
        if ticket.deadline is not None and self._clock() >= ticket.deadline:
            ticket.done.set_exception(DeadlineError("the time was up before all rows were answered: send fewer"))
            return False
        return True

    def _turn(self, ticket: Ticket) -> None:
        """Others first, next time, of all callers and of this one; what is handed over as a whole leaves the queue."""
        queue = self._callers[ticket.caller]
        queue.had(ticket, ticket.waiting > 0)
        if queue:
            self._callers.move_to_end(ticket.caller)
        else:
            del self._callers[ticket.caller]

    async def _answer(self, pieces: list[Piece]) -> None:
        try:
            await self._run(pieces)
        finally:
            self._free += 1
            self._pump()

    async def _run(self, pieces: list[Piece]) -> None:
        """Run a batch; if it raises and is of several tickets, each by itself."""
        kind, began = pieces[0].ticket.kind, self._clock()
        X = np.concatenate([p.ticket.X[p.first : p.end] for p in pieces]) if len(pieces) > 1 else (
            pieces[0].ticket.X[pieces[0].first : pieces[0].end]
        )  # fmt: skip

        def step() -> None:
            if all(p.ticket.done.done() for p in pieces):
                raise AbandonedError("nobody waits for these rows any more")

        try:
            with tracing.batch([p.ticket.here for p in pieces], len(X)):
                answer = await asyncio.get_running_loop().run_in_executor(self._pool, kind.run, X, step)
        except AbandonedError:
            return
        except Exception as exc:
            if len({id(p.ticket) for p in pieces}) == 1:
                for piece in pieces:
                    if not piece.ticket.done.done():
                        piece.ticket.done.set_exception(exc)
                return
            for piece in pieces:
                if not piece.ticket.done.done():
                    await self._run([Piece(piece.ticket, piece.first, piece.end, 0)])
            return
        ran = self._clock() - began
        self._meter.batch(len(X), began - min(p.ticket.came for p in pieces), ran)
        self._meter.computed(kind.of, len(X), ran)
        whole = len(pieces) == 1 and pieces[0].end - pieces[0].first == len(pieces[0].ticket.X)
        for piece in pieces:
            size, ticket = piece.end - piece.first, piece.ticket
            ticket.ran_s += ran
            ticket.waited_s = ticket.waited_s if ticket.parts else began - ticket.came
            self._give(piece, answer if whole else kind.cut(answer, piece.at, piece.at + size))

    def _give(self, piece: Piece, part: Any) -> None:
        ticket = piece.ticket
        if ticket.done.done():
            return
        ticket.parts[piece.first] = part
        ticket.left -= piece.end - piece.first
        if not ticket.left:
            ticket.done.set_result(ticket.kind.join([ticket.parts[first] for first in sorted(ticket.parts)]))
