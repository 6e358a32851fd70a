"""KServe's first protocol: `POST /v1/models/NAME:predict` and `:explain`, rows as JSON instances."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import InputError
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.aside import aside
from ascribe.serve.messages import AttributionAsked, PredictionAsked
from ascribe.serve.observe.log import Entry
from ascribe.serve.oip import inference as oip
from ascribe.serve.rest.desk import Desk
from ascribe.serve.room import Room
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings

__all__ = ["InstancesBody", "decoded", "kserve_routes"]


class InstancesBody(msgspec.Struct, forbid_unknown_fields=True):
    """`instances`: rows, each a list of numbers in the model's order or {name: number}. `parameters`: as OIP's."""

    instances: list[msgspec.Raw]
    parameters: dict[str, oip.Scalar] | None = None
    signature_name: str | None = None


_body = msgspec.json.Decoder(InstancesBody)


def decoded(body: bytes, max_rows: int) -> tuple[InstancesBody, list[Row]]:
    """Raises InputError for another shape, TooLargeError for too many rows."""
    try:
        asked = _body.decode(body)
    except UNREADABLE as exc:
        raise codec.unreadable(exc, 'send {"instances": [[...], ...]}') from exc
    if not asked.instances:
        raise InputError("instances is empty: send at least one row")
    codec.check_rows_limit(len(asked.instances), max_rows)
    return asked, [codec.decode_values(row) for row in asked.instances]


def kserve_routes(app: FastAPI, desk: Desk, room: Room, settings: Settings) -> None:
    """The two routes."""

    def verb(name: str, ask: Callable[..., Awaitable[dict[str, Any]]]) -> None:
        @app.post("/v1/models/{model}:" + name, name=name)
        async def route(request: Request, model: str) -> Response:
            async def call(entry: Entry, body: bytes) -> Any:
                entry.asked(0, model, None)
                asked, rows = await aside(len(body), lambda: decoded(body, settings.max_rows))
                entry.asked(len(rows), model, None)
                wish = oip.understood(asked.parameters or {})
                return await ask(entry, model, rows, wish)

            return await desk.posted(request, name, call)

    async def predict(entry: Entry, model: str, rows: list[Row], wish: oip.Wish) -> dict[str, Any]:
        asked = PredictionAsked(
            model=model,
            request_id=entry.request_id,
            output=wish.fields.get("output"),
            space=wish.fields.get("space"),
            priority=wish.priority,
        )
        answer = await room.predict(asked, rows, current(), wish.within_s())
        return {"predictions": [row.prediction for row in answer.predictions], **_head(answer, "predictions")}

    async def explain(entry: Entry, model: str, rows: list[Row], wish: oip.Wish) -> dict[str, Any]:
        asked = AttributionAsked(model=model, request_id=entry.request_id, priority=wish.priority, **wish.fields)
        answer = await room.attribute(asked, rows, current(), wish.within_s())
        return {"explanations": answer.attributions, **_head(answer, "attributions")}

    verb("predict", predict)
    verb("explain", explain)


def _head(answer: Any, rows: str) -> dict[str, Any]:
    """What an answer says beside its rows."""
    return {name: getattr(answer, name) for name in answer.__struct_fields__ if name != rows}
