"""The HTTP door: JSON in, JSON or problem+json (RFC 9457) out. It translates and decides nothing."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from ascribe.core.errors import InputError
from ascribe.serve import codec, jobs_rest
from ascribe.serve.faults import AbandonedError, Problem, TooLargeError, UnsupportedError, problem_of
from ascribe.serve.longer import Longer
from ascribe.serve.messages import AttributionAsked
from ascribe.serve.observe import Entry, Log
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings

__all__ = ["door"]

JSON = "application/json"
PROBLEM = "application/problem+json"
SHOWN = 100  # rows' reasons in one body
ROW_BYTES = 500  # about, of one row's answer
SWALLOWED = 4  # times the limit: how much of an oversize body is still read, so that its sender hears why

T = TypeVar("T")


Told = Callable[[Any], tuple[int, dict[str, str]]]  # status and headers of an answer


def _plain(answer: Any) -> tuple[int, dict[str, str]]:
    return 200, {}


def door(service: Service, settings: Settings, log: Log, longer: Longer | None = None) -> FastAPI:
    """The app with its routes; everything is asked of `service`, and of `longer` what outlives a request."""
    app = FastAPI(title="Ascribe", version=version("ascribe"), docs_url=None, redoc_url=None, openapi_url=None)

    async def answered(
        request: Request, verb: str, call: Callable[[Entry, bytes], Awaitable[Any]], told: Told = _plain
    ) -> Response:
        """One POST from bytes to bytes, with its log line."""
        with log.request("http", verb, _request_id(request)) as entry:
            try:
                body = await _body(request, settings.max_body_bytes)
                answer = await _unless_gone(request, call(entry, body))
                raw = await service.aside(entry.rows * ROW_BYTES, lambda: codec.encode(answer))
                status, more = told(answer)
                return Response(raw, status, {"X-Request-Id": entry.request_id, **more}, JSON)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                return _problem(problem, entry.request_id, request.url.path)

    async def looked_up(
        request: Request, verb: str, ask: Callable[[Entry], Awaitable[Any]], told: Told = _plain
    ) -> Response:
        """One GET that has to ask elsewhere, with its log line."""
        with log.request("http", verb, _request_id(request)) as entry:
            try:
                answer = await ask(entry)
                status, more = told(answer)
                return Response(codec.encode(answer), status, {"X-Request-Id": entry.request_id, **more}, JSON)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                return _problem(problem, entry.request_id, request.url.path)

    async def attribute(entry: Entry, body: bytes) -> Any:
        asked, rows = await service.aside(len(body), lambda: codec.decode_attribution(body, settings.max_rows))
        asked.request_id = entry.request_id = _own_id(asked.request_id, entry)
        entry.asked(len(rows), asked.model, asked.version, asked.method)
        answer = await service.attribute(asked, rows)
        entry.asked(len(rows), answer.model, answer.version, answer.method)
        return answer

    async def predict(explain: str | None, entry: Entry, body: bytes) -> Any:
        asked, rows = await service.aside(len(body), lambda: codec.decode_prediction(body, settings.max_rows))
        asked.request_id = entry.request_id = _own_id(asked.request_id, entry)
        asked.explain = asked.explain or explain
        entry.asked(len(rows), asked.model, asked.version)
        answer = await (longer.later if longer else service).predict(asked, rows)
        entry.asked(len(rows), answer.model, answer.version)
        return answer

    async def energy(entry: Entry, body: bytes) -> Any:
        asked, rows = await service.aside(len(body), lambda: codec.decode_energy(body, settings.max_rows))
        asked.request_id = entry.request_id = _own_id(asked.request_id, entry)
        entry.asked(len(rows), asked.model, asked.version)
        answer = await service.energy(asked, rows)
        entry.asked(len(rows), answer.model, answer.version)
        return answer

    @app.post("/v1/attributions")
    async def attributions(request: Request) -> Response:
        return await answered(request, "attribution", attribute)

    @app.post("/v1/predictions")
    async def predictions(request: Request) -> Response:
        return await answered(request, "prediction", functools.partial(predict, request.query_params.get("explain")))

    @app.post("/v1/energy")
    async def energies(request: Request) -> Response:
        return await answered(request, "energy", energy)

    if longer:
        jobs_rest.add_to(app, service, longer, settings, log, answered, looked_up, _own_id)

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
            return await service.explain_node(node, asked)

        return await looked_up(request, "node attribution", ask)

    @app.get("/v1/nodes/{node:path}")
    async def node(request: Request, node: str) -> Response:
        return await looked_up(request, "node", lambda _: service.node(node))

    @app.get("/v1/status")
    async def status(request: Request) -> Response:
        return await looked_up(request, "status", lambda _: service.status())

    @app.post("/v1/admin/models/{model}/{verb}")
    async def admin(request: Request, model: str, verb: str) -> Response:
        token = request.headers.get("authorization")

        async def act(entry: Entry, body: bytes) -> Any:
            entry.asked(0, model, None)
            return await service.admin(verb, model, token)

        return await answered(request, f"admin {verb[:20]}", act)

    @app.get("/v2")
    @app.get("/v2/")
    async def server(request: Request) -> Response:
        return _got(request, lambda: {"name": "ascribe", "version": app.version, "extensions": ["attribution"]})

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
        return _problem(Problem(code, text), _request_id(request), request.url.path, exc.status_code)

    return app


def _got(request: Request, ask: Callable[[], Any]) -> Response:
    """A GET that answers at once."""
    try:
        return Response(codec.encode(ask()), media_type=JSON)
    except Exception as exc:
        return _problem(problem_of(exc), _request_id(request), request.url.path)


def _health(request: Request, service: Service, good: bool, text: str) -> Response:
    words = {"live": service.live(), "ready": service.ready()}
    if good:
        return Response(codec.encode(words), media_type=JSON)
    return _problem(Problem("unavailable", text), _request_id(request), request.url.path, more=words)


def _problem(problem: Problem, request_id: str, path: str, status: int | None = None, more: Any = None) -> Response:
    """RFC 9457, with our `code`, `request_id`, `errors`, and `error` for readers of the open inference protocol."""
    fault = problem.fault
    status = status or fault.http
    body = {
        "type": f"urn:ascribe:{problem.code}",
        "title": fault.title,
        "status": status,
        "detail": problem.text,
        "instance": path[:200],
        "code": problem.code,
        "error": problem.text,
        "request_id": request_id,
        "errors": [{"field": field, "reason": why} for field, why in problem.violations[:SHOWN]],
    }
    headers = {"X-Request-Id": request_id}
    if fault.retry_s is not None:
        headers["Retry-After"] = str(fault.retry_s)
    return Response(msgspec.json.encode(body | (more or {})), status, headers, PROBLEM)


def _request_id(request: Request) -> str:
    """The caller's header if it may be echoed, or a new one."""
    given = request.headers.get("x-request-id")
    return given if given and codec.usable_id(given) else uuid.uuid4().hex


def _own_id(given: str | None, entry: Entry) -> str:
    """The body's request id before the header's."""
    if given and not codec.usable_id(given):
        raise InputError("request_id: use letters, digits, '.', '_', ':' and '-', at most 128")
    return given or entry.request_id


async def _body(request: Request, limit: int) -> bytes:
    """The body, counted before anybody parses it. Raises TooLargeError, UnsupportedError."""
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media != JSON:
        raise UnsupportedError(f"this server reads {JSON}, not '{media[:60]}': send the header Content-Type: {JSON}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedError("this server reads bodies as they are: send no Content-Encoding")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > SWALLOWED * limit:
            break
    if size > limit:
        raise TooLargeError(f"the body has more than {limit} bytes, the limit of this server: send the rows in parts")
    return b"".join(parts)


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
