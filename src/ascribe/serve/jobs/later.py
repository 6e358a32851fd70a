"""Predictions now, their attributions later, by id: `POST /v1/predictions?explain=later`.

An attribution waits in the memory of the process that makes it. Where processes share a place, it is written there too
when it is ready; its id says when it was asked for, so that another process knows how long it is worth waiting for.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from ascribe.bundle.unreadable import readable
from ascribe.core.errors import AscribeError, InputError, NotFound
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.faults import KINDS, ShedError, problem_of
from ascribe.serve.jobs.messages import LaterAttribution
from ascribe.serve.jobs.place import Place
from ascribe.serve.messages import AttributionAsked, AttributionResponse, PredictionAsked, PredictionResponse
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings

__all__ = ["LATER", "Later"]

LATER = "later"
ID = re.compile(r"([0-9a-f]{11})-[0-9a-f]{32}")
MAX_WAIT_S = 30.0
LOOK_S = 0.1  # between looks at a shared place
LATE_S = 10.0  # beyond the limit of time, until an attribution is given up

Explain = Callable[[AttributionAsked, list[Row], Caller], Awaitable[AttributionResponse]]
Predict = Callable[[PredictionAsked, list[Row], Caller, float | None], Awaitable[PredictionResponse]]


class Kept(msgspec.Struct):
    """What became of it: an answer, or why there is none."""

    caller: str
    response: AttributionResponse | None = None
    code: str = ""
    text: str = ""


@dataclass
class Asked:
    """One that this process makes, or made: of so many rows, asked for at `at_s` of the clock."""

    caller: str
    rows: int
    at_s: float
    task: asyncio.Task[Kept]


class Later:
    """Bounded in number and in age: the oldest finished ones go first, and none is taken where all are unfinished."""

    def __init__(self, place: Place, settings: Settings, predict: Predict, explain: Explain, log: Log) -> None:
        self._place, self._settings, self._log = place, settings, log
        self._predict, self._explain = predict, explain
        self._held: dict[str, Asked] = {}
        self._coming, self._coming_rows = 0, 0  # whose predictions are under way
        self._swept_s = time.monotonic()

    async def predict(
        self, asked: PredictionAsked, rows: list[Row], caller: Caller = ANYBODY, within_s: float | None = None
    ) -> PredictionResponse:
        """The prediction; with `explain`, its explanation is under way when it is answered, under `attribution_id`.

        Raises as `Service.predict`; InputError for another word than `later`, ShedError where too many are unfinished.
        """
        if not asked.explain:
            return await self._predict(asked, rows, caller, within_s)
        caller = require(caller, "explain")
        if asked.explain != LATER:
            raise InputError(f"explain is {quoted(asked.explain, 20)}: use '{LATER}', or leave it out")
        codec.check_options(_wanted(asked), self._settings)
        with self._reserved(len(rows)):
            answer = await self._predict(asked, rows, caller, within_s)
            answer.attribution_id = self._begin(asked, rows, caller, answer.request_id)
        return answer

    async def get(self, name: str, wait_s: float = 0.0, caller: Caller = ANYBODY) -> LaterAttribution:
        """The attribution, or word that it is not ready after so many seconds.

        Raises NotFound for one that is unknown, forgotten or another caller's, and whatever made it impossible.
        """
        wait_s = min(max(wait_s, 0.0), MAX_WAIT_S)
        known = ID.fullmatch(name)
        if not known:
            raise NotFound("no such attribution: its id is the attribution_id of a prediction")
        if (own := self._held.get(name)) is not None:
            await asyncio.wait({own.task}, timeout=wait_s)
            return self._told(name, own.task.result(), caller) if own.task.done() else self._wait(name, own, caller)
        until = time.monotonic() + wait_s
        while self._place.shared:
            if (kept := await asyncio.to_thread(self._read, name)) is not None:
                return self._told(name, kept, caller)
            age_s = time.time() - int(known[1], 16) / 1000
            if not 0 <= age_s + LATE_S <= self._settings.timeout_s + 2 * LATE_S:
                break
            if time.monotonic() >= until:
                return LaterAttribution(name, False)
            await asyncio.sleep(min(LOOK_S, max(until - time.monotonic(), 0.0)))
        raise _unknown(name)

    async def stop(self) -> None:
        """Nobody fetches from a process that ends: what is unfinished is given up."""
        tasks = [held.task for held in self._held.values() if not held.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, asked: PredictionAsked, rows: list[Row], caller: Caller, request_id: str) -> str:
        name = f"{round(time.time() * 1000):011x}-{uuid.uuid4().hex}"
        wanted = _wanted(asked)
        wanted.request_id = request_id
        task = asyncio.create_task(self._made(name, wanted, rows, caller))
        self._held[name] = Asked(caller.name, len(rows), time.monotonic(), task)
        return name

    async def _made(self, name: str, asked: AttributionAsked, rows: list[Row], caller: Caller) -> Kept:
        with self._log.request("later", "attribution", asked.request_id or name) as entry:
            entry.asked(len(rows), asked.model, asked.version)
            try:
                kept = Kept(caller.name, await self._explain(asked, rows, caller))
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                kept = Kept(caller.name, None, problem.code, problem.text)
        if self._place.shared:
            try:
                await asyncio.to_thread(self._write, name, kept)
            except AscribeError as exc:  # this process still has it
                self._log.event("later", reason=str(exc))
        return kept

    @contextmanager
    def _reserved(self, rows: int) -> Iterator[None]:
        """A place, from before the prediction until its explanation is begun or it failed. Raises ShedError."""
        self._make_room(rows)
        self._coming, self._coming_rows = self._coming + 1, self._coming_rows + rows
        try:
            yield
        finally:
            self._coming, self._coming_rows = self._coming - 1, self._coming_rows - rows

    def _make_room(self, rows: int) -> None:
        """Forget what is too old, and the oldest finished ones where there are too many. Raises ShedError."""
        now_s, most, most_rows = time.monotonic(), self._settings.max_later, self._settings.max_later_rows
        count = len(self._held) + self._coming + 1
        total = rows + self._coming_rows + sum(held.rows for held in self._held.values())
        gone = []
        for name, held in self._held.items():  # the oldest first
            old = now_s - held.at_s > self._settings.later_keep_s
            if held.task.done() and (old or count > most or total > most_rows):
                gone.append(name)
                count, total = count - 1, total - held.rows
        if count > most or total > max(most_rows, rows):
            raise ShedError(f"{count - 1} attributions are unfinished: ask again later")
        for name in gone:
            del self._held[name]
        if self._place.shared and now_s - self._swept_s > self._settings.later_keep_s / 2:
            self._swept_s = now_s
            asyncio.get_running_loop().run_in_executor(None, self._sweep)

    def _wait(self, name: str, held: Asked, caller: Caller) -> LaterAttribution:
        if held.caller != caller.name:
            raise _unknown(name)
        return LaterAttribution(name, False)

    def _told(self, name: str, kept: Kept, caller: Caller) -> LaterAttribution:
        if kept.caller != caller.name:
            raise _unknown(name)
        if kept.response is None:
            raise KINDS.get(kept.code, RuntimeError)(kept.text)
        return LaterAttribution(name, True, kept.response)

    def _write(self, name: str, kept: Kept) -> None:
        self._place.store().put(f"later/{name}", msgspec.json.encode(kept))

    def _read(self, name: str) -> Kept | None:
        try:
            raw = self._place.store().read(f"later/{name}")
        except NotFound:
            return None
        if (kept := readable(raw, Kept)) is None:
            raise _unknown(name)
        return kept

    def _sweep(self) -> None:
        """Remove what lies in the shared place too long. A store that cannot be used is asked again later."""
        try:
            store = self._place.store()
            for path, at in store.written("later").items():
                if time.time() - at.timestamp() > self._settings.later_keep_s:
                    store.remove(path)
        except AscribeError as exc:
            self._log.event("later", reason=str(exc))


def _wanted(asked: PredictionAsked) -> AttributionAsked:
    """The explanation that a prediction asks for."""
    return AttributionAsked(
        model=asked.model, version=asked.version, labels=asked.labels, output=asked.output, tier=asked.tier,
        target_stderr=asked.target_stderr, max_latency_ms=asked.max_latency_ms, groups=asked.groups,
        priority=asked.priority, space=asked.space,
    )  # fmt: skip


def _unknown(name: str) -> NotFound:
    return NotFound(f"no attribution '{name}' here: it never was, or was cleaned away; ask for the prediction again")
