"""The HTTP door: JSON in, JSON or problem+json (RFC 9457) out. It translates and decides nothing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ascribe.core.errors import InputError
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.access.audit import audited
from ascribe.serve.access.callers import current
from ascribe.serve.access.limits import check_depth, read_body
from ascribe.serve.cards.shelf import Shelf
from ascribe.serve.faults import AbandonedError, Problem, UnsupportedError, problem_of
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.messages import AttributionAsked
from ascribe.serve.now.room import NowRoom
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.observe.snapshots import Snapshot
from ascribe.serve.rest import forecasts as forecast_rest
from ascribe.serve.rest import jobs as jobs_rest
from ascribe.serve.rest import models as models_rest
from ascribe.serve.rest import now as now_rest
from ascribe.serve.rest import oip as oip_rest
from ascribe.serve.rest import openapi
from ascribe.serve.rest import tables as tables_rest
from ascribe.serve.rest.refused import problem_answer, request_id_of
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings

__all__ = ["door"]

JSON = "application/json"
QUIET: Any = {"tracing": False, "metrics": False, "logs": False}  # `traced_doors` does it, the same way for both doors
ROW_BYTES = 500  # about, of one row's answer
LARGE_BYTES = 1 << 18  # bodies above are looked through on a thread
TENSORS = "inference-header-content-length"  # JSON with bytes behind it

T = TypeVar("T")
Counted = Callable[[], Snapshot]
Told = Callable[[Any], tuple[int, dict[str, str]]]  # status and headers of an answer


def _plain(answer: Any) -> tuple[int, dict[str, str]]:
    return 200, {}


def door(
    service: Service, settings: Settings, log: Log, longer: Longer | None = None, counted: Counted = dict,
    forecasting: Forecasting | None = None, now: NowRoom | None = None, shelf: Shelf | None = None,
) -> FastAPI:  # fmt: skip
    """The app; everything is asked of `service`, of `longer` what outlives a request, of `counted` what was counted, of
    `forecasting` forecasts, of `now` what moves, of `shelf` what is looked up in stores.
    """
    app = FastAPI(
        title="Ascribe", version=version("ascribe"), docs_url=None, redoc_url=None, openapi_url=None, telemetry=QUIET,
        redirect_slashes=False,
    )  # fmt: skip

    async def answered(
        request: Request, verb: str, call: Callable[[Entry, bytes], Awaitable[Any]], media: Sequence[str] = (JSON,),
        told: Told = _plain,
    ) -> Response:  # fmt: skip
        """One POST from bytes of a media type to bytes, with its log line; a Response is sent as it is."""
        with log.request("http", verb, request_id_of(request)) as entry:
            try:
                body = await _body(request, settings, media)
                answer = await _unless_gone(request, call(entry, body))
                if isinstance(answer, Response):
                    answer.headers["X-Request-Id"] = entry.request_id
                    return answer
                raw = await service.aside(entry.rows * ROW_BYTES, lambda: codec.encode(answer))
                status, more = told(answer)
                return Response(raw, status, {"X-Request-Id": entry.request_id, **more}, JSON)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                return problem_answer(problem, entry.request_id, request.url.path)

    async def looked_up(
        request: Request, verb: str, ask: Callable[[Entry], Awaitable[Any]], told: Told = _plain
    ) -> Response:
        """One GET that has to ask elsewhere, with its log line."""
        with log.request("http", verb, request_id_of(request)) as entry:
            try:
                answer = await ask(entry)
                if isinstance(answer, Response):
                    return answer
                status, more = told(answer)
                return Response(codec.encode(answer), status, {"X-Request-Id": entry.request_id, **more}, JSON)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                return problem_answer(problem, entry.request_id, request.url.path)

    async def attribute(entry: Entry, body: bytes) -> Any:
        asked, rows = await service.aside(len(body), lambda: codec.decode_attribution(body, settings.max_rows))
        asked.request_id = entry.request_id = _own_id(asked.request_id, entry)
        entry.asked(len(rows), asked.model, asked.version, asked.method)
        answer = await service.attribute(asked, rows, current())
        entry.asked(len(rows), answer.model, answer.version, answer.method)
        return answer, rows

    async def predict(explain: str | None, entry: Entry, body: bytes) -> Any:
        asked, rows = await service.aside(len(body), lambda: codec.decode_prediction(body, settings.max_rows))
        asked.request_id = entry.request_id = _own_id(asked.request_id, entry)
        asked.explain = asked.explain or explain
        entry.asked(len(rows), asked.model, asked.version)
        answer = await (longer.later if longer else service).predict(asked, rows, current())
        entry.asked(len(rows), answer.model, answer.version)
        return answer

    async def energy(entry: Entry, body: bytes) -> Any:
        asked, rows = await service.aside(len(body), lambda: codec.decode_energy(body, settings.max_rows))
        asked.request_id = entry.request_id = _own_id(asked.request_id, entry)
        entry.asked(len(rows), asked.model, asked.version)
        answer = await service.energy(asked, rows, current())
        entry.asked(len(rows), answer.model, answer.version)
        return answer

    @app.post("/v1/attributions")
    async def attributions(request: Request) -> Response:
        call = tables_rest.reader(request, service, settings) or tables_rest.in_media(request, service, attribute)
        return await answered(request, "attribution", call, tables_rest.ATTRIBUTIONS)

    @app.post("/v1/predictions")
    async def predictions(request: Request) -> Response:
        later = functools.partial(predict, request.query_params.get("explain"))
        call = tables_rest.predictions(request, service, settings) or later
        return await answered(request, "prediction", call, tables_rest.MEDIA)

    @app.post("/v1/energy")
    async def energies(request: Request) -> Response:
        return await answered(request, "energy", energy)

    if longer:
        jobs_rest.add_to(app, service, longer, settings, log, answered, looked_up, _own_id)
    if forecasting:
        forecast_rest.add_to(app, service, forecasting, settings, answered, _own_id, looked_up)
    if shelf:
        models_rest.add(app, shelf, _got, answered, looked_up)
    tables_rest.add(app, service, settings, answered)
    if now:
        now_rest.add_to(app, now, looked_up)
    oip_rest.add(app, service, settings, answered, _got, looked_up, counted)
    openapi.add(app, service, _got)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        return _got(request, lambda: {"models": service.names()})

    @app.get("/v1/models/{model}")
    async def model(request: Request, model: str) -> Response:
        return _got(request, lambda: service.card(model))

    @app.get("/v1/models/{model}/explainers")
    async def explainers(request: Request, model: str) -> Response:
        return _got(request, lambda: service.explainers(model))

    @app.get("/v1/nodes")
    async def nodes(request: Request) -> Response:
        async def ask(entry: Entry) -> Any:
            return {"nodes": await service.nodes()}

        return await looked_up(request, "nodes", ask)

    @app.get("/v1/nodes/{node:path}/attribution")
    async def node_attribution(request: Request, node: str) -> Response:
        async def ask(entry: Entry) -> Any:
            said = request.query_params.get
            asked = AttributionAsked(
                model=said("model", ""), version=said("version", ""), tier=said("tier", ""), output=said("output", ""),
                request_id=entry.request_id,
            )  # fmt: skip
            entry.asked(1, asked.model, asked.version)
            return await service.explain_node(node, asked, current())

        return await looked_up(request, "node attribution", ask)

    @app.get("/v1/nodes/{node:path}")
    async def node(request: Request, node: str) -> Response:
        return await looked_up(request, "node", lambda _: service.node(node))

    @app.get("/v1/status")
    async def status(request: Request) -> Response:
        return await looked_up(request, "status", lambda _: service.status())

    @app.post("/v1/admin/models/{model}/{verb}")
    async def admin(request: Request, model: str, verb: str) -> Response:
        async def act(entry: Entry, body: bytes) -> Any:
            entry.asked(0, model, None)
            with audited(log, verb, current(), entry):
                return await service.admin(verb, model, current())

        return await answered(request, f"admin {verb[:20]}", act)

    @app.get("/v2/health/live")
    async def live(request: Request) -> Response:
        return _health(request, service, service.live(), "not live")

    @app.get("/v2/health/ready")
    async def ready(request: Request) -> Response:
        return _health(request, service, service.ready(), "loading or draining: ask again")

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


def _got(request: Request, ask: Callable[[], Any]) -> Response:
    """A GET that answers at once."""
    try:
        return Response(codec.encode(ask()), media_type=JSON)
    except Exception as exc:
        return problem_answer(problem_of(exc), request_id_of(request), request.url.path)


def _health(request: Request, service: Service, good: bool, text: str) -> Response:
    words = {"live": service.live(), "ready": service.ready()}
    if good:
        return Response(codec.encode(words), media_type=JSON)
    return problem_answer(Problem("unavailable", text), request_id_of(request), request.url.path, more=words)


def _own_id(given: str | None, entry: Entry) -> str:
    """The body's request id before the header's."""
    if given and not codec.usable_id(given):
        raise InputError("request_id: use letters, digits, '.', '_', ':' and '-', at most 128")
    return given or entry.request_id


async def _body(request: Request, settings: Settings, readable: Sequence[str]) -> bytes:
    """The body, counted before anybody parses it. Raises as `limits.read_body` and `limits.check_depth`;
    AbandonedError where the caller hangs up meanwhile.
    """
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media not in readable:
        reads = " or ".join(readable)
        raise UnsupportedError(f"this server reads {reads}, not {quoted(media)}: send the header Content-Type: {reads}")
    encoding = request.headers.get("content-encoding", "")
    try:
        raw = await read_body(request.stream(), encoding, settings.max_body_bytes, settings.body_s)
    except ClientDisconnect as exc:
        raise AbandonedError("the caller hung up before its body was there") from exc
    if media == JSON and TENSORS not in request.headers:
        if len(raw) > LARGE_BYTES:
            await asyncio.to_thread(check_depth, raw, settings.max_depth)
        else:
            check_depth(raw, settings.max_depth)
    return raw


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The answer, unless the caller hangs up first: then the work is cancelled. Raises AbandonedError."""

    async def hung_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(hung_up())
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise AbandonedError("the caller hung up")
        return answer.result()
    finally:
        gone.cancel()
        answer.cancel()
