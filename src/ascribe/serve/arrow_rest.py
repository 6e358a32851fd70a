"""Arrow IPC at the HTTP door: a table of rows in, a table of answers out; how to answer is in the query string."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response

from ascribe.core.errors import InputError
from ascribe.serve import arrow, codec, oip
from ascribe.serve.callers import current
from ascribe.serve.messages import AttributionAsked, PredictionAsked
from ascribe.serve.observe import Entry
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings

__all__ = ["MEDIA", "reader"]

MEDIA = ("application/json", arrow.MEDIA)
WHO = ("model", "version", "request_id")


def reader(
    request: Request, service: Service, settings: Settings, explain: bool
) -> Callable[[Entry, bytes], Awaitable[Any]] | None:
    """What answers a request whose body is an Arrow stream; None for another."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != arrow.MEDIA:
        return None

    async def call(entry: Entry, body: bytes) -> Response:
        said = dict(request.query_params)
        who: dict[str, Any] = {name: said.pop(name) for name in WHO if name in said}
        given = who.pop("request_id", None)
        if given and not codec.usable_id(given):
            raise InputError("request_id: use letters, digits, '.', '_', ':' and '-', at most 128")
        who["request_id"] = entry.request_id = given or entry.request_id
        entry.asked(0, who.get("model"), who.get("version"))
        wish = oip.understood(said)
        asked = await service.aside(len(body), lambda: arrow.read(body, settings.max_rows))
        entry.asked(len(asked.rows), who.get("model"), who.get("version"))
        if explain:
            wanted = AttributionAsked(**who, **wish.fields, priority=wish.priority)
            shares = await service.attribute(wanted, asked.rows, current(), wish.within_s())
            entry.asked(len(asked.rows), shares.model, shares.version, shares.method)
            raw = await service.aside(len(body), lambda: arrow.write(shares, asked))
        else:
            fields = {name: wish.fields[name] for name in ("output", "space") if name in wish.fields}
            less = PredictionAsked(**who, **fields, priority=wish.priority)
            predicted = await service.predict(less, asked.rows, current(), wish.within_s())
            entry.asked(len(asked.rows), predicted.model, predicted.version)
            raw = await service.aside(len(body), lambda: arrow.write(predicted, asked))
        return Response(raw, media_type=arrow.MEDIA)

    return call
