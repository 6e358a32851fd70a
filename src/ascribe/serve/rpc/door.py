"""The gRPC door: `attribution.v1.AttributionService`, health, reflection. It translates and decides nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc.aio import ServicerContext as Context
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from grpc_status import rpc_status

from ascribe.core.errors import InputError
from ascribe.serve import codec
from ascribe.serve import messages as said
from ascribe.serve.access.callers import current
from ascribe.serve.faults import DeadlineError, Problem, problem_of
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.rpc import messages as convert
from ascribe.serve.rpc import packed
from ascribe.serve.rpc.forecasts import ForecastVerb
from ascribe.serve.rpc.jobs import LongVerbs
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire import attribution_pb2_grpc

__all__ = ["NAMES", "Door", "attach", "refuse", "status_of"]

NAMES = ("attribution.v1.AttributionService", "inference.GRPCInferenceService")
DETAIL_BYTES = 3000  # of a status: it travels as a header, and clients refuse headers above 8 KiB
TEXT = 300  # characters of a status, for the same reason
ROW_BYTES = 500  # about, of one row's answer


class Door(LongVerbs, ForecastVerb):
    """Messages to the service and back; `longer`: what outlives a request; `forecasting`: forecasts. An answer that is
    bytes already goes out through `Readable`.
    """

    def __init__(
        self, service: Service, settings: Settings, log: Log, longer: Longer | None = None,
        forecasting: Forecasting | None = None,
    ) -> None:  # fmt: skip
        self._service, self._settings, self._log, self._longer = service, settings, log, longer
        self._forecasting = forecasting

    async def GetAttribution(self, request: pb.AttributionRequest, context: Context) -> bytes:  # noqa: N802
        return await self._answered("attribution", request, context, self._attribute)

    async def GetPrediction(self, request: pb.PredictionRequest, context: Context) -> pb.PredictionResponse:  # noqa: N802
        return await self._answered("prediction", request, context, self._predict)

    async def GetEnergy(self, request: pb.EnergyRequest, context: Context) -> pb.EnergyResponse:  # noqa: N802
        return await self._answered("energy", request, context, self._energy)

    async def _answered(
        self, verb: str, request: Any, context: Context, call: Callable[[Entry, Any], Awaitable[Any]],
        most: int | None = None,
    ) -> Any:  # fmt: skip
        """One call with its log line; a fault becomes a rich status. Cancellation and the deadline stop the work.
        `most` rows may be sent, by default those of one request.
        """
        with self._log.request("grpc", verb, getattr(request, "request_id", "") or uuid.uuid4().hex) as entry:
            try:
                entry.left_s = left = context.time_remaining()
                if left is not None and left <= 0:
                    raise DeadlineError("the deadline had passed before any work was done")
                if not codec.usable_id(entry.request_id):
                    entry.request_id = uuid.uuid4().hex
                    raise InputError("request_id: use letters, digits, '.', '_', ':' and '-', at most 128")
                if hasattr(request, "feature_vector"):
                    entry.asked(len(request.feature_vector), request.model, request.version)
                    codec.check_rows_limit(len(request.feature_vector), most or self._settings.max_rows)
                return await call(entry, request)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
        return await context.abort_with_status(status_of(problem, entry))

    async def _attribute(self, entry: Entry, request: pb.AttributionRequest) -> bytes:
        entry.method = request.method[:64]
        size = len(request.feature_vector) * ROW_BYTES
        rows = await self._service.aside(size, lambda: convert.rows(request.feature_vector))
        asked = convert.asked(request, entry.request_id)
        answer = await self._service.attribute(asked, rows, current(), entry.left_s)
        entry.asked(len(rows), answer.model, answer.version, answer.method)
        return await self._service.aside(size, lambda: packed.attributions(answer))

    async def _predict(self, entry: Entry, request: pb.PredictionRequest) -> pb.PredictionResponse:
        size = len(request.feature_vector) * ROW_BYTES
        rows = await self._service.aside(size, lambda: convert.rows(request.feature_vector))
        asked = said.PredictionAsked(
            model=request.model, version=request.version, request_id=entry.request_id, labels=dict(request.labels),
            output=request.output, explain=request.explain, tier=request.tier,
            target_stderr=request.target_stderr if request.HasField("target_stderr") else None,
            max_latency_ms=request.max_latency_ms if request.HasField("max_latency_ms") else None,
            groups={name: list(group.names) for name, group in request.groups.items()},
            priority=request.priority, space=request.space, scores=request.scores,
        )  # fmt: skip
        answer = await (self._longer.later if self._longer else self._service).predict(
            asked, rows, current(), entry.left_s
        )
        entry.asked(len(rows), answer.model, answer.version)
        return await self._service.aside(size, lambda: convert.predictions(answer))

    async def _energy(self, entry: Entry, request: pb.EnergyRequest) -> pb.EnergyResponse:
        size = len(request.feature_vector) * ROW_BYTES
        rows = await self._service.aside(size, lambda: convert.rows(request.feature_vector))
        asked = said.EnergyAsked(
            model=request.model,
            version=request.version,
            observed=[list(coalition.names) for coalition in request.observed],
            request_id=entry.request_id,
            labels=dict(request.labels),
        )
        answer = await self._service.energy(asked, rows, current())
        entry.asked(len(rows), answer.model, answer.version)
        return await self._service.aside(size, lambda: convert.energies(answer))


async def refuse(problem: Problem, entry: Entry, context: Context) -> Any:
    """End a call that may not even come in."""
    return await context.abort_with_status(status_of(problem, entry))


def status_of(problem: Problem, entry: Entry) -> Any:
    """google.rpc.Status: ErrorInfo always; BadRequest, ResourceInfo or RetryInfo where the error table has one."""
    info = error_details_pb2.ErrorInfo(reason=problem.code.upper(), domain="ascribe")
    info.metadata["request_id"] = entry.request_id
    details: list[Message] = [info]
    if problem.fault.grpc == "INVALID_ARGUMENT":
        details.append(_bad_request(problem))
    if problem.code == "not_found":
        resource = f"{entry.model}/{entry.version}" if entry.version else entry.model
        details.append(error_details_pb2.ResourceInfo(resource_type="model", resource_name=resource))
    if problem.retry_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(problem.retry_s * 1000))
        details.append(retry)
    packed = [any_pb2.Any() for _ in details]
    for box, detail in zip(packed, details, strict=True):
        box.Pack(detail)
    code = code_pb2.Code.Value(problem.fault.grpc)
    return rpc_status.to_status(status_pb2.Status(code=code, message=problem.text[:TEXT], details=packed))


def _bad_request(problem: Problem) -> error_details_pb2.BadRequest:
    """Field violations as far as a header has room."""
    bad = error_details_pb2.BadRequest()
    for field, why in problem.violations or (("", problem.text),):
        if bad.ByteSize() + len(field) + len(why) * 4 > DETAIL_BYTES and bad.field_violations:
            break
        bad.field_violations.add(field=field, description=why[:TEXT])
    return bad


class Health:
    """`grpc.health.v1`: the words for the whole server and for each service, changed together."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()

    async def say(self, serving: bool) -> None:
        word = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await asyncio.gather(*(self.servicer.set(name, word) for name in ("", *NAMES)))


def attach(server: ByHandler, door: Door, health_: Health, reflect: bool) -> None:
    """Register the service, health, and (where wanted) reflection."""
    attribution_pb2_grpc.add_AttributionServiceServicer_to_server(door, server)
    health_pb2_grpc.add_HealthServicer_to_server(health_.servicer, server)
    if reflect:
        names = (*NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        servicer = reflection.aio.ReflectionServicer(names)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
