"""The room behind both doors: lease, check, explain, answer. The event loop only waits; work runs on a few threads."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor
from typing import Any

from ascribe.bundle.sessions import cores
from ascribe.core.errors import NotFound
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.tiers import METHOD, named, within
from ascribe.serve import codec, kinds, work
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.access.limits import narrow
from ascribe.serve.access.rates import Rates
from ascribe.serve.aside import aside
from ascribe.serve.batcher import Batcher
from ascribe.serve.cards.repertoire import ExplainersCard
from ascribe.serve.cards.served import ModelCard, NodeCard, RolloutAnswer
from ascribe.serve.cards.told import explainers_of, model_card
from ascribe.serve.faults import DeadlineError, UnavailableError
from ascribe.serve.live import Sampled
from ascribe.serve.messages import (
    AttributionAsked,
    AttributionResponse,
    EnergyAsked,
    EnergyResponse,
    PredictionAsked,
    PredictionResponse,
)
from ascribe.serve.observe.log import noted
from ascribe.serve.observe.meter import Calls, Meter
from ascribe.serve.rows import Checked, Row
from ascribe.serve.settings import Settings
from ascribe.serve.telemetry import Telemetry
from ascribe.serve.tickets import Answered, Kind
from ascribe.serve.versions.leases import LOADING, Lease, Versions
from ascribe.serve.versions.moving import moved
from ascribe.serve.versions.rollout import Rollout
from ascribe.serve.versions.shadow import Shadow
from ascribe.serve.weight import Weight

__all__ = ["Service"]

WRITTEN_BYTES = 1000  # about, of a row that is written
BATCH_BYTES = 64 << 20
PREDICTED_ROWS = 1 << 20  # that may wait: a second's work
CROWDED, FULL = 0.5, 0.8  # of a full queue: one tier faster, two tiers faster


class Service:
    """Answers requests with the versions that `versions` holds.

    `pool`: threads for explanations, `predictors`: for predictions; `rollout`: what brings other versions; `shadow`:
    candidates beside them; `telemetry`: what the lake says of nodes; `sampled`: takes answered rows for the offline
    side; `rates`: rows a second of each caller. Live from the start; ready once `warm` has run and until `drain`.
    """

    def __init__(
        self, versions: Versions, settings: Settings, pool: Executor, rollout: Rollout | None = None,
        shadow: Shadow | None = None, telemetry: Telemetry | None = None, sampled: Sampled | None = None,
        predictors: Executor | None = None, meter: Meter | None = None, rates: Rates | None = None,
    ) -> None:  # fmt: skip
        self._telemetry, self._sampled = telemetry, sampled
        self.versions, self._settings, self._pool = versions, settings, pool
        self._rollout, self._shadow = rollout, shadow
        self.rates = rates or Rates()
        self._threads = settings.explain_threads or cores()
        limits = (settings.max_queue_rows, BATCH_BYTES)
        self.explaining = Batcher(pool, self._threads, *limits, max_wait_s=settings.max_wait_s, meter=meter)
        self.predicting = Batcher(predictors or pool, 1, PREDICTED_ROWS, BATCH_BYTES, 1024, meter=Calls(meter))
        self._warm, self._weight = False, Weight()
        self.draining = False

    def live(self) -> bool:
        return True

    def ready(self) -> bool:
        return self._warm and not self.draining

    def drain(self) -> None:
        """Not ready any more; requests are still answered."""
        self.draining = True

    async def warm(self, *leases: Lease) -> None:
        """Explain each bundle's own row once by every explainer and ask its energy, then serve those versions."""
        for lease in leases:
            self.versions.swap(await asyncio.get_running_loop().run_in_executor(self._pool, work.warm, lease))
        self._warm = True

    def busy(self) -> bool:
        """Whether requests wait for a thread."""
        return self.explaining.requests_waiting() > self._threads

    def admit(self, rows: int, caller: Caller = ANYBODY) -> None:
        """Count rows that are read for a caller, to be explained later. Raises ForbiddenError, ShedError."""
        self.rates.take(require(caller, "explain"), rows)

    def version(self, asked: AttributionAsked) -> str:
        """Which version would answer. Raises as `attribute` for what would be refused whatever the rows are."""
        lease = self.versions.lease(asked.model, asked.version, asked.labels)
        model = lease.output(asked.output, asked.space)
        kinds.answerable(model, asked, kinds.options_of(asked, self._settings))
        return lease.version

    def names(self) -> list[str]:
        """Of the models that are served. Raises UnavailableError."""
        if not self.versions.loaded:
            raise UnavailableError(LOADING)
        return list(dict.fromkeys(slot.name for slot in self.versions.slots))

    def card(self, model: str | None = None) -> ModelCard:
        """What one model wants and offers. Raises NotFound, UnavailableError."""
        slot, lease = self.versions.find(model)
        return model_card(slot, lease, self.ready(), self._shadow.card(slot) if self._shadow else None)

    def cards(self) -> list[ModelCard]:
        """Of all models and channels. Raises UnavailableError."""
        return [self.card(str(slot)) for slot in self.versions.slots]

    def explainers(self, model: str | None = None) -> ExplainersCard:
        """What one model can be asked. Raises as `card`."""
        return explainers_of(self.versions.lease(model), self._settings.max_budget)

    async def admin(self, verb: str, model: str, caller: Caller = ANYBODY) -> RolloutAnswer:
        """As `moving.moved`."""
        return await moved(self._rollout, self.versions, verb, model, caller, self._settings)

    @noted
    async def attribute(
        self, asked: AttributionAsked, rows: list[Row], caller: Caller = ANYBODY, within_s: float | None = None
    ) -> AttributionResponse:
        """Attributions of rows that can be answered; the others have a status and a reason. `within_s`: seconds that
        the caller waits.

        Raises InputError (InvalidRowsError where no row can be answered, TooLargeError), CapabilityError, NotFound,
        UnavailableError, DeadlineError, ShedError; ForbiddenError by who asks.
        """
        start = time.perf_counter()
        caller = require(caller, "explain")
        slot, lease = self.versions.find(asked.model, asked.version, asked.labels)
        codec.check_options(asked, self._settings)
        self._let_in(caller, rows)
        options, most = kinds.options_of(asked, self._settings), self._settings.max_budget
        model = lease.output(asked.output, asked.space)
        kind, lowered_from = self._kind(model, asked, options, len(rows))
        read = work.reading(lease, model, rows, self._settings, lambda X: kinds.within(model, asked, options, X, most))
        answering = ("explain", self.explaining, kind, read)
        rows_in, found, ms = await self.computed(*answering, caller, within_s, start, asked.priority)
        writing = work.size(model, len(rows), WRITTEN_BYTES)
        answer = await aside(writing, lambda: work.attributed(lease, asked, rows_in, found, ms, lowered_from))
        if self._shadow is not None:
            self._shadow.offer(slot, asked, rows, options, most, answer, self.busy)
        if self._sampled is not None:
            self._sampled.offer(lease, rows, answer)
        return answer

    @noted
    async def predict(
        self, asked: PredictionAsked, rows: list[Row], caller: Caller = ANYBODY, within_s: float | None = None
    ) -> PredictionResponse:
        """Predictions alone, with a queue and a thread of their own: explanations that wait do not hold them up. Raises
        as `attribute`, but for CapabilityError.
        """
        start = time.perf_counter()
        caller = require(caller, "predict")
        lease = self.versions.lease(asked.model, asked.version, asked.labels)
        self._let_in(caller, rows)
        model = lease.output(asked.output, asked.space)
        kind = kinds.predicting(model, bool(asked.scores))
        read = work.reading(lease, model, rows, self._settings)
        answering = ("predict", self.predicting, kind, read)
        rows_in, found, ms = await self.computed(*answering, caller, within_s, start, asked.priority)
        writing = len(rows) * work.CHECKED_BYTES
        return await aside(writing, lambda: work.predicted(lease, asked, rows_in, found, ms))

    def _kind(self, model: Model, asked: AttributionAsked, options: Options, rows: int) -> tuple[Kind, str]:
        """The kind of batch, and the tier that was asked for where a crowded server takes a faster one."""
        tier = asked.tier or ""
        method = named(model, asked.method, tier, asked.max_latency_ms)
        if asked.max_latency_ms is not None:
            tier = within(model, rows, asked.max_latency_ms)
        faster = tier
        may = asked.allow_lower_tier and asked.method in (None, "", METHOD)  # another method has no tiers
        if may and (crowd := self.explaining.crowd()) > CROWDED:
            faster = kinds.lowered(model, tier, 1 if crowd < FULL else 2)
        kind = kinds.explaining(model, method, options, faster, self._settings.max_budget)
        return kind, (tier or "accurate") if faster != tier else ""

    async def computed(
        self, what: str, batcher: Batcher, kind: Kind, read: work.Reading, caller: Caller, within_s: float | None,
        start: float, priority: int,
    ) -> tuple[Checked, Any, dict[str, float]]:  # fmt: skip
        """Rows as `read` checked them, the batcher's answer for them, and milliseconds since `start` by their use."""
        with self._weight.taken(read.heavy):
            rows_in = await aside(read.size, read.call)
            checked_s = time.perf_counter() - start
            found = await self.answered(batcher, kind, rows_in, caller, within_s, priority)
        total_s = time.perf_counter() - start
        spans = {"check": checked_s, "queue": found.waited_s, what: found.ran_s, "total": total_s}
        return rows_in, found.value, {name: span * 1000 for name, span in spans.items()}

    async def answered(
        self, batcher: Batcher, kind: Kind, rows_in: Checked, caller: Caller, within_s: float | None, priority: int
    ) -> Answered:
        limit = min(self._settings.timeout_s, within_s or self._settings.timeout_s)
        try:
            async with asyncio.timeout(limit):
                return await batcher.submit(kind, rows_in.asked, caller.name, time.monotonic() + limit, priority)
        except TimeoutError as exc:
            raise DeadlineError(
                f"not done within {limit:g} s: send fewer rows, a smaller budget or samples, or a faster tier"
            ) from exc

    @noted
    async def energy(
        self, asked: EnergyAsked, rows: list[Row], caller: Caller = ANYBODY, within_s: float | None = None
    ) -> EnergyResponse:
        """Energies of rows under coalitions, in the queue of explanations. Raises as `attribute`; CapabilityError
        without an energy model.
        """
        start = time.perf_counter()
        caller = require(caller, "explain")
        lease = self.versions.lease(asked.model, asked.version, asked.labels)
        self._let_in(caller, rows)
        model, most = lease.model, self._settings.max_budget
        kinds.energy_of(model)
        laid = len(model.names) * (len(asked.observed) if isinstance(asked.observed, list) else 1)
        S = await aside(laid, lambda: work.coalitions(asked.observed, model.names, len(rows), most))
        read = work.reading(lease, model, rows, self._settings)
        answering = ("energy", self.explaining, kinds.energies(model, S), read)
        rows_in, found, ms = await self.computed(*answering, caller, within_s, start, 0)
        writing = len(rows) * work.CHECKED_BYTES
        return await aside(writing, lambda: work.energies(lease, asked, rows_in, found, ms))

    async def nodes(self, caller: Caller = ANYBODY) -> list[str]:
        """Nodes that the lake has heard of. Raises ForbiddenError; NotFound where this server knows no lake."""
        require(caller, "explain")
        return await asyncio.to_thread(self.lake().nodes)

    async def node(self, name: str, caller: Caller = ANYBODY) -> NodeCard:
        """The latest vector of a node. Raises ForbiddenError, NotFound."""
        require(caller, "explain")
        return await asyncio.to_thread(self.lake().node, name)

    async def explain_node(self, name: str, asked: AttributionAsked, caller: Caller = ANYBODY) -> AttributionResponse:
        """Watts of each counter in a node's latest vector. Raises as `attribute`; NotFound for an unknown node."""
        require(caller, "explain")
        lease = self.versions.lease(asked.model, asked.version, asked.labels)
        row = await asyncio.to_thread(self.lake().row, name, lease.model.names)
        return await self.attribute(asked, [row], caller)

    async def status(self) -> dict[str, Any]:
        """How ingest, pipeline and drift stand. Raises NotFound where this server knows no lake."""
        return await asyncio.to_thread(self.lake().status, self.names())

    def lake(self) -> Telemetry:
        if self._telemetry is None:
            raise NotFound("this server knows no lake: start it with --lake URI")
        return self._telemetry

    def _let_in(self, caller: Caller, rows: list[Row]) -> None:
        """The last checks before work is queued. Raises InputError, TooLargeError, ShedError."""
        codec.check_rows_limit(len(rows), self._settings.max_rows)
        narrow(rows, self._settings.max_features)
        self.rates.take(caller, len(rows))
