"""What a host does with a question: may this guest ask, where are the rows, what does its half of the model say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ascribe.core.errors import InputError, SourceError
from ascribe.core.federated.codes import SOURCE_FAILED
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.explaining import column_of_splits
from ascribe.core.federated.party import Party, answer
from ascribe.core.federated.publishing import Ledger, Policy
from ascribe.core.federated.records import Ask, Linear, Part, Reply, Routes
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import Caller
from ascribe.serve.access.rates import Rates
from ascribe.serve.faults import DeadlineError, ForbiddenError, ShedError, UnavailableError
from ascribe.serve.federated.halves import HalfLease, Halves
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.observe.log import Log, reached
from ascribe.serve.observe.meter import Meter, NoMeter
from ascribe.serve.settings import Settings

__all__ = ["HostRoom"]

THREADS = 16  # questions whose features are looked up at a time: they wait, mostly


class HostRoom:
    """Stateless but for what it counts: rows that are looked up now, and each guest's rate and ids."""

    def __init__(
        self, halves: Halves, settings: Settings, parties: PartySettings, log: Log, meter: Meter | None = None
    ) -> None:  # fmt: skip
        self.halves, self._settings, self._parties, self._log = halves, settings, parties, log
        self._meter = meter or NoMeter()
        self._rates = Rates(settings.rate_per_s, settings.burst_s)
        self._ledger = Ledger(Policy(budget=parties.id_budget, window_s=parties.id_window_s))
        self._pool = ThreadPoolExecutor(THREADS, "features")
        self._rows = 0
        self.draining = False

    @property
    def max_rows(self) -> int:
        return min(self._parties.max_rows, self._settings.max_rows)

    def known(self, caller: Caller) -> Caller:
        """The guest. Raises ForbiddenError for one that is not among those named."""
        caller = require(caller, "predict")
        if self._parties.known and caller.name not in self._parties.known:
            name = self.halves.current.half.name
            raise ForbiddenError(f"{name} does not answer '{caller.name}': ask it to name you as a guest")
        return caller

    def shared_columns(self, half: Party, asked: bool) -> dict[str, tuple[str, ...]]:
        """By component, the column of each split, where the guest asks and the host agreed to tell; else nothing.

        Raises ForbiddenError where a guest asks for what the host did not agree to.
        """
        if not asked:
            return {}
        try:
            return column_of_splits(half)
        except InputError as exc:
            raise ForbiddenError(f"{exc}, or ask without columns") from exc

    async def answer(self, asked: Ask, caller: Caller, left_s: float | None) -> tuple[Party, Reply]:
        """The half that answers, and one bit for each own split and row, or the linear part. A place of features that
        fails: a code of every row.

        Raises NotFound for another model, ForbiddenError (for columns that it did not agree to tell, too), ShedError,
        UnavailableError while it leaves, DeadlineError.
        """
        caller, rows = self.known(caller), len(asked.ids)
        lease = self.halves.of(asked.digest)
        half = lease.half
        self.shared_columns(half, asked.columns)
        if self.draining:
            raise UnavailableError(f"{half.name} is leaving: ask again")
        if self._rows and self._rows + rows > self._settings.max_queue_rows:
            raise ShedError(f"{half.name} looks up {self._rows} rows already: ask again in a second")
        self._rates.take(caller, rows)
        self._spend(caller, asked.ids)
        limit = min(left_s if left_s is not None else self._settings.timeout_s, self._parties.source_s)
        start = time.perf_counter()
        self._rows += rows
        reached("run")
        try:
            async with asyncio.timeout(limit):
                return half, await asyncio.get_running_loop().run_in_executor(self._pool, _found, lease, asked)
        except TimeoutError as exc:
            if left_s is not None and left_s <= self._parties.source_s:
                raise DeadlineError(f"{half.name} was not done within {limit:g} s: give it longer") from exc
            self._log.event("features_failed", reason=f"nothing within {limit:g} s")
            return half, _failed(half, asked)
        except SourceError as exc:
            self._log.event("features_failed", reason=str(exc))
            return half, _failed(half, asked)
        finally:
            self._rows -= rows
            self._meter.batch(rows, 0.0, time.perf_counter() - start)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for lease in (self.halves.slot.lease, self.halves.slot.before):
            if isinstance(lease, HalfLease):
                lease.features.close()

    def _spend(self, caller: Caller, ids: Sequence[str]) -> None:
        try:
            self._ledger.spend(caller.name, ids, time.monotonic())
        except InputError as exc:
            self._log.event("ids_used_up", caller=caller.name, rows=len(ids))
            raise ForbiddenError(str(exc)) from exc


def _found(lease: HalfLease, asked: Ask) -> Reply:
    rows, found = lease.features.find(asked.ids)
    return answer(lease.half, asked, rows, found)


def _failed(half: Party, asked: Ask) -> Reply:
    """No row: 116 for each."""
    b = len(asked.ids)
    parts: dict[str, Part] = {}
    for name, component in half.pipeline.reporters.items():
        width = component.width(half.name)
        trees = isinstance(component, BoostedTrees)
        parts[name] = Routes(np.zeros((b, width), bool)) if trees else Linear(np.zeros((b, width)))
    return Reply(half.name, half.digest, np.full(b, SOURCE_FAILED, np.uint8), parts)
