"""The gRPC door: `attribution.v1.AttributionService`, health, reflection. It translates and decides nothing."""

from __future__ import annotations

from grpc.aio import ServicerContext as Context
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from ascribe.serve import messages as said
from ascribe.serve.access.callers import current
from ascribe.serve.aside import ROW_BYTES, aside
from ascribe.serve.observe.log import Entry
from ascribe.serve.rpc import messages as convert
from ascribe.serve.rpc import packed
from ascribe.serve.rpc.forecasts import ForecastVerb
from ascribe.serve.rpc.health import Health
from ascribe.serve.rpc.jobs import LongVerbs
from ascribe.serve.standing import ByHandler
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire import attribution_pb2_grpc

__all__ = ["NAMES", "Door", "attach"]

NAMES = ("attribution.v1.AttributionService", "inference.GRPCInferenceService")


class Door(LongVerbs, ForecastVerb):
    """An answer that is bytes already goes out through `Readable`."""

    async def GetAttribution(self, request: pb.AttributionRequest, context: Context) -> bytes:  # noqa: N802
        return await self._answered("attribution", request, context, self._attribute)

    async def GetPrediction(self, request: pb.PredictionRequest, context: Context) -> pb.PredictionResponse:  # noqa: N802
        return await self._answered("prediction", request, context, self._predict)

    async def GetEnergy(self, request: pb.EnergyRequest, context: Context) -> pb.EnergyResponse:  # noqa: N802
        return await self._answered("energy", request, context, self._energy)

    async def _attribute(self, entry: Entry, request: pb.AttributionRequest) -> bytes:
        entry.method = request.method[:64]
        size = len(request.feature_vector) * ROW_BYTES
        rows = await aside(size, lambda: convert.rows(request.feature_vector))
        asked = convert.asked(request, entry.request_id)
        answer = await self._room.attribute(asked, rows, current(), entry.left_s)
        return await aside(size, lambda: packed.attributions(answer))

    async def _predict(self, entry: Entry, request: pb.PredictionRequest) -> pb.PredictionResponse:
        size = len(request.feature_vector) * ROW_BYTES
        rows = await aside(size, lambda: convert.rows(request.feature_vector))
        asked = said.PredictionAsked(
            model=request.model, version=request.version, request_id=entry.request_id, labels=dict(request.labels),
            output=request.output, explain=request.explain, tier=request.tier,
            target_stderr=request.target_stderr if request.HasField("target_stderr") else None,
            max_latency_ms=request.max_latency_ms if request.HasField("max_latency_ms") else None,
            groups={name: list(group.names) for name, group in request.groups.items()},
            priority=request.priority, space=request.space, scores=request.scores,
        )  # fmt: skip
        answer = await (self._longer.later if self._longer else self._room).predict(
            asked, rows, current(), entry.left_s
        )
        return await aside(size, lambda: convert.predictions(answer))

    async def _energy(self, entry: Entry, request: pb.EnergyRequest) -> pb.EnergyResponse:
        size = len(request.feature_vector) * ROW_BYTES
        rows = await aside(size, lambda: convert.rows(request.feature_vector))
        asked = said.EnergyAsked(
            model=request.model,
            version=request.version,
            observed=[list(coalition.names) for coalition in request.observed],
            request_id=entry.request_id,
            labels=dict(request.labels),
        )
        answer = await self._room.energy(asked, rows, current(), entry.left_s)
        return await aside(size, lambda: convert.energies(answer))


def attach(server: ByHandler, door: Door, words: Health, reflect: bool) -> None:
    """Register the service, health, and (where wanted) reflection."""
    attribution_pb2_grpc.add_AttributionServiceServicer_to_server(door, server)
    words.attach(server)
    if reflect:
        names = (*NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        servicer = reflection.aio.ReflectionServicer(names)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
