"""Works jobs off, chunk by chunk, on the same path as every explanation; a chunk is written when it is done.

One job of each caller at a time, side by side: a caller whose rate is used up, or whose job is long, holds up no other.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import msgspec

from ascribe.core.errors import AscribeError, NotFound
from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import DeadlineError, InvalidRowsError, ShedError, UnavailableError, problem_of
from ascribe.serve.jobs.records import End, Record, Records
from ascribe.serve.messages import Attribution, AttributionAsked, AttributionResponse, widest
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row
from ascribe.serve.versions.leases import now

__all__ = ["Runner"]

SWEEP_S = 60.0
AGAIN_S = 5.0  # after a store that could not be used
PASS_S = 5.0  # until a job that this process could not do is looked at again
UNKNOWN_S = 600.0  # a job's age, until which somebody may come who serves its model
ABREAST = 8  # callers whose jobs this process works on at a time
TAKEOVERS = 16  # versions that may answer one job, one after another, before it is given up

Explain = Callable[[AttributionAsked, list[Row], Caller], Awaitable[AttributionResponse]]
T = TypeVar("T")


class _Taken(Exception):
    """Another process has the job, or it ended."""


class _Passed(Exception):
    """This process cannot do the job now; another may."""


class Runner:
    """`explain` answers rows for a caller; `version` says which version would."""

    def __init__(
        self, records: Records, explain: Explain, version: Callable[[AttributionAsked], str], log: Log,
        poll_s: float | None, keep_s: float, lease_s: float,
    ) -> None:  # fmt: skip
        self._records, self._explain, self._version, self._log = records, explain, version, log
        self._poll_s, self._keep_s, self._lease_s = poll_s, keep_s, lease_s
        self._owner = uuid.uuid4().hex
        self._wake = asyncio.Event()
        self._at: dict[str, asyncio.Task[None]] = {}
        self._callers: dict[str, str] = {}  # of jobs that wait
        self._passed: dict[str, float] = {}

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def drop(self, job: str) -> None:
        """Stop working on a job that ended."""
        if job in self._at:
            self._at[job].cancel()

    async def run(self) -> None:
        """Until cancelled; what is then half done is left for the next to take up."""
        try:
            await self._run()
        finally:
            tasks = list(self._at.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _run(self) -> None:
        swept_s = time.monotonic()
        if self._poll_s is None:  # nobody else brings jobs
            await self._wake.wait()
        while True:
            self._wake.clear()
            wait_s = self._poll_s or SWEEP_S
            try:
                if time.monotonic() - swept_s > min(SWEEP_S, self._keep_s):
                    swept_s = time.monotonic()
                    await asyncio.to_thread(self._records.sweep, self._keep_s)
                await self._take_up()
            except Exception as exc:  # one bad moment ends no job
                self._log.event("jobs", reason=problem_of(exc).text, cause=type(exc).__name__)
                wait_s = AGAIN_S
            now_s = time.monotonic()
            self._passed = {job: until for job, until in self._passed.items() if until > now_s}
            wait_s = min([wait_s * random.uniform(0.8, 1.2), *(until - now_s for until in self._passed.values())])
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _take_up(self) -> None:
        """The oldest job of each caller that has none at hand."""
        waiting = await asyncio.to_thread(self._records.waiting)
        self._callers = {job: self._callers[job] for job in waiting if job in self._callers}
        busy = {self._callers.get(job) for job in self._at}
        for job in waiting:
            if len(self._at) >= ABREAST:
                return
            if job in self._at or time.monotonic() < self._passed.get(job, 0.0):
                continue
            caller = await self._caller(job)
            if caller in busy or not await asyncio.to_thread(self._records.claim, job, self._owner, self._lease_s):
                continue
            busy.add(caller)
            task = self._at[job] = asyncio.create_task(self._worked(job))
            task.add_done_callback(functools.partial(self._gone, job))

    async def _caller(self, job: str) -> str:
        """Whose job it is, looked up once; empty where its record cannot be read, which then ends it."""
        if job not in self._callers:
            with suppress(NotFound):
                self._callers[job] = (await asyncio.to_thread(self._records.record, job)).caller
        return self._callers.get(job, "")

    def _gone(self, job: str, task: asyncio.Task[None]) -> None:
        self._at.pop(job, None)
        self._wake.set()

    async def _worked(self, job: str) -> None:
        try:
            await self._work(job)
        except Exception as exc:  # one bad record ends no other job
            self._log.event("jobs", job=job, reason=problem_of(exc).text, cause=type(exc).__name__)
            self._passed[job] = time.monotonic() + AGAIN_S

    async def _work(self, job: str) -> None:
        """From the claim to the end, whichever it is."""
        try:
            ended = await asyncio.to_thread(self._records.ended, job)
            if ended is None:
                ended = await self._answered(await asyncio.to_thread(self._records.record, job))
            told = await asyncio.to_thread(self._records.end, job, ended)
            who = self._callers.get(job, "")
            self._log.event("job", job=job, state=told.state, version=told.version, code=told.state, caller=who)
        except _Taken:
            pass
        except _Passed:
            self._passed[job] = time.monotonic() + PASS_S
            await asyncio.to_thread(self._records.claim, job, self._owner, 0.0)
        except asyncio.CancelledError:
            with suppress(AscribeError):  # somebody may go on at once
                self._records.claim(job, self._owner, 0.0)
            raise
        except (NotFound, msgspec.ValidationError):
            await asyncio.to_thread(self._records.end, job, End("failed", now(), "its record is gone: submit it again"))
        except AscribeError as exc:  # the store: this process, or another, tries again
            self._log.event("job", job=job, state="interrupted", reason=str(exc))
            await asyncio.sleep(AGAIN_S)

    async def _answered(self, record: Record) -> End:
        """All chunks by one version; a version that is swapped for another has answered in vain."""
        asked = msgspec.convert(record.asked, AttributionAsked)
        free = not asked.version
        try:
            for _ in range(TAKEOVERS):
                try:
                    version = self._version(asked)
                except NotFound as exc:  # of processes with other models, one may have it
                    if self._poll_s is not None and time.time() - record.at_s < UNKNOWN_S:
                        raise _Passed from exc
                    raise
                asked.version = version
                try:
                    return await self._by(record, asked, version)
                except NotFound:
                    asked.version = None
                    if not free or self._version(asked) == version:  # an output that there is not
                        raise
        except (UnavailableError, ShedError) as exc:
            raise _Passed from exc
        except AscribeError as exc:
            return End("failed", now(), problem_of(exc).text)
        return End("failed", now(), "the model was swapped again and again meanwhile: submit the job again")

    async def _by(self, record: Record, asked: AttributionAsked, version: str) -> End:
        """Every chunk that this version has not answered yet. Raises NotFound once it is not served any more."""
        todo = set(range(record.chunks)) - await asyncio.to_thread(self._records.answered, record.id, version)
        most = record.chunk
        for k in sorted(todo):
            rows = await asyncio.to_thread(self._records.rows, record.id, k)
            answer, most = await self._kept(record.id, version, self._chunk(asked, rows, record.who, most))
            await asyncio.to_thread(self._records.write, record.id, version, k, answer)
        reason = ""
        for k in range(record.chunks):
            held = await asyncio.to_thread(self._records.answer, record.id, version, k)
            if held.version:
                held.attributions = []
                return End("done", now(), "", version, held)
            reason = reason or held.attributions[0].reason
        return End("failed", now(), f"none of the {record.total} rows can be answered; row 0: {reason}", version)

    async def _kept(self, job: str, version: str, work: Awaitable[T]) -> T:
        """The work, while the lease is renewed. Raises _Taken where the job is another's, or ended."""
        doing = asyncio.ensure_future(work)
        try:
            while True:
                ours = await asyncio.to_thread(self._records.claim, job, self._owner, self._lease_s, version)
                if not ours or await asyncio.to_thread(self._records.ended, job) is not None:
                    raise _Taken
                await asyncio.wait({doing}, timeout=self._lease_s / 3)
                if doing.done():
                    return doing.result()
        finally:
            doing.cancel()

    async def _chunk(
        self, asked: AttributionAsked, rows: list[Row], who: Caller, most: int
    ) -> tuple[AttributionResponse, int]:
        """A chunk, `most` rows at a time; less from then on where time ran out, so that only what is too long alone, or
        breaks the model, fails alone. Raises what no row is to blame for.
        """
        answers: list[AttributionResponse] = []
        at = 0
        while at < len(rows):
            part = rows[at : at + most]
            try:
                answers.append(await self._explain(asked, part, who))
            except InvalidRowsError as exc:
                answers.append(_refused(part, exc.reasons))
            except (ShedError, UnavailableError) as exc:
                await asyncio.sleep(getattr(exc, "retry_s", 1.0))
                continue
            except DeadlineError as exc:
                if len(part) > 1:
                    most = (len(part) + 1) // 2
                    continue
                answers.append(_refused(part, [str(exc)]))
            except AscribeError:
                raise
            except Exception as exc:
                if len(part) > 1:
                    halves = (part[: len(part) // 2], part[len(part) // 2 :])
                    answers += [(await self._chunk(asked, half, who, len(half)))[0] for half in halves]
                else:
                    answers.append(_refused(part, [problem_of(exc).text]))
            at += len(part)
        return _joined(answers), most


def _refused(rows: list[Row], reasons: list[str]) -> AttributionResponse:
    """No row answered: statuses only, from no version."""
    found = [Attribution(row.id, "invalid", why) for row, why in zip(rows, reasons, strict=True)]
    return AttributionResponse(
        "", "", "", "", "", "", "", "", 0, 0, 0, "", "", [], None, "", None, {}, found
    )  # fmt: skip


def _joined(answers: list[AttributionResponse]) -> AttributionResponse:
    """One answer of several parts: the first's head, the largest gaps, times added up."""
    head = next((answer for answer in answers if answer.version), answers[0])
    if len(answers) == 1:
        return head
    gaps: dict[str, float] = {}
    times: dict[str, float] = {}
    for answer in answers:
        gaps |= {name: max(gap, gaps.get(name, gap)) for name, gap in answer.gaps.items()}
        times |= {name: ms + times.get(name, 0.0) for name, ms in answer.timings_ms.items()}
    return msgspec.structs.replace(
        head, attributions=[row for answer in answers for row in answer.attributions], gaps=gaps, timings_ms=times,
        efficiency_gap=widest(answers),
    )  # fmt: skip
