"""The HTTP door of forecasts; it translates and decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from ascribe.serve.access.callers import current
from ascribe.serve.forecasts import codec as forecast_codec
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.observe.log import Entry
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings

__all__ = ["add_to"]


def add_to(
    app: FastAPI, service: Service, forecasting: Forecasting, settings: Settings,
    answered: Callable[..., Awaitable[Response]], own_id: Callable[[str | None, Entry], str],
    looked_up: Callable[..., Awaitable[Response]],
) -> None:  # fmt: skip
    """POST /v1/forecasts, and the series that it knows by name."""

    async def forecast(entry: Entry, body: bytes) -> Any:
        asked, series = await service.aside(len(body), lambda: forecast_codec.decode_forecast(body, settings.max_rows))
        asked.request_id = entry.request_id = own_id(asked.request_id, entry)
        entry.asked(len(series), asked.model, asked.version)
        return await forecasting.forecast(asked, series, current())

    @app.post("/v1/forecasts")
    async def forecasts(request: Request) -> Response:
        return await answered(request, "forecast", forecast)

    @app.get("/v1/series")
    async def series(request: Request) -> Response:
        async def ask(entry: Entry) -> Any:
            return {"series": await forecasting.series(current())}

        return await looked_up(request, "series", ask)

    @app.get("/v1/series/{name:path}")
    async def newest(request: Request, name: str) -> Response:
        async def ask(entry: Entry) -> Any:
            return await forecasting.newest(name, current())

        return await looked_up(request, "newest of a series", ask)
