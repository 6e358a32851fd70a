"""Versions, drift, runs, bad rows and promotion at the HTTP door. It translates and decides nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.cards.shelf import Shelf
from ascribe.serve.cards.versions import PromotionBody, PromotionCard
from ascribe.serve.now.when import whole
from ascribe.serve.observe.log import Entry
from ascribe.serve.rest.desk import Desk
from ascribe.serve.versions.promoting import JUDGING

__all__ = ["shelf_routes"]


def shelf_routes(app: FastAPI, desk: Desk, shelf: Shelf) -> None:
    """What is looked up in stores, and promotion."""

    @app.get("/v1/caller")
    async def caller(request: Request) -> Response:
        return desk.got(request, lambda: shelf.caller(current()))

    @app.get("/v1/models/{model}/versions")
    async def versions(request: Request, model: str) -> Response:
        return await desk.answered(request, "versions", lambda _: shelf.versions(model, _limit(request)))

    @app.get("/v1/models/{model}/drift")
    async def drift(request: Request, model: str) -> Response:
        return await desk.answered(request, "drift", lambda _: shelf.drift(model))

    @app.get("/v1/runs")
    async def runs(request: Request) -> Response:
        model = request.query_params.get("model", "")
        return await desk.answered(request, "runs", lambda _: shelf.runs(model, _limit(request)))

    @app.get("/v1/quarantine")
    async def quarantine(request: Request) -> Response:
        return await desk.answered(request, "quarantine", lambda _: shelf.quarantine(_limit(request), current()))

    @app.post("/v1/admin/models/{model}/promote")
    async def promote(request: Request, model: str) -> Response:
        async def act(entry: Entry, body: bytes) -> Any:
            entry.asked(0, model, None)
            return await shelf.promote(model, _version(body), current(), entry)

        return await desk.posted(request, "admin promote", act, told=_told)


def _told(card: PromotionCard) -> tuple[int, dict[str, str]]:
    """202 while the gate is judging: the versions of the model say what comes of it."""
    return (202, {"Location": f"/v1/models/{card.model}/versions"}) if card.state == JUDGING else (200, {})


def _version(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=PromotionBody).version
    except UNREADABLE as exc:
        raise codec.unreadable(exc, 'send {"version": "..."}') from exc


def _limit(request: Request) -> int | None:
    text = request.query_params.get("limit")
    return whole("limit", text, 1, 1) if text else None
