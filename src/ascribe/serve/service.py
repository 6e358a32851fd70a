"""The room behind both doors: lease, check, explain, answer. The event loop only waits; work runs on a few threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from ascribe.bundle.runtime import cores
from ascribe.core.errors import NotFound
from ascribe.core.explainers import Options, available
from ascribe.core.tiers import offered
from ascribe.core.words import listed
from ascribe.serve import codec, work
from ascribe.serve.admin import check_token
from ascribe.serve.callers import ANYBODY, Caller
from ascribe.serve.faults import AbandonedError, DeadlineError, UnavailableError
from ascribe.serve.live import Sampled
from ascribe.serve.messages import (
    AttributionAsked,
    AttributionResponse,
    EnergyAsked,
    EnergyResponse,
    ModelCard,
    NodeCard,
    OutputCard,
    PredictionAsked,
    PredictionResponse,
    RolloutAnswer,
    RolloutCard,
    TierCard,
)
from ascribe.serve.repertoire import ExplainersCard, explainers_of
from ascribe.serve.rollout import Rollout
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings
from ascribe.serve.shadow import Shadow
from ascribe.serve.telemetry import Telemetry
from ascribe.serve.versions import LOADING, Lease, Slot, Versions
from ascribe.serve.work import Step

__all__ = ["Service"]

LARGE_BYTES = 1 << 16  # bodies above are read and written on a thread
ADMIN = ("refresh", "rollback")

T = TypeVar("T")


class Service:
    """Answers requests with the versions that `versions` holds.

    `pool`: threads for explanations, `predictors`: for predictions; `rollout`: what brings other versions; `shadow`:
    candidates beside them; `telemetry`: what the lake says of nodes; `sampled`: takes answered rows for the offline
    side. Live from the start; ready once `warm` has run and until `drain`.
    """

    def __init__(
        self, versions: Versions, settings: Settings, pool: Executor, rollout: Rollout | None = None,
        shadow: Shadow | None = None, telemetry: Telemetry | None = None, sampled: Sampled | None = None,
        predictors: Executor | None = None,
    ) -> None:  # fmt: skip
        self._telemetry, self._sampled = telemetry, sampled
        self._versions, self._settings, self._pool = versions, settings, pool
        self._rollout, self._shadow = rollout, shadow
        self._predictors = predictors or pool
        self._threads = settings.explain_threads or cores()
        self._running = 0
        self._warm = False
        self._draining = False

    def live(self) -> bool:
        return True

    def ready(self) -> bool:
        return self._warm and not self._draining

    def drain(self) -> None:
        """Not ready any more; requests are still answered."""
        self._draining = True

    async def warm(self, *leases: Lease) -> None:
        """Explain each bundle's own row once by every explainer and ask its energy, then serve those versions."""
        for lease in leases:
            self._versions.swap(await asyncio.get_running_loop().run_in_executor(self._pool, work.warm, lease))
        self._warm = True

    def busy(self) -> bool:
        """Whether requests wait for a thread."""
        return self._running > self._threads

    def version(self, asked: AttributionAsked) -> str:
        """Which version would answer. Raises as `attribute` for models that are not served."""
        lease = self._versions.lease(asked.model, asked.version, asked.labels)
        lease.output(asked.output)
        return lease.version

    def names(self) -> list[str]:
        """Of the models that are served. Raises UnavailableError."""
        if not self._versions.loaded:
            raise UnavailableError(LOADING)
        return list(dict.fromkeys(slot.name for slot in self._versions.slots))

    def card(self, model: str | None = None) -> ModelCard:
        """What one model wants and offers. Raises NotFound, UnavailableError."""
        slot, lease = self._versions.find(model)
        m = lease.model
        return ModelCard(
            lease.name, self.ready(), lease.channel, lease.version, lease.sha256, m.output, m.unit, lease.base,
            sorted(m.offers), list(available(m)), [f.to_json() for f in m.features],
            {tier: TierCard.of(m.tiers.get(tier)) for tier in offered(m)},
            [OutputCard(m.output, m.unit), *(OutputCard(name, part.unit) for name, part in lease.outputs.items())],
            dict(lease.labels), _rollout_card(slot), self._shadow.card(slot) if self._shadow else None,
        )  # fmt: skip

    def explainers(self, model: str | None = None) -> ExplainersCard:
        """What one model can be asked. Raises as `card`."""
        lease = self._versions.lease(model)
        return explainers_of(lease.name, lease.version, (lease.model, *lease.outputs.values()))

    async def admin(self, verb: str, model: str, authorization: str | None) -> RolloutAnswer:
        """`refresh`: look at the channel now; `rollback`: move it back, then look. Waits for what comes of it.

        Raises NotFound (without a token in the settings, for an unknown verb or model, with nothing to go back to),
        ForbiddenError, UnavailableError, DeadlineError.
        """
        check_token(authorization, self._settings)
        if self._rollout is None or verb not in ADMIN:
            raise NotFound(f"no admin call '{verb[:40]}': use {listed(ADMIN)}")
        slot = self._versions.slot(model)
        done = self._rollout.refresh(slot) if verb == "refresh" else self._rollout.rollback(slot)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await asyncio.wrap_future(done)
        except TimeoutError as exc:
            raise DeadlineError(f"{verb} goes on: GET /v1/models/{slot.name} says what comes of it") from exc
        lease = self._versions.lease(str(slot))
        return RolloutAnswer(slot.name, slot.channel, lease.version, lease.sha256, _rollout_card(slot))

    async def attribute(self, asked: AttributionAsked, rows: list[Row]) -> AttributionResponse:
        """Attributions of rows that can be answered; the others have a status and a reason.

        Raises InputError (InvalidRowsError where no row can be answered, TooLargeError), CapabilityError, NotFound,
        UnavailableError, DeadlineError.
        """
        slot, lease = self._versions.find(asked.model, asked.version, asked.labels)
        codec.check_rows_limit(len(rows), self._settings.max_rows)
        codec.check_options(asked, self._settings)
        options = self._options(asked)
        start = time.perf_counter()
        most = self._settings.max_budget
        answer = await self._work(lambda step: work.attribute(lease, asked, rows, options, most, step, start))
        if self._shadow is not None:
            self._shadow.offer(slot, asked, rows, options, most, answer, self.busy)
        if self._sampled is not None:
            self._sampled.offer(lease, rows, answer)
        return answer

    async def predict(self, asked: PredictionAsked, rows: list[Row], caller: Caller = ANYBODY) -> PredictionResponse:
        """Predictions alone, on threads of their own: explanations that wait do not hold them up. Raises as
        `attribute`, but for CapabilityError.
        """
        lease = self._versions.lease(asked.model, asked.version, asked.labels)
        codec.check_rows_limit(len(rows), self._settings.max_rows)
        start = time.perf_counter()
        return await asyncio.get_running_loop().run_in_executor(
            self._predictors, work.predict, lease, asked, rows, start
        )

    async def energy(self, asked: EnergyAsked, rows: list[Row]) -> EnergyResponse:
        """Energies of rows under coalitions. Raises as `attribute`; CapabilityError without an energy model."""
        lease = self._versions.lease(asked.model, asked.version, asked.labels)
        codec.check_rows_limit(len(rows), self._settings.max_rows)
        most = self._settings.max_budget
        start = time.perf_counter()
        return await self._work(lambda step: work.energy(lease, asked, rows, most, step, start))

    async def nodes(self) -> list[str]:
        """Nodes that the lake has heard of. Raises NotFound where this server knows no lake."""
        return await asyncio.to_thread(self._lake().nodes)

    async def node(self, name: str) -> NodeCard:
        """The latest vector of a node. Raises NotFound."""
        return await asyncio.to_thread(self._lake().node, name)

    async def explain_node(self, name: str, asked: AttributionAsked) -> AttributionResponse:
        """Watts of each counter in a node's latest vector. Raises as `attribute`; NotFound for an unknown node."""
        lease = self._versions.lease(asked.model, asked.version, asked.labels)
        row = await asyncio.to_thread(self._lake().row, name, lease.model.names)
        return await self.attribute(asked, [row])

    async def status(self) -> dict[str, Any]:
        """How ingest, pipeline and drift stand. Raises NotFound where this server knows no lake."""
        return await asyncio.to_thread(self._lake().status, self.names())

    def _lake(self) -> Telemetry:
        if self._telemetry is None:
            raise NotFound("this server knows no lake: start it with --lake URI")
        return self._telemetry

    async def aside(self, size: int, call: Callable[[], T]) -> T:
        """Read or write a message of `size` bytes (about): at once when small, on a thread when large."""
        return call() if size < LARGE_BYTES else await asyncio.to_thread(call)

    def _options(self, asked: AttributionAsked) -> Options:
        chosen = self._settings
        budget = chosen.budget if asked.budget is None else asked.budget
        return Options(
            estimator=asked.estimator or "auto",
            budget=budget,
            samples=chosen.samples if asked.samples is None else asked.samples,
            seed=asked.seed or 0,
            groups={name: tuple(members) for name, members in asked.groups.items()} if asked.groups else None,
            value=asked.value or "auto",
            target_stderr=asked.target_stderr,
        )

    async def _work(self, call: Callable[[Step], T]) -> T:
        """Run `call(step)` on a worker; `step`, called before and between rows, raises once nobody waits."""
        left = threading.Event()

        def step() -> None:
            if left.is_set():
                raise AbandonedError("the caller left")

        def run() -> T:
            step()
            return call(step)

        self._running += 1
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._pool, run)
        except TimeoutError as exc:
            limit = f"{self._settings.timeout_s:g} s"
            raise DeadlineError(f"not done within {limit}: send fewer rows, or a smaller budget or samples") from exc
        finally:
            self._running -= 1
            left.set()


def _rollout_card(slot: Slot) -> RolloutCard:
    held, kept = slot.status, slot.before
    return RolloutCard(held.state, held.wanted, held.reason, held.at, kept.version if kept else "")
