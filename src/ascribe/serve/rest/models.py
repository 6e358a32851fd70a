"""Versions, drift, runs, bad rows and promotion at the HTTP door. It translates and decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response

from ascribe.core.errors import InputError
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.cards.shelf import Shelf
from ascribe.serve.cards.versions import PromotionBody, PromotionCard
from ascribe.serve.observe.log import Entry
from ascribe.serve.versions.promoting import JUDGING

__all__ = ["add"]

Got = Callable[[Request, Callable[[], Any]], Response]


def add(app: FastAPI, shelf: Shelf, got: Got, answered: Any, looked_up: Any) -> None:
    """`got`, `answered`, `looked_up`: of the door, a GET at once, a POST and a GET that asks elsewhere."""

    @app.get("/v1/caller")
    async def caller(request: Request) -> Response:
        return got(request, lambda: shelf.caller(current()))

    @app.get("/v1/models/{model}/versions")
    async def versions(request: Request, model: str) -> Response:
        return await _looked(request, "versions", lambda: shelf.versions(model, _limit(request)))

    @app.get("/v1/models/{model}/drift")
    async def drift(request: Request, model: str) -> Response:
        return await _looked(request, "drift", lambda: shelf.drift(model))

    @app.get("/v1/runs")
    async def runs(request: Request) -> Response:
        model = request.query_params.get("model", "")
        return await _looked(request, "runs", lambda: shelf.runs(model, _limit(request)))

    @app.get("/v1/quarantine")
    async def quarantine(request: Request) -> Response:
        return await _looked(request, "quarantine", lambda: shelf.quarantine(_limit(request)))

    @app.post("/v1/admin/models/{model}/promote")
    async def promote(request: Request, model: str) -> Response:
        async def act(entry: Entry, body: bytes) -> Any:
            entry.asked(0, model, None)
            return await shelf.promote(model, _version(body), current(), entry)

        found: Response = await answered(request, "admin promote", act, told=_told)
        return found

    async def _looked(request: Request, verb: str, call: Callable[[], Awaitable[Any]]) -> Response:
        async def ask(entry: Entry) -> Any:
            return await call()

        found: Response = await looked_up(request, verb, ask)
        return found


def _told(card: PromotionCard) -> tuple[int, dict[str, str]]:
    """202 while the gate is judging: the versions of the model say what comes of it."""
    return (202, {"Location": f"/v1/models/{card.model}/versions"}) if card.state == JUDGING else (200, {})


def _version(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=PromotionBody).version
    except codec.UNREADABLE as exc:
        raise codec.unreadable(exc, 'send {"version": "..."}') from exc


def _limit(request: Request) -> int | None:
    text = request.query_params.get("limit")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InputError("limit is a whole number, 1 and up")
    return int(text)
