"""The gRPC door of forecasts; it translates and decides nothing."""

from __future__ import annotations

from typing import Any

from grpc.aio import ServicerContext as Context

from ascribe.core.errors import NotFound
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.aside import aside
from ascribe.serve.forecasts import codec as forecast_codec
from ascribe.serve.forecasts import messages as said
from ascribe.serve.observe.log import Entry, stage
from ascribe.serve.rpc.messages import fields
from ascribe.serve.rpc.verbs import Verbs
from ascribe.serve.wire import attribution_pb2 as pb

__all__ = ["ForecastVerb"]

SAMPLE_BYTES = 16  # of a message, about


class ForecastVerb(Verbs):
    """The one verb."""

    async def GetForecast(self, request: pb.ForecastRequest, context: Context) -> pb.ForecastResponse:  # noqa: N802
        async def call(entry: Entry, request: pb.ForecastRequest) -> pb.ForecastResponse:
            if self._forecasting is None:
                raise NotFound("this server does not forecast: ask another one")
            entry.asked(len(request.series), request.model, request.version)
            codec.check_rows_limit(len(request.series), self._settings.max_rows, what="series", field="series")
            size = SAMPLE_BYTES * sum(len(one.values) for one in request.series)
            series = await aside(size, lambda: _series(request.series))
            answer = await self._forecasting.forecast(
                _asked(request, entry.request_id), series, current(), entry.left_s
            )
            return await aside(size, lambda: _response(answer))

        return await self._answered("forecast", request, context, call)


@stage("decode")
def _series(given: Any) -> list[forecast_codec.Given]:
    return [
        forecast_codec.given(
            one.name, one.times, one.epoch_s, one.values,
            {name: list(held.numbers) for name, held in one.exogenous.items()},
        )
        for one in given
    ]  # fmt: skip


def _asked(request: Any, request_id: str) -> said.ForecastAsked:
    """What is wanted; what is absent is None."""
    wish = None
    if request.HasField("attribution"):
        held = request.attribution
        numbers = {name: getattr(held, name) for name in ("budget", "samples", "steps") if held.HasField(name)}
        wish = said.ForecastWish(
            output=held.output, method=held.method, baseline=held.baseline, seed=held.seed, **numbers
        )
    return said.ForecastAsked(
        model=request.model, version=request.version, request_id=request_id, labels=dict(request.labels),
        priority=request.priority, intervals=request.intervals if request.HasField("intervals") else True,
        attention=request.attention, attribution=wish,
    )  # fmt: skip


@stage("encode")
def _response(answer: said.ForecastResponse) -> pb.ForecastResponse:
    out = pb.ForecastResponse(**fields(answer, "forecasts"))
    for one in answer.forecasts:
        told = pb.Forecast(**fields(one, "attention", "attribution"))
        told.attention.extend(pb.ForecastAttention(**fields(held)) for held in one.attention)
        if one.attribution is not None:
            told.attribution.CopyFrom(pb.ForecastAttribution(**fields(one.attribution)))
        out.forecasts.append(told)
    return out
