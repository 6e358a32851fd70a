"""The HTTP door of forecasts; it translates and decides nothing."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.aside import aside
from ascribe.serve.forecasts.codec import decode_forecast
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.observe.log import Entry
from ascribe.serve.rest.desk import Desk
from ascribe.serve.settings import Settings

__all__ = ["forecast_routes"]


def forecast_routes(app: FastAPI, desk: Desk, forecasting: Forecasting, settings: Settings) -> None:
    """POST /v1/forecasts, and the series that it knows by name."""

    async def forecast(entry: Entry, body: bytes) -> Any:
        asked, series = await aside(len(body), lambda: decode_forecast(body, settings.max_rows))
        asked.request_id = entry.request_id = codec.own_id(asked.request_id, entry.request_id)
        entry.asked(len(series), asked.model, asked.version)
        return await forecasting.forecast(asked, series, current())

    @app.post("/v1/forecasts")
    async def forecasts(request: Request) -> Response:
        return await desk.posted(request, "forecast", forecast)

    @app.get("/v1/series")
    async def series(request: Request) -> Response:
        async def ask(entry: Entry) -> Any:
            return {"series": await forecasting.series(current())}

        return await desk.answered(request, "series", ask)

    @app.get("/v1/series/{name:path}")
    async def newest(request: Request, name: str) -> Response:
        return await desk.answered(request, "newest of a series", lambda _: forecasting.newest(name, current()))
