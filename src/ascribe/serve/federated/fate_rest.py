"""The HTTP door of FATE-Serving's clients: two paths."""

from __future__ import annotations

import uuid

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.access.limits import check_depth, read_body
from ascribe.serve.faults import AbandonedError, problem_of
from ascribe.serve.federated.fate import FateRoom
from ascribe.serve.observe.log import Log
from ascribe.serve.rest.refused import problem_answer
from ascribe.serve.settings import Settings

__all__ = ["add"]

PATHS = {"/federation/v1/inference": False, "/federation/v1/batchInference": True}


def add(app: FastAPI, room: FateRoom, settings: Settings, log: Log) -> None:
    """The two paths. Whatever the room says is status 200, as theirs; a body over a limit is not read."""

    async def asked(request: Request) -> Response:
        batch = PATHS[request.url.path]
        with log.request("http", "fate batch" if batch else "fate inference", uuid.uuid4().hex) as entry:
            try:
                encoding = request.headers.get("content-encoding", "")
                raw = await read_body(request.stream(), encoding, settings.max_body_bytes, settings.body_s)
                check_depth(raw, settings.max_depth)
            except Exception as exc:
                exc = AbandonedError("the caller hung up") if isinstance(exc, ClientDisconnect) else exc
                problem = problem_of(exc)
                entry.failed(problem, exc)
                return problem_answer(problem, entry.request_id, request.url.path)
            answer = await room.answer(raw, batch, current(), entry)
            return Response(codec.encode(answer), 200, {"X-Request-Id": entry.request_id}, "application/json")

    for path in PATHS:
        app.post(path)(asked)
