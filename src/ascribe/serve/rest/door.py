"""The HTTP door: JSON in, JSON or problem+json (RFC 9457) out. It translates and decides nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from ascribe.serve import codec
from ascribe.serve.access.audit import audited
from ascribe.serve.access.callers import current
from ascribe.serve.aside import aside
from ascribe.serve.cards.shelf import Shelf
from ascribe.serve.faults import Problem
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.messages import AttributionAsked
from ascribe.serve.now.room import NowRoom
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.observe.snapshots import Snapshot
from ascribe.serve.rest import tables
from ascribe.serve.rest.desk import Desk
from ascribe.serve.rest.forecasts import forecast_routes
from ascribe.serve.rest.jobs import job_routes
from ascribe.serve.rest.models import shelf_routes
from ascribe.serve.rest.now import now_routes
from ascribe.serve.rest.oip import oip_routes
from ascribe.serve.rest.openapi import document_routes
from ascribe.serve.rest.refused import problem_answer, request_id_of
from ascribe.serve.room import Room
from ascribe.serve.settings import Settings

__all__ = ["http_door"]

QUIET: Any = {"tracing": False, "metrics": False, "logs": False}  # `traced_doors` does it, the same way for both doors

Counted = Callable[[], Snapshot]


def http_door(
    room: Room, settings: Settings, log: Log, longer: Longer | None = None, counted: Counted = dict,
    forecasting: Forecasting | None = None, now: NowRoom | None = None, shelf: Shelf | None = None,
) -> FastAPI:  # fmt: skip
    """The app; everything is asked of `room`, of `longer` what outlives a request, of `counted` what was counted, of
    `forecasting` forecasts, of `now` what moves, of `shelf` what is looked up in stores.
    """
    app = FastAPI(
        title="Ascribe", version=version("ascribe"), docs_url=None, redoc_url=None, openapi_url=None, telemetry=QUIET,
        redirect_slashes=False,
    )  # fmt: skip
    desk = Desk(settings, log)

    async def attribute(entry: Entry, body: bytes) -> Any:
        asked, rows = await aside(len(body), lambda: codec.decode_attribution(body, settings.max_rows))
        asked.request_id = entry.request_id = codec.own_id(asked.request_id, entry.request_id)
        entry.asked(len(rows), asked.model, asked.version, asked.method)
        return await room.attribute(asked, rows, current()), rows

    async def predict(explain: str | None, entry: Entry, body: bytes) -> Any:
        asked, rows = await aside(len(body), lambda: codec.decode_prediction(body, settings.max_rows))
        asked.request_id = entry.request_id = codec.own_id(asked.request_id, entry.request_id)
        asked.explain = asked.explain or explain
        entry.asked(len(rows), asked.model, asked.version)
        return await (longer.later if longer else room).predict(asked, rows, current())

    async def energy(entry: Entry, body: bytes) -> Any:
        asked, rows = await aside(len(body), lambda: codec.decode_energy(body, settings.max_rows))
        asked.request_id = entry.request_id = codec.own_id(asked.request_id, entry.request_id)
        entry.asked(len(rows), asked.model, asked.version)
        return await room.energy(asked, rows, current())

    @app.post("/v1/attributions")
    async def attributions(request: Request) -> Response:
        call = tables.reader(request, room, settings) or tables.in_media(request, room, attribute)
        return await desk.posted(request, "attribution", call, tables.ATTRIBUTIONS)

    @app.post("/v1/predictions")
    async def predictions(request: Request) -> Response:
        later = functools.partial(predict, request.query_params.get("explain"))
        call = tables.predictions(request, room, settings) or later
        return await desk.posted(request, "prediction", call, tables.MEDIA)

    @app.post("/v1/energy")
    async def energies(request: Request) -> Response:
        return await desk.posted(request, "energy", energy)

    if longer:
        job_routes(app, desk, room, longer, settings, log)
    if forecasting:
        forecast_routes(app, desk, forecasting, settings)
    if shelf:
        shelf_routes(app, desk, shelf)
    tables.table_routes(app, desk, room, settings)
    if now:
        now_routes(app, desk, now)
    oip_routes(app, desk, room, settings, counted)
    document_routes(app, desk, room)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        return desk.got(request, lambda: {"models": room.names()})

    @app.get("/v1/models/{model}")
    async def model(request: Request, model: str) -> Response:
        return desk.got(request, lambda: room.card(model))

    @app.get("/v1/models/{model}/explainers")
    async def explainers(request: Request, model: str) -> Response:
        return desk.got(request, lambda: room.explainers(model))

    @app.get("/v1/nodes")
    async def nodes(request: Request) -> Response:
        async def ask(entry: Entry) -> Any:
            return {"nodes": await room.nodes(current())}

        return await desk.answered(request, "nodes", ask)

    @app.get("/v1/nodes/{node:path}/attribution")
    async def node_attribution(request: Request, node: str) -> Response:
        async def ask(entry: Entry) -> Any:
            said = request.query_params.get
            asked = AttributionAsked(
                model=said("model", ""), version=said("version", ""), tier=said("tier", ""), output=said("output", ""),
                request_id=entry.request_id,
            )  # fmt: skip
            entry.asked(1, asked.model, asked.version)
            return await room.explain_node(node, asked, current())

        return await desk.answered(request, "node attribution", ask)

    @app.get("/v1/nodes/{node:path}")
    async def node(request: Request, node: str) -> Response:
        return await desk.answered(request, "node", lambda _: room.node(node, current()))

    @app.get("/v1/status")
    async def status(request: Request) -> Response:
        return await desk.answered(request, "status", lambda _: room.status())

    @app.post("/v1/admin/models/{model}/{verb}")
    async def admin(request: Request, model: str, verb: str) -> Response:
        async def act(entry: Entry, body: bytes) -> Any:
            entry.asked(0, model, None)
            with audited(log, verb, current(), entry):
                return await room.admin(verb, model, current())

        return await desk.posted(request, f"admin {verb[:20]}", act)

    @app.get("/v2/health/live")
    async def live(request: Request) -> Response:
        return _health(request, room, room.live(), "not live")

    @app.get("/v2/health/ready")
    async def ready(request: Request) -> Response:
        return _health(request, room, room.ready(), "loading or draining: ask again")

    @app.exception_handler(HTTPException)
    async def elsewhere(request: Request, exc: HTTPException) -> Response:
        """No such path, or not by this verb."""
        code = "not_found" if exc.status_code == 404 else "unsupported"
        text = f"{request.method} {request.url.path[:200]} is not offered: docs/wire.md lists what is"
        answer = problem_answer(Problem(code, text), request_id_of(request), request.url.path, exc.status_code)
        if exc.status_code == 405:
            at = getattr(request.scope.get("route"), "path", "")  # another verb may be another route's
            verbs = {verb for r in app.routes if getattr(r, "path", None) == at for verb in getattr(r, "methods", ())}
            answer.headers["Allow"] = ", ".join(sorted(verbs)) or dict(exc.headers or {}).get("Allow", "")
        return answer

    return app


def _health(request: Request, room: Room, good: bool, text: str) -> Response:
    words = {"live": room.live(), "ready": room.ready()}
    if good:
        return Response(codec.encode(words), media_type="application/json")
    return problem_answer(Problem("unavailable", text), request_id_of(request), request.url.path, more=words)
