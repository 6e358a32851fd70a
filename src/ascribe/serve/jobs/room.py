"""Jobs: more rows than one request may have, explained in the background, fetched by id.

    submit -> queued -> running (done of total) -> done -> result, some rows at a time
                  \\________________|______________ failed | cancelled

Any process that shares the place may take a job up, answer for it, or go on with it after a restart. A job runs as its
caller: its rows take that caller's turns and count against that caller's rate, and nobody else reads it but an admin.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from math import isfinite

import msgspec

from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.serve import codec
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.faults import ShedError
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.jobs.place import Place
from ascribe.serve.jobs.records import End, Record, Records
from ascribe.serve.jobs.runner import Explain, Runner
from ascribe.serve.messages import AttributionAsked, AttributionResponse, widest
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import now

__all__ = ["Jobs"]

CHUNK_ROWS = 64
QUEUE_RETRY_S = 10.0


class Jobs:
    """`explain` answers rows on the explanations' path, `version` says which version would answer."""

    def __init__(
        self, place: Place, settings: Settings, explain: Explain, version: Callable[[AttributionAsked], str], log: Log
    ) -> None:
        self._settings, self._version = settings, version
        self._records = Records(place.store)
        poll_s = settings.poll_s if place.shared else None
        self._runner = Runner(self._records, explain, version, log, poll_s, settings.jobs_keep_s, settings.jobs_lease_s)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Work jobs off from now on, those that others left too."""
        self._task = asyncio.create_task(self._runner.run())

    async def stop(self) -> None:
        """Leave what is half done to others, or to the next start."""
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def submit(self, asked: AttributionAsked, rows: list[Row], caller: Caller = ANYBODY) -> JobCard:
        """Accept a job. Raises InputError, TooLargeError, NotFound, UnavailableError, ShedError where too many wait."""
        caller = require(caller, "explain")
        codec.check_rows_limit(len(rows), self._settings.max_job_rows, "in a job")
        codec.check_options(asked, self._settings)
        for name, number in (("target_stderr", asked.target_stderr), ("max_latency_ms", asked.max_latency_ms)):
            if number is not None and not isfinite(number):  # a record could not keep it
                raise InputError(f"{name} is {number}: use a finite number, or leave it out")
        self._version(asked)
        if len(await asyncio.to_thread(self._records.waiting)) >= self._settings.max_jobs:
            raise ShedError(f"{self._settings.max_jobs} jobs wait already: come again later", QUEUE_RETRY_S)
        chunk = min(CHUNK_ROWS, self._settings.max_rows)
        record = Record(
            uuid.uuid4().hex, msgspec.to_builtins(asked), len(rows), chunk, caller.name, now(), time.time(),
            tuple(sorted(caller.scopes)), caller.rate_per_s,
        )  # fmt: skip
        await asyncio.to_thread(self._records.create, record, rows)
        self._runner.wake()
        return self._card(record, "queued")

    async def card(self, job: str, caller: Caller = ANYBODY) -> JobCard:
        """How far a job is. Raises NotFound for one that is unknown, forgotten, or another caller's; an admin
        sees all.
        """
        return await asyncio.to_thread(self._looked_up, job, caller)

    async def cancel(self, job: str, caller: Caller = ANYBODY) -> JobCard:
        """End a job that has not ended; what has, stays as it is. Raises as `card`."""
        card = await self.card(job, caller)
        if not card.ended:
            await asyncio.to_thread(self._records.end, job, End("cancelled", now(), "", card.version))
            self._runner.drop(job)
        return await self.card(job, caller)

    async def result(
        self, job: str, offset: int = 0, limit: int = 0, caller: Caller = ANYBODY
    ) -> AttributionResponse | JobCard:
        """Rows `offset` to `offset + limit` (0: as many as one answer may have) of a finished job; the job's card where
        it is not finished. Raises as `card`; InputError beyond the rows, CapabilityError for a failed or cancelled job.
        """
        card = await self.card(job, caller)
        if card.state in ("failed", "cancelled"):
            raise CapabilityError(f"job {job} has no result, it is {card.state}{': ' * bool(card.reason)}{card.reason}")
        if card.state != "done":
            return card
        most = self._settings.max_rows
        if not 0 <= offset < card.total or limit < 0:
            raise InputError(f"offset is 0 to {card.total - 1} for this job, limit 1 to {most}")
        last = min(card.total, offset + (min(limit, most) or most))
        return await asyncio.to_thread(self._read, job, card.version, offset, last)

    def _read(self, job: str, version: str, first: int, last: int) -> AttributionResponse:
        """Rows `first` to `last - 1` under the job's head; gaps and times are the whole chunks'."""
        record, end = self._records.record(job), self._records.ended(job)
        parts = range(first // record.chunk, -(-last // record.chunk))
        answers = [self._records.answer(job, version, k) for k in parts]
        head = next((answer for answer in answers if answer.version), None) or (end and end.header) or answers[0]
        rows = [row for answer in answers for row in answer.attributions]
        skipped = first - parts.start * record.chunk
        found = rows[skipped : skipped + last - first]
        return msgspec.structs.replace(head, attributions=found, efficiency_gap=widest(answers))

    def _looked_up(self, job: str, caller: Caller) -> JobCard:
        record = self._records.record(job)
        if record.caller != caller.name and "admin" not in caller.scopes:
            raise NotFound(f"no job '{job}' here: it never was, or was cleaned away; submit it again")
        if end := self._records.ended(job):
            done = record.total if end.state == "done" else self._done(record, end.version)
            return self._card(record, end.state, done, end)
        held = self._records.held(job)
        working = held is not None and held.until_s > time.time()
        version = held.version if held else ""
        return self._card(record, "running" if working else "queued", self._done(record, version), version=version)

    def _done(self, record: Record, version: str) -> int:
        return sum(record.size(k) for k in self._records.answered(record.id, version))

    def _card(self, record: Record, state: str, done: int = 0, end: End | None = None, version: str = "") -> JobCard:
        asked = record.asked.get
        return JobCard(
            record.id, state, done, record.total, record.created, end.at if end else "", end.reason if end else "",
            str(asked("model") or ""), end.version if end else version, str(asked("request_id") or ""),
        )  # fmt: skip
