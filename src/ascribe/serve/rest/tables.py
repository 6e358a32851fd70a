"""Tables at the HTTP door: Arrow streams, CSV and Parquet in, and any of them, JSON or sentences out, as `Accept` says.
How to answer a table is in the query string; so is the `language` of sentences.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response

from ascribe.core.answer import Answer
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.sentences import LANGUAGES, say
from ascribe.serve import arrow, codec, sheets
from ascribe.serve.access.callers import current
from ascribe.serve.answered_rows import answer_of
from ascribe.serve.aside import ROW_BYTES, aside
from ascribe.serve.messages import AttributionAsked, AttributionResponse, PredictionAsked
from ascribe.serve.observe.log import Entry
from ascribe.serve.oip import inference as oip
from ascribe.serve.rest.desk import JSON, Desk, media_of
from ascribe.serve.room import Room
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings

__all__ = ["ATTRIBUTIONS", "MEDIA", "SHEETS", "in_media", "predictions", "reader", "table_routes"]

WORDS = "text/plain"
SHEETS = (sheets.CSV, sheets.PARQUET)
MEDIA = (JSON, arrow.MEDIA)
ATTRIBUTIONS = (*MEDIA, *SHEETS)
WHO = ("model", "version", "request_id")
LEFT_OUT = "X-Ascribe-Left-Out"  # names of columns, percent-encoded, with commas
TOLD = 20  # such names

Ask = Callable[[Entry, bytes], Awaitable[Any]]


def table_routes(app: FastAPI, desk: Desk, room: Room, settings: Settings) -> None:
    """POST /v1/rows: what a file holds, as rows that a JSON request can send."""

    @app.post("/v1/rows")
    async def rows(request: Request) -> Response:
        async def call(entry: Entry, body: bytes) -> Any:
            room.admit(0, current())  # before anything is read
            read = sheets.READERS[media_of(request)]
            sheet = await aside(len(body), lambda: read(body, settings.max_rows))
            table = sheet.table
            entry.asked(table.num_rows, None, None)
            room.admit(table.num_rows, current())
            size = table.num_rows * table.num_columns * sheets.NUMBER_BYTES
            listed = await aside(size, lambda: sheets.listed_rows(sheet, settings.max_body_bytes))
            return {"columns": table.column_names, "rows": listed, "left_out": list(sheet.left_out)}

        return await desk.posted(request, "rows", call, SHEETS)


def reader(request: Request, room: Room, settings: Settings) -> Ask | None:
    """What explains a request whose body is a table; None for another."""
    media = media_of(request)
    if media not in (arrow.MEDIA, *SHEETS):
        return None

    async def call(entry: Entry, body: bytes) -> Any:
        who, wish = _asked(request, entry)
        left: tuple[str, ...] = ()
        if media == arrow.MEDIA:
            asked = await aside(len(body), lambda: arrow.read(body, settings.max_rows))
            rows = asked.rows
        else:
            names = [feature.name for feature in _features(room, who.get("model"))]
            sheet = await aside(len(body), lambda: sheets.READERS[media](body, settings.max_rows, names))
            rows, left = sheets.rows_of(sheet), sheet.left_out
        entry.asked(len(rows), who.get("model"), who.get("version"))
        wanted = AttributionAsked(**who, **wish.fields, priority=wish.priority)
        told = await room.attribute(wanted, rows, current(), wish.within_s())
        out = _wanted(request, media)
        if media == out == arrow.MEDIA:
            raw = await aside(len(body), lambda: arrow.write(told, asked))
            return Response(raw, media_type=arrow.MEDIA)
        found = await _written(request, room, told, rows, out)
        if left:
            found.headers[LEFT_OUT] = ",".join(quote(name[:100], safe="") for name in left[:TOLD])
        return found

    return call


def in_media(request: Request, room: Room, ask: Callable[[Entry, bytes], Awaitable[Any]]) -> Ask:
    """An `ask` of JSON whose answer may be wanted as a table: it gives a response and its rows."""
    out = _wanted(request, JSON)

    async def call(entry: Entry, body: bytes) -> Any:
        told, rows = await ask(entry, body)
        return told if out == JSON else await _written(request, room, told, rows, out)

    return call


def predictions(request: Request, room: Room, settings: Settings) -> Ask | None:
    """What predicts a request whose body is an Arrow stream, as one; None for another."""
    if media_of(request) != arrow.MEDIA:
        return None

    async def call(entry: Entry, body: bytes) -> Response:
        who, wish = _asked(request, entry)
        asked = await aside(len(body), lambda: arrow.read(body, settings.max_rows))
        entry.asked(len(asked.rows), who.get("model"), who.get("version"))
        fields = {name: wish.fields[name] for name in ("output", "space") if name in wish.fields}
        less = PredictionAsked(**who, **fields, priority=wish.priority)
        predicted = await room.predict(less, asked.rows, current(), wish.within_s())
        raw = await aside(len(body), lambda: arrow.write(predicted, asked))
        return Response(raw, media_type=arrow.MEDIA)

    return call


async def _written(
    request: Request, room: Room, told: AttributionResponse, rows: Sequence[Row], media: str
) -> Response:
    """A response in a media type; tables alone can be tables. Raises InputError."""
    size = len(rows) * ROW_BYTES
    if media == JSON:
        return Response(await aside(size, lambda: codec.encode(told)), media_type=JSON)
    if told.layout != "table":
        raise InputError(f"{media} holds tables, this model reads {told.layout}s: ask for {JSON}")
    if media == arrow.MEDIA:
        held = arrow.Rows(list(rows), any(r.id for r in rows), any(r.measured_w is not None for r in rows))
        return Response(await aside(size, lambda: arrow.write(told, held)), media_type=media)
    features = _features(room, told.model)
    if media == WORDS:
        text = await aside(size, lambda: _said(answer_of(told, rows, features), _language(request)))
        return Response(text, media_type=f"{WORDS}; charset=utf-8")
    more = {}
    if any(row.measured_w is not None for row in told.attributions):
        more = {name: [getattr(row, name) for row in told.attributions] for name in ("measured_w", "unexplained_w")}
    call = functools.partial(sheets.written, answer_of(told, rows, features), media, more)
    return Response(await aside(size, call), media_type=media)


def _asked(request: Request, entry: Entry) -> tuple[dict[str, Any], oip.Wish]:
    """Who is asked, and how, of the query string. Raises InputError."""
    said = {name: text for name, text in request.query_params.items() if name != "language"}
    who: dict[str, Any] = {name: said.pop(name) for name in WHO if name in said}
    who["request_id"] = entry.request_id = codec.own_id(who.get("request_id"), entry.request_id)
    entry.asked(0, who.get("model"), who.get("version"))
    return who, oip.understood(said)


def _said(answer: Answer, language: str) -> bytes:
    """A line for each row."""
    return "".join(say(answer, row, language) + "\n" for row in range(len(answer.attribution))).encode()


def _language(request: Request) -> str:
    """Of the query string, else of the header; English where neither names one that is spoken here."""
    if given := request.query_params.get("language"):
        return given
    first = request.headers.get("accept-language", "").lower().partition(",")[0]
    return next((name for name in LANGUAGES if first.startswith(name)), "en")


def _features(room: Room, model: str | None) -> list[Feature]:
    return [Feature.from_json(held) for held in room.card(model or None).features]


def _wanted(request: Request, usual: str) -> str:
    """The first media type of `Accept` that is one of ours; the usual one where it names none."""
    for part in request.headers.get("accept", "").split(","):
        name = part.partition(";")[0].strip().lower()
        if name in (*ATTRIBUTIONS, WORDS):
            return name
    return usual
