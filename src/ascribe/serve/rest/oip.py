"""The Open Inference Protocol over HTTP, and KServe's first protocol: routes beside those of the HTTP door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import InputError
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.aside import ROW_BYTES, aside
from ascribe.serve.observe.log import Entry
from ascribe.serve.observe.snapshots import Snapshot
from ascribe.serve.oip import inference as oip
from ascribe.serve.oip import statistics
from ascribe.serve.oip.tensors import OUTPUTS, Tensor, from_json, from_raw, raw
from ascribe.serve.rest.desk import JSON, Desk
from ascribe.serve.rest.kserve import kserve_routes
from ascribe.serve.room import Room
from ascribe.serve.settings import Settings

__all__ = ["BINARY", "LENGTH", "IndexAsked", "InferBody", "decoded", "encoded", "oip_routes"]

BINARY = "application/octet-stream"
LENGTH = "Inference-Header-Content-Length"
DIGITS = 12  # of that header
HINT = f"send the length of the JSON part as {LENGTH}"


class InferInput(msgspec.Struct, forbid_unknown_fields=True):
    """One tensor. `data`: JSON, flat or nested; or `binary_data_size` among the parameters."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    parameters: dict[str, oip.Scalar] | None = None


class InferOutput(msgspec.Struct, forbid_unknown_fields=True):
    """One output that is asked for."""

    name: str
    parameters: dict[str, oip.Scalar] | None = None


class InferBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /v2/models/NAME/infer."""

    inputs: list[InferInput]
    id: str | None = None
    parameters: dict[str, oip.Scalar] | None = None
    outputs: list[InferOutput] | None = None


class IndexAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /v2/repository/index."""

    ready: bool = False


_body = msgspec.json.Decoder(InferBody)
_index = msgspec.json.Decoder(IndexAsked)


def decoded(body: bytes, header: str | None) -> tuple[InferBody, list[Tensor]]:
    """A body and its tensors; `header`: how much of it is JSON, where tensors follow. Raises InputError."""
    cut = _length(header, len(body))
    try:
        asked = _body.decode(body[:cut])
    except UNREADABLE as exc:
        raise codec.unreadable(exc) from exc
    rest, tensors = memoryview(body)[cut:], []
    for given in asked.inputs:
        size, data = (given.parameters or {}).get("binary_data_size"), bytes(given.data)
        if any(name.startswith("shared_memory") for name in given.parameters or ()):
            raise InputError("this server reads no shared memory: send the data")
        if size is None:
            if not data:
                raise InputError(f"tensor {quoted(given.name)} has no data: send data, or binary_data_size")
            tensors.append(from_json(given.name, given.datatype, given.shape, data))
            continue
        if header is None:
            raise InputError(f"binary_data_size without its header: {HINT}")
        if data:
            raise InputError(f"tensor {quoted(given.name)} has data and binary_data_size: send one of them")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(rest):
            raise InputError(f"tensor {quoted(given.name)}: binary_data_size is not within the {len(rest)} bytes left")
        tensors.append(from_raw(given.name, given.datatype, given.shape, rest[:size]))
        rest = rest[size:]
    if len(rest):
        raise InputError(f"{len(rest)} bytes after the last tensor: binary_data_size says how many each has")
    return asked, tensors


def _length(header: str | None, size: int) -> int:
    if header is None:
        return size
    if not (header.isascii() and header.isdigit() and len(header) <= DIGITS and 0 < int(header) <= size):
        raise InputError(f"{LENGTH} is a number from 1 to the body's {size} bytes; bodies without JSON are not read")
    return int(header)


def encoded(given: oip.Given, request_id: str, binary: Sequence[str]) -> tuple[bytes, int | None]:
    """The body, and how much of it is JSON where tensors follow: those named in `binary`."""
    outputs, tail = [], []
    for tensor in given.tensors:
        words: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if tensor.name in binary:
            tail.append(raw(tensor))
            words["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            words["data"] = tensor.data if isinstance(tensor.data, list) else tensor.data.ravel().tolist()
        outputs.append(words)
    head = codec.encode(
        {
            "model_name": given.model,
            "model_version": given.version,
            "id": request_id,
            "parameters": given.parameters,
            "outputs": outputs,
        }
    )
    return (b"".join([head, *tail]), len(head)) if tail else (head, None)


def _binary(asked: InferBody) -> list[str]:
    """Names of outputs that are wanted as bytes. Raises InputError for other wishes."""
    all_of_them = (asked.parameters or {}).get("binary_data_output") in (True, "true")
    if not asked.outputs:
        return list(OUTPUTS) if all_of_them else []
    names = []
    for output in asked.outputs:
        for name, value in (output.parameters or {}).items():
            if name != "binary_data" or not isinstance(value, bool):
                raise InputError(f"output {quoted(output.name)}: its only parameter is binary_data, true or false")
        if (output.parameters or {}).get("binary_data", all_of_them):
            names.append(output.name)
    return names


def oip_routes(app: FastAPI, desk: Desk, room: Room, settings: Settings, counted: Callable[[], Snapshot]) -> None:
    """The protocol's second version, and KServe's first one."""

    @app.get("/v2")
    @app.get("/v2/")
    async def server(request: Request) -> Response:
        return desk.got(request, lambda: {"name": oip.NAME, "version": app.version, "extensions": [*oip.EXTENSIONS]})

    @app.get("/v2/models")
    async def models(request: Request) -> Response:
        return desk.got(request, lambda: {"models": room.names()})

    @app.get("/v2/models/stats")
    @app.get("/v2/models/{model}/stats")
    @app.get("/v2/models/{model}/versions/{version}/stats")
    async def stats(request: Request, model: str = "") -> Response:
        async def ask(entry: Entry) -> statistics.Statistics:
            return await statistics.statistics(room, counted, model, _path(request))

        return await desk.answered(request, "statistics", ask)

    @app.get("/v2/models/{model}")
    @app.get("/v2/models/{model}/versions/{version}")
    async def metadata(request: Request, model: str) -> Response:
        return desk.got(request, lambda: oip.metadata(oip.model(room, model, _path(request))))

    @app.get("/v2/models/{model}/ready")
    @app.get("/v2/models/{model}/versions/{version}/ready")
    async def ready(request: Request, model: str) -> Response:
        return desk.got(request, lambda: oip.ready(room, model, _path(request)))

    @app.post("/v2/models/{model}/infer")
    @app.post("/v2/models/{model}/versions/{version}/infer")
    async def infer(request: Request, model: str) -> Response:
        header = request.headers.get(LENGTH)

        async def call(entry: Entry, body: bytes) -> Response:
            version = _path(request)
            entry.asked(0, model, version)
            asked, tensors = await aside(len(body), lambda: decoded(body, header))
            entry.request_id = codec.own_id(asked.id, entry.request_id, "id")
            binary = _binary(asked)
            wanted = [output.name for output in asked.outputs or ()]
            question = oip.Asked(model, version, entry.request_id, asked.parameters or {}, tensors, wanted)
            given = await oip.infer(room, question, settings.max_rows)
            raw_body, length = await aside(given.rows * ROW_BYTES, lambda: encoded(given, entry.request_id, binary))
            if length is None:
                return Response(raw_body, media_type=JSON)
            return Response(raw_body, media_type=BINARY, headers={LENGTH: str(length)})

        return await desk.posted(request, "infer", call, (JSON, BINARY))

    @app.post("/v2/repository/index")
    async def index(request: Request) -> Response:
        async def call(entry: Entry, body: bytes) -> Any:
            try:
                asked = _index.decode(body) if body else IndexAsked()
            except UNREADABLE as exc:
                raise codec.unreadable(exc, 'send {} or {"ready": true}') from exc
            return oip.index(room, asked.ready)

        return await desk.posted(request, "index", call)

    kserve_routes(app, desk, room, settings)


def _path(request: Request) -> str:
    """The version in the path, or empty."""
    return str(request.path_params.get("version", ""))
