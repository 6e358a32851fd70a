"""The HTTP door described: GET /openapi.json, and /docs, a page that needs nothing from elsewhere.

Every route of the app is in the document; those without a row in `OPERATIONS` are listed with their faults alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from ascribe.core.errors import AscribeError
from ascribe.serve import arrow, sheets
from ascribe.serve.cards.served import ModelCard
from ascribe.serve.faults import FAULTS
from ascribe.serve.oip import inference as oip
from ascribe.serve.rest.desk import Desk
from ascribe.serve.rest.oip import BINARY, LENGTH
from ascribe.serve.rest.schemas import Schema, array, either, reference, schemas
from ascribe.serve.room import Room

__all__ = ["OPERATIONS", "Operation", "document", "document_routes"]

JSON = "application/json"
LINES, EVENTS = "application/x-ndjson", "text/event-stream"
PAGE = Path(__file__).parents[1] / "page" / "docs.html"
CALM = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'"}  # fmt: skip
ANY = {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class Operation:
    """One verb of one path. `asks`, `answers`: names of schemas; `also`: media types beside JSON, both ways; `query`:
    names in the query string, texts all; `accepted`: the schema of 202, where there is more to come;
    `lines`: JSON lines both ways, as ChunkBody and ChunkAnswer; `events`: server-sent ones; `sheets`: a file of a table
    is sent.
    """

    summary: str
    answers: str = ""
    asks: str = ""
    also: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    accepted: str = ""
    lines: bool = False
    events: bool = False
    many: bool = False
    empty: bool = False
    sheets: bool = False


HOW = ("model", "version", "request_id", *(name for name in oip.KNOWN if name != "binary_data_output"))
WHICH = ("model", "output")
_METADATA = Operation("Tensors of a model; names, units and tiers in `properties`", "Metadata")
_READY = Operation("Whether a model can be asked", "Ready")
_STATS = Operation("Counts and nanoseconds since the start, of all processes", "Statistics")
_INFER = Operation("Tensors in, the asked outputs out", "InferResponse", "InferBody", (BINARY,))
_SERVER = Operation("Name, version and extensions", "Server")
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/v1/attributions"): Operation(
        "How much of each prediction every feature accounts for", "AttributionResponse", "AttributionBody",
        (arrow.MEDIA, sheets.CSV, sheets.PARQUET), HOW,
    ),
    ("POST", "/v1/rows"): Operation("What a CSV or Parquet file holds, as rows of JSON", "Sheet", sheets=True),
    ("POST", "/v1/predictions"): Operation(
        "Predictions alone, or explained later", "PredictionResponse", "PredictionBody", (arrow.MEDIA,),
        (*HOW, "explain"),
    ),
    ("POST", "/v1/forecasts"): Operation("Curves of series with bounds, explained", "ForecastResponse", "ForecastBody"),
    ("GET", "/v1/series"): Operation("Series that a forecast can be asked of by name", "SeriesNames"),
    ("GET", "/v1/series/{name}"): Operation("The newest steps of a series", "SeriesCard"),
    ("POST", "/v1/energy"): Operation("Energy and proposal of hidden features", "EnergyResponse", "EnergyBody"),
    ("GET", "/v1/attributions/{name}"): Operation(
        "An attribution that a prediction promised", "LaterAttribution", query=("wait_s",), accepted="LaterAttribution"
    ),
    ("POST", "/v1/attributions:stream"): Operation("A line for each chunk of rows, answered as they come", lines=True),
    ("POST", "/v1/jobs"): Operation("Explain many rows, later", asks="JobBody", accepted="JobCard"),
    ("GET", "/v1/jobs/{job}"): Operation("How a job stands", "JobCard"),
    ("DELETE", "/v1/jobs/{job}"): Operation("Cancel a job", "JobCard"),
    ("GET", "/v1/jobs/{job}/result"): Operation(
        "A page of a job's answer", "AttributionResponse", query=("offset", "limit"), accepted="JobCard"
    ),
    ("GET", "/v1/models/{model}/explainers"): Operation("What a model can be asked", "ExplainersCard"),
    ("GET", "/v1/models"): Operation("Models that are served", "Models"),
    ("GET", "/v1/models/{model}"): Operation("What a model wants and offers", "ModelCard"),
    ("POST", "/v1/models/{model}:predict"): Operation("A prediction for each instance", "Predictions", "InstancesBody"),
    ("POST", "/v1/models/{model}:explain"): Operation(
        "An explanation for each instance", "Explanations", "InstancesBody"
    ),
    ("GET", "/v1/nodes"): Operation("Nodes that the lake has heard of", "Nodes"),
    ("GET", "/v1/now"): Operation("Every node's newest moment, and what draws its watts", "Now", query=WHICH),
    ("GET", "/v1/nodes/{node}/history"): Operation(
        "A node's moments, or means of them", "History", query=("from", "to", "points", "features", *WHICH)
    ),
    ("GET", "/v1/nodes/{node}/moment"): Operation(
        "All of one moment, and a sentence", "Moment", query=("at", "language", *WHICH)
    ),
    ("GET", "/v1/nodes/{node}/energy"): Operation("kWh by group of counters", "Energy", query=("from", "to", *WHICH)),
    ("GET", "/v1/nodes/{node}/change"): Operation(
        "What changed between two moments", "Change", query=("from", "to", "language", *WHICH)
    ),
    ("GET", "/v1/events"): Operation("Moments, status and versions as they come", query=("kinds", "last"), events=True),
    ("GET", "/v1/nodes/{node}"): Operation("The latest vector of a node", "NodeCard"),
    ("GET", "/v1/nodes/{node}/attribution"): Operation(
        "Watts of each counter in a node's latest vector", "AttributionResponse",
        query=("model", "version", "tier", "output"),
    ),
    ("GET", "/v1/status"): Operation("How ingest, pipeline and drift stand", "Anything"),
    ("GET", "/v1/caller"): Operation("Who asks, what it may do, and the limits of a request", "CallerCard"),
    ("GET", "/v1/models/{model}/versions"): Operation(
        "Versions with lineage, metrics and verdicts; channels with their history", "VersionsCard", query=("limit",)
    ),
    ("GET", "/v1/models/{model}/drift"): Operation("The last look at drift, column by column", "DriftAnswer"),
    ("GET", "/v1/runs"): Operation("Runs of the pipeline with their stages", "Runs", query=("model", "limit")),
    ("GET", "/v1/quarantine"): Operation("The newest rows that readers turned away", "BadRows", query=("limit",)),
    ("POST", "/v1/admin/models/{model}/promote"): Operation(
        "Let the gate judge a version and move the channel to it; needs a token", "PromotionCard", "PromotionBody",
        accepted="PromotionCard",
    ),
    ("POST", "/v1/admin/models/{model}/{verb}"): Operation(
        "Refresh or rollback; needs a token", "RolloutAnswer", empty=True
    ),
    ("GET", "/v2"): _SERVER,
    ("GET", "/v2/"): _SERVER,
    ("GET", "/v2/health/live"): Operation("Whether the server answers", "Health"),
    ("GET", "/v2/health/ready"): Operation("Whether it can be asked", "Health"),
    ("GET", "/v2/models"): Operation("Models that are served", "Models"),
    ("GET", "/v2/models/stats"): _STATS,
    ("GET", "/v2/models/{model}/stats"): _STATS,
    ("GET", "/v2/models/{model}/versions/{version}/stats"): _STATS,
    ("GET", "/v2/models/{model}"): _METADATA,
    ("GET", "/v2/models/{model}/versions/{version}"): _METADATA,
    ("GET", "/v2/models/{model}/ready"): _READY,
    ("GET", "/v2/models/{model}/versions/{version}/ready"): _READY,
    ("POST", "/v2/models/{model}/infer"): _INFER,
    ("POST", "/v2/models/{model}/versions/{version}/infer"): _INFER,
    ("POST", "/v2/repository/index"): Operation("Models and versions", "Index", "IndexAsked", many=True, empty=True),
    ("GET", "/openapi.json"): Operation("This document", "Anything"),
}  # fmt: skip


def document(app: FastAPI, card: ModelCard | None = None) -> dict[str, Any]:
    """OpenAPI 3.1 of an app's routes; `card`: of a served model, for an example that can be sent."""
    paths: dict[str, dict[str, Any]] = {}
    for verb, path in _routes(app):
        paths.setdefault(path, {})[verb.lower()] = _operation(verb, path, OPERATIONS.get((verb, path)), card)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": app.title,
            "version": app.version,
            "description": "How much of a prediction each input is responsible for.",
        },
        "paths": paths,
        "components": {"schemas": schemas()},
    }


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Verb and path of each route, path parameters as OpenAPI writes them."""
    for route in app.routes:
        for verb in sorted(getattr(route, "methods", None) or ()):
            if verb not in ("HEAD", "OPTIONS"):
                yield verb, re.sub(r":\w+\}", "}", str(getattr(route, "path", "")))


def _operation(verb: str, path: str, known: Operation | None, card: ModelCard | None) -> dict[str, Any]:
    words = known or Operation(f"{verb} {path}")
    served = {"model": card.name, "version": card.version} if card else {}
    parameters = [_parameter(name, "path", True, served.get(name)) for name in re.findall(r"\{(\w+)\}", path)]
    parameters += [_parameter(name, "query", False) for name in words.query]
    if BINARY in words.also:
        parameters.append(_parameter(LENGTH, "header", False))
    parameters.append(_parameter("X-Request-Id", "header", False))
    found: dict[str, Any] = {
        "summary": words.summary,
        "tags": [path.split("/")[1].partition(".")[0]],
        "operationId": re.sub(r"\W+", "_", f"{verb.lower()}{path}"),
        "parameters": parameters,
        "responses": _answers(words) | _faults(),
    }
    if words.asks:
        content: dict[str, Any] = {JSON: {"schema": reference(words.asks)}}
        if card is not None and (example := _example(words.asks, card)):
            content[JSON]["example"] = example
        content |= {media: {"schema": ANY} for media in words.also}
        found["requestBody"] = {"required": not words.empty, "content": content}
    if words.sheets:
        files = {media: {"schema": ANY} for media in (sheets.CSV, sheets.PARQUET)}
        found["requestBody"] = {"required": True, "content": files}
    if words.lines:
        found["requestBody"] = {"content": {LINES: {"schema": ANY}}}
    return found


def _parameter(name: str, where: str, required: bool, served: str | None = None) -> dict[str, Any]:
    """A text; `served`: one that leads somewhere."""
    text: Schema = {"type": "string"} | ({"minLength": 1} if where == "path" else {})
    schema = either({"type": "string", "enum": [served]}, text) if served else text
    return {"name": name, "in": where, "required": required, "schema": schema}


def _answers(words: Operation) -> dict[str, Any]:
    found = {} if words.accepted and not words.answers else {"200": _answer(words)}
    if words.accepted:
        content = {JSON: {"schema": reference(words.accepted)}}
        found["202"] = {"description": "There is more to come", "content": content}
    return found


def _answer(words: Operation) -> dict[str, Any]:
    if words.lines:
        return {"description": "Answered", "content": {LINES: {"schema": ANY}}}
    if words.events:
        return {"description": "A stream without end", "content": {EVENTS: {"schema": {"type": "string"}}}}
    if not words.answers:
        return {"description": "Answered"}
    schema: Schema = array(reference(words.answers)) if words.many else reference(words.answers)
    content: dict[str, Any] = {JSON: {"schema": schema}}
    content |= {media: {"schema": ANY} for media in words.also}
    return {"description": "Answered", "content": content}


def _faults() -> dict[str, Any]:
    """Each row of the error table but the caller's own leaving; the HTTP library answers what is no HTTP in text."""
    problem = {"application/problem+json": {"schema": reference("Problem")}}
    plain = {"text/plain": {"schema": {"type": "string"}}}
    return {
        str(fault.http): {"description": fault.title, "content": problem | (plain if fault.http == 400 else {})}
        for fault in sorted(FAULTS.values(), key=lambda fault: fault.http)
        if fault.http != 499
    }


def _example(asks: str, card: ModelCard) -> dict[str, Any] | None:
    """A body that this server answers: the middle of each feature's training range."""
    row = {str(f["name"]): _middle(f) for f in card.features}
    values = list(row.values())
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": values}
    bodies: dict[str, dict[str, Any]] = {
        "AttributionBody": {"model": card.name, "feature_vector": [{"values": row}]},
        "JobBody": {"model": card.name, "feature_vector": [{"values": row}]},
        "PredictionBody": {"model": card.name, "feature_vector": [{"values": row}]},
        "EnergyBody": {"model": card.name, "feature_vector": [{"values": row}], "observed": list(row)[:1]},
        "InferBody": {"inputs": [tensor], "outputs": [{"name": "prediction"}, {"name": "attribution"}]},
        "InstancesBody": {"instances": [values]},
    }
    return bodies.get(asks)


def _middle(feature: dict[str, Any]) -> float:
    for low, high in (("seen_low", "seen_high"), ("low", "high")):
        if feature.get(low) is not None and feature.get(high) is not None:
            return (float(feature[low]) + float(feature[high])) / 2
    return float(feature.get("low") or 0.0)


def document_routes(app: FastAPI, desk: Desk, room: Room) -> None:
    """The document and its page."""
    page = PAGE.read_bytes()

    def card() -> ModelCard | None:
        try:
            return room.card(room.names()[0])
        except (AscribeError, IndexError):  # still loading, or several by that name
            return None

    @app.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        return desk.got(request, lambda: document(app, card()))

    @app.get("/docs")
    async def docs(request: Request) -> Response:
        return Response(page, media_type="text/html", headers=CALM)
