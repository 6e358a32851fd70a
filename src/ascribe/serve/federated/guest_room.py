"""The room behind the usual doors, for a model whose other halves are elsewhere: the same messages, limits and words.

`prediction` is the margin, which is what an attribution shares out; the output `score` (or `score LABEL`) is its score.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.federated.codes import OK
from ascribe.core.federated.table import Table
from ascribe.core.words import listed, quoted
from ascribe.serve import codec, work
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.access.limits import narrow
from ascribe.serve.access.rates import Rates
from ascribe.serve.cards.repertoire import ExplainersCard, RepertoireCard
from ascribe.serve.cards.served import ModelCard, OutputCard, RolloutAnswer
from ascribe.serve.cards.told import rollout_card
from ascribe.serve.faults import DeadlineError, InvalidRowsError, ShedError, UnavailableError
from ascribe.serve.federated.held import GuestLease
from ascribe.serve.federated.publishing import Publishing
from ascribe.serve.federated.rows import Sorted, sort_out
from ascribe.serve.federated.scored import Asked, Scored
from ascribe.serve.federated.stated import stated
from ascribe.serve.messages import (
    Attribution,
    AttributionAsked,
    AttributionResponse,
    Prediction,
    PredictionAsked,
    PredictionResponse,
)
from ascribe.serve.observe.log import noted, reached
from ascribe.serve.observe.meter import Meter, NoMeter
from ascribe.serve.rows import Checked, Row
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import Versions
from ascribe.serve.versions.moving import moved
from ascribe.serve.versions.rollout import Rollout

__all__ = ["METHOD", "GuestRoom"]

METHOD = "federated_shap"
SCORE = "score"


class GuestRoom:
    """`policy`: where a caller states none; `skip_local`: of predictions alone; `rollout`: what brings other versions.
    A request works with one lease throughout.
    """

    def __init__(
        self, versions: Versions, settings: Settings, policy: str, skip_local: bool, publishing: Publishing,
        meter: Meter | None = None, rollout: Rollout | None = None,
    ) -> None:  # fmt: skip
        self._versions, self._settings, self._policy, self._skip_local = versions, settings, policy, skip_local
        self._meter, self._publishing, self._rollout = meter or NoMeter(), publishing, rollout
        self._rates = Rates(settings.rate_per_s, settings.burst_s, settings.workers)
        self._rows = 0
        self.draining = False

    def live(self) -> bool:
        return True

    def ready(self) -> bool:
        """Whether requests are taken; a host that is down is a matter of the policy."""
        return self._versions.loaded and not self.draining

    def drain(self) -> None:
        self.draining = True

    def names(self) -> list[str]:
        return [slot.name for slot in self._versions.slots]

    def admit(self, rows: int, caller: Caller = ANYBODY) -> None:
        """As `service.Service.admit`."""
        self._rates.take(require(caller, "explain"), rows)

    def version(self, asked: AttributionAsked) -> str:
        """Which version would answer. Raises as `attribute` for models that are not served."""
        lease = self.lease(asked.model, asked.version, asked.labels)
        _output(lease, asked.output, explain=True)
        return lease.version

    def lease(
        self, model: str | None = None, version: str | None = None, labels: Mapping[str, str] | None = None
    ) -> GuestLease:
        """What answers. Raises NotFound, UnavailableError."""
        lease = self._versions.lease(model, version, labels)
        assert isinstance(lease, GuestLease)
        return lease

    def card(self, model: str | None = None) -> ModelCard:
        """Raises NotFound, UnavailableError."""
        lease = self.lease(model)
        held = lease.model
        return ModelCard(
            lease.name, self.ready(), lease.channel, lease.version, lease.sha256, held.output, held.unit, None,
            sorted(held.offers), _methods(lease), [f.to_json() for f in held.features],
            outputs=[OutputCard(name, unit) for name, unit in _outputs(lease)], labels=dict(lease.labels),
            rollout=rollout_card(self._versions.slot(model)) if self._rollout else None,
        )  # fmt: skip

    def cards(self) -> list[ModelCard]:
        return [self.card()]

    def explainers(self, model: str | None = None) -> ExplainersCard:
        """What can be asked without another exchange: nothing else is ever listed."""
        lease = self.lease(model)
        cards = [
            RepertoireCard(name, unit, _methods(lease), {}, [], "", [])
            for name, unit in _outputs(lease)
            if not name.startswith(SCORE)
        ]
        return ExplainersCard(lease.name, lease.version, cards)

    @noted
    async def attribute(
        self, asked: AttributionAsked, rows: list[Row], caller: Caller = ANYBODY, within_s: float | None = None
    ) -> AttributionResponse:
        """Exact Shapley values of the margin, each host one player, by one exchange.

        Raises InputError (InvalidRowsError where no row can be answered, TooLargeError), CapabilityError for another
        method, NotFound, UnavailableError where a host is missing and the policy is fail, DeadlineError, ShedError.
        """
        caller, lease = require(caller, "explain"), self.lease(asked.model, asked.version, asked.labels)
        if (asked.method or METHOD) != METHOD or asked.groups or (asked.tier or "exact") != "exact":
            raise CapabilityError(
                f"a federated model is explained by {METHOD} alone, exactly and by column: others would ask its hosts "
                "for rows that do not exist"
            )
        codec.check_options(asked, self._settings)
        k, _ = _output(lease, asked.output, explain=True)
        held, found = await self._scored(lease, asked.request_id or "", rows, caller, within_s, True, k)
        assert found.explained is not None
        reasons = self._reasons(found, k)
        lacking = [r or (t if s == "invalid" else "") for r, t, s in zip(
            reasons, found.explained.reasons, found.explained.status.tolist(), strict=True)]  # fmt: skip
        rows_in = Checked(np.zeros((len(held.ids), 0)), lacking, [None] * len(held.ids), held.ids)
        answer = work.attributed(lease, asked, rows_in, found.explained, dict(found.timings_ms))
        answer.attributions = _spread(rows, held, answer.attributions, Attribution)
        return answer

    @noted
    async def predict(
        self, asked: PredictionAsked, rows: list[Row], caller: Caller = ANYBODY, within_s: float | None = None
    ) -> PredictionResponse:
        """Margins or scores. Raises as `attribute`, but for CapabilityError."""
        caller, lease = require(caller, "predict"), self.lease(asked.model, asked.version, asked.labels)
        k, score = _output(lease, asked.output)
        held, found = await self._scored(lease, asked.request_id or "", rows, caller, within_s, False, k)
        f = (found.answer.score if score else found.answer.margin)[:, k]
        rows_in = Checked(np.zeros((len(f), 0)), self._reasons(found, k), [None] * len(f), held.ids)
        told = codec.predictions(f[rows_in.good], np.zeros(len(rows_in.good), bool), rows_in)
        name, unit = next((n, u) for n, u in _outputs(lease) if _output(lease, n) == (k, score))
        return PredictionResponse(
            lease.name, lease.version, lease.sha256, unit, name, asked.request_id or "", dict(found.timings_ms),
            _spread(rows, held, told, Prediction),
        )  # fmt: skip

    async def answered(
        self, lease: GuestLease, ids: Sequence[str], rows: Table, asked: Asked, caller: Caller
    ) -> Scored:  # fmt: skip
        """What a caller is shown of these rows. Raises InputError, TooLargeError, CapabilityError, ShedError,
        DeadlineError; ForbiddenError where the caller's ids are used up.
        """

        async def call() -> Scored:
            if asked.explain:
                lease.scorer.explains()
                self._publishing.spend(caller, ids)
            found = await lease.scorer.score(ids, rows, asked)
            return self._publishing.shown(lease.guest.party, found, asked.output)

        return await self._let_in(len(ids), caller, call, asked.within_s)

    async def _let_in(
        self, rows: int, caller: Caller, call: Callable[[], Awaitable[Scored]], within_s: float | None
    ) -> Scored:
        """`call()` while its rows count as under way."""
        codec.check_rows_limit(rows, self._settings.max_rows)
        self._rates.take(caller, rows)
        if self._rows and self._rows + rows > self._settings.max_queue_rows:
            raise ShedError(f"{self._rows} rows are under way already: come again in a second")
        limit, start = min(self._settings.timeout_s, within_s or self._settings.timeout_s), time.perf_counter()
        self._rows += rows
        reached("run")
        try:
            async with asyncio.timeout(limit):
                return await call()
        except TimeoutError as exc:
            raise DeadlineError(f"not done within {limit:g} s: send fewer rows, or give it longer") from exc
        finally:
            self._rows -= rows
            self._meter.batch(rows, 0.0, time.perf_counter() - start)

    async def energy(self, *_: Any) -> NoReturn:
        raise CapabilityError("energy needs an energy model, which a federated model does not have")

    async def admin(self, verb: str, model: str, caller: Caller = ANYBODY) -> RolloutAnswer:
        """As `service.Service.admin`: `refresh`, or `rollback`, of a guest that follows a channel."""
        if self._rollout is None:
            raise NotFound(f"no admin call {quoted(verb, 40)} here: a guest serves the bundle that it was started with")
        return await moved(self._rollout, self._versions, verb, model, caller, self._settings)

    async def nodes(self, *_: Any) -> NoReturn:
        raise NotFound("a guest of a federated model knows no lake")

    async def node(self, *_: Any) -> NoReturn:
        await self.nodes()

    async def explain_node(self, *_: Any) -> NoReturn:
        await self.nodes()

    async def status(self) -> NoReturn:
        await self.nodes()

    async def _scored(
        self, lease: GuestLease, request_id: str, rows: list[Row], caller: Caller, within_s: float | None,
        explain: bool, k: int,
    ) -> tuple[Sorted, Scored]:  # fmt: skip
        narrow(rows, self._settings.max_features)
        held = sort_out(rows, lease.guest.party.inputs)
        if rows and not held.good:
            raise InvalidRowsError(held.reasons)
        limit = min(self._settings.timeout_s, within_s or self._settings.timeout_s)
        policy = stated(self._policy)
        asked = Asked(request_id, policy, explain, k, self._skip_local, limit)
        found = await self.answered(lease, held.ids, held.rows, asked, caller)
        if (found.answer.code != OK).all() and policy == "fail":
            if found.failures:
                raise UnavailableError("; ".join(f"policy fail: {f.text}" for f in found.failures.values()))
            reasons = dict(zip(held.good, self._reasons(found, k), strict=True))
            raise InvalidRowsError([reasons.get(i, why) for i, why in enumerate(held.reasons)])
        return held, found

    def _reasons(self, found: Scored, k: int) -> list[str]:
        """Why a row has no answer, its code, and its bounds where there are any."""
        out = []
        for i, code in enumerate(found.answer.code.tolist()):
            why = f"{found.answer.reasons[i]} ({code})" if code else ""
            if code and found.lower is not None and found.upper is not None and np.isfinite(found.lower[i, k]):
                why += f"; margin between {found.lower[i, k]:.9g} and {found.upper[i, k]:.9g}"
            out.append(why)
        return out


def _methods(lease: GuestLease) -> list[str]:
    return [METHOD] if lease.scorer.explainer else []


def _outputs(lease: GuestLease) -> list[tuple[str, str]]:
    """Names and units: margins, then scores."""
    names = list(lease.model.outputs) or [lease.model.output]
    scores = [SCORE] if len(names) == 1 else [f"{SCORE} {name}" for name in names]
    return [*((name, lease.model.unit) for name in names), *((name, "") for name in scores)]


def _output(lease: GuestLease, name: str | None, explain: bool = False) -> tuple[int, bool]:
    """Number of an output, and whether its score is meant. Raises NotFound; InputError for a score explained."""
    held = [n for n, _ in _outputs(lease)]
    if not name:
        return 0, False
    if name not in held:
        raise NotFound(f"no output {quoted(name)}: this model has {listed(held)}")
    at, half = held.index(name), len(held) // 2
    if at >= half and explain:
        raise InputError(f"{name} is not explained: its margin is, as output {quoted(held[at - half])}")
    return at % half, at >= half


def _spread(rows: list[Row], held: Sorted, told: list[Any], kind: type) -> list[Any]:
    """Messages of all rows, from those of the good ones."""
    if len(held.good) == len(rows):
        return told
    answered = dict(zip(held.good, told, strict=True))
    return [answered.get(i) or kind(id=row.id, status="invalid", reason=held.reasons[i]) for i, row in enumerate(rows)]
