"""What a host does with a question: may this guest ask, where are the rows, what does its half of the model say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ascribe.core.errors import InputError, NotFound, SourceError
from ascribe.core.federated.codes import SOURCE_FAILED
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.party import Party, answer
from ascribe.core.federated.publishing import Ledger, Policy
from ascribe.core.federated.records import Ask, Linear, Part, Reply, Routes
from ascribe.serve.auth import require
from ascribe.serve.callers import Caller
from ascribe.serve.faults import DeadlineError, ForbiddenError, ShedError, UnavailableError
from ascribe.serve.federated.features import Features
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.meter import Meter, NoMeter
from ascribe.serve.observe import Log
from ascribe.serve.rates import Rates
from ascribe.serve.settings import Settings

__all__ = ["HostRoom"]

THREADS = 16  # questions whose features are looked up at a time: they wait, mostly


class HostRoom:
    """Stateless but for what it counts: rows that are looked up now, and each guest's rate and ids."""

    def __init__(
        self, host: Party, features: Features, settings: Settings, parties: PartySettings, log: Log,
        meter: Meter | None = None,
    ) -> None:  # fmt: skip
        self.host, self._features, self._settings, self._parties, self._log = host, features, settings, parties, log
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
            raise ForbiddenError(f"{self.host.name} does not answer '{caller.name}': ask it to name you as a guest")
        return caller

    def holds(self, model: str, digest: str) -> None:
        """Raises NotFound where a guest asks for another model."""
        if digest != self.host.digest:
            raise NotFound(
                f"{self.host.name} holds another model (digest {self.host.digest[:12]}, not {digest[:12] or 'none'}): "
                "load the two halves of one model"
            )

    def shared_columns(self) -> dict[str, tuple[str, ...]]:
        """By component, the column of each split, where the host agreed to tell; else nothing."""
        if not self.host.shares_columns:
            return {}
        held = self.host.pipeline.reporters.items()
        return {n: tuple(c.columns[f] for f in c.splits.feature) for n, c in held if isinstance(c, BoostedTrees)}

    async def answer(self, asked: Ask, caller: Caller, left_s: float | None) -> Reply:
        """One bit for each own split and row, or the linear part. A place of features that fails: a code of every row.

        Raises NotFound for another model, ForbiddenError, ShedError, UnavailableError while it leaves, DeadlineError.
        """
        caller, rows = self.known(caller), len(asked.ids)
        self.holds(asked.model, asked.digest)
        if self.draining:
            raise UnavailableError(f"{self.host.name} is leaving: ask again")
        if self._rows and self._rows + rows > self._settings.max_queue_rows:
            self._meter.shed("queue")
            raise ShedError(f"{self.host.name} looks up {self._rows} rows already: ask again in a second")
        self._rates.take(caller, rows)
        self._spend(caller, asked.ids)
        limit = min(left_s if left_s is not None else self._settings.timeout_s, self._parties.source_s)
        start = time.perf_counter()
        self._rows += rows
        try:
            async with asyncio.timeout(limit):
                return await asyncio.get_running_loop().run_in_executor(self._pool, self._found, asked)
        except TimeoutError as exc:
            self._meter.expired("run")
            if left_s is not None and left_s <= self._parties.source_s:
                raise DeadlineError(f"{self.host.name} was not done within {limit:g} s: give it longer") from exc
            self._log.event("features_failed", reason=f"nothing within {limit:g} s")
            return self._failed(asked)
        except SourceError as exc:
            self._log.event("features_failed", reason=str(exc))
            return self._failed(asked)
        finally:
            self._rows -= rows
            self._meter.batch(rows, 0.0, time.perf_counter() - start)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._features.close()

    def _found(self, asked: Ask) -> Reply:
        rows, found = self._features.find(asked.ids)
        return answer(self.host, asked, rows, found)

    def _spend(self, caller: Caller, ids: Sequence[str]) -> None:
        try:
            self._ledger.spend(caller.name, ids, time.monotonic())
        except InputError as exc:
            self._log.event("ids_used_up", caller=caller.name, rows=len(ids))
            raise ForbiddenError(str(exc)) from exc

    def _failed(self, asked: Ask) -> Reply:
        """No row: 116 for each."""
        b = len(asked.ids)
        parts: dict[str, Part] = {}
        for name, component in self.host.pipeline.reporters.items():
            width = component.width(self.host.name)
            trees = isinstance(component, BoostedTrees)
            parts[name] = Routes(np.zeros((b, width), bool)) if trees else Linear(np.zeros((b, width)))
        return Reply(self.host.name, self.host.digest, np.full(b, SOURCE_FAILED, np.uint8), parts)
