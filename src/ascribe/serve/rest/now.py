"""The HTTP door of what moves: now, a node's past, energy and changes, and the stream of events. It decides nothing."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI, Request, Response

from ascribe.serve.access.callers import current
from ascribe.serve.now.room import NowRoom
from ascribe.serve.now.stream import Events
from ascribe.serve.now.when import span_us, whole
from ascribe.serve.observe.log import Entry
from ascribe.serve.rest.desk import Desk

__all__ = ["now_routes"]

PAST_S, ENERGY_S = 900.0, 3600.0
POINTS, MOST_POINTS = 900, 5000


def now_routes(app: FastAPI, desk: Desk, room: NowRoom) -> None:
    """Now, and what was."""

    @app.get("/v1/now")
    async def now(request: Request) -> Response:
        return await desk.answered(request, "now", lambda _: room.now(*_which(request), current()))

    @app.get("/v1/nodes/{node:path}/history")
    async def history(request: Request, node: str) -> Response:
        async def ask(entry: Entry) -> Any:
            said = request.query_params.get
            span = span_us(said("from"), said("to"), _now_us(), PAST_S)
            points = whole("points", said("points"), POINTS, 1, MOST_POINTS)
            features = whole("features", said("features"), 0, 0, 1)
            return await room.history(node, *span, points, bool(features), *_which(request), current())

        return await desk.answered(request, "node history", ask)

    @app.get("/v1/nodes/{node:path}/moment")
    async def moment(request: Request, node: str) -> Response:
        async def ask(entry: Entry) -> Any:
            said = request.query_params.get
            at_us = whole("at", said("at"), -1) if said("at") else None
            return await room.moment(node, at_us, said("language") or "en", *_which(request), current())

        return await desk.answered(request, "node moment", ask)

    @app.get("/v1/nodes/{node:path}/energy")
    async def energy(request: Request, node: str) -> Response:
        async def ask(entry: Entry) -> Any:
            said = request.query_params.get
            span = span_us(said("from"), said("to"), _now_us(), ENERGY_S)
            return await room.energy(node, *span, *_which(request), current())

        return await desk.answered(request, "node energy", ask)

    @app.get("/v1/nodes/{node:path}/change")
    async def change(request: Request, node: str) -> Response:
        async def ask(entry: Entry) -> Any:
            said = request.query_params.get
            span = span_us(said("from"), said("to"), _now_us(), PAST_S)
            return await room.change(node, *span, said("language") or "en", *_which(request), current())

        return await desk.answered(request, "node change", ask)

    @app.get("/v1/events")
    async def events(request: Request) -> Response:
        said = request.query_params.get

        async def ask(entry: Entry) -> Response:
            last = request.headers.get("last-event-id") or said("last") or ""
            listener = room.listen(last[:64], (said("kinds") or "")[:100], current())
            return Events(listener, lambda: room.hub.leave(listener))

        return await desk.answered(request, "events", ask)


def _which(request: Request) -> tuple[str, str]:
    """Model and output."""
    return request.query_params.get("model", ""), request.query_params.get("output", "")


def _now_us() -> int:
    return time.time_ns() // 1000
