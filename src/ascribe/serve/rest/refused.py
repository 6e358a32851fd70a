"""A refusal as an HTTP answer: problem+json (RFC 9457), the same for readers of the Open Inference Protocol."""

from __future__ import annotations

import uuid
from math import ceil
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ascribe.serve import codec
from ascribe.serve.faults import Problem

__all__ = ["problem_answer", "request_id_of"]

PROBLEM = "application/problem+json"
SHOWN = 100  # rows' reasons in one body


def problem_answer(
    problem: Problem, request_id: str, path: str, status: int | None = None, more: Any = None
) -> Response:
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
    if problem.retry_s is not None:
        headers["Retry-After"] = str(max(1, ceil(problem.retry_s)))
    if problem.code == "auth":
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body | (more or {})), status, headers, PROBLEM)


def request_id_of(request: Request) -> str:
    """The caller's header if it may be echoed, or a new one."""
    given = request.headers.get("x-request-id")
    return given if given and codec.usable_id(given) else uuid.uuid4().hex
