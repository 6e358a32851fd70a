"""The Open Inference Protocol over gRPC: `inference.GRPCInferenceService`. It translates and decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import TypeVar

import msgspec
from google.protobuf import json_format
from grpc.aio import ServicerContext as Context

from ascribe.core.errors import InputError
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.aside import ROW_BYTES, aside
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.observe.snapshots import Snapshot
from ascribe.serve.oip import inference as oip
from ascribe.serve.oip import statistics
from ascribe.serve.oip.tensors import DATATYPES, Tensor, from_raw, from_values, raw
from ascribe.serve.room import Room
from ascribe.serve.rpc.desk import Desk
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler
from ascribe.serve.wire import open_inference_pb2 as pb
from ascribe.serve.wire import open_inference_pb2_grpc as pb_grpc

__all__ = ["attach_oip"]

R = TypeVar("R")

FIELDS = {  # of `contents`, by datatype
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip


class _Door(pb_grpc.GRPCInferenceServiceServicer):
    """Messages to the service and back."""

    def __init__(self, room: Room, settings: Settings, log: Log, counted: Callable[[], Snapshot]) -> None:
        self._room, self._settings, self._desk, self._counted = room, settings, Desk(log), counted
        self._version = version("ascribe")

    async def ServerLive(self, request: pb.ServerLiveRequest, context: Context) -> pb.ServerLiveResponse:  # noqa: N802
        return pb.ServerLiveResponse(live=self._room.live())

    async def ServerReady(self, request: pb.ServerReadyRequest, context: Context) -> pb.ServerReadyResponse:  # noqa: N802
        return pb.ServerReadyResponse(ready=self._room.ready())

    async def ServerMetadata(  # noqa: N802
        self, request: pb.ServerMetadataRequest, context: Context
    ) -> pb.ServerMetadataResponse:
        return pb.ServerMetadataResponse(name=oip.NAME, version=self._version, extensions=oip.EXTENSIONS)

    async def ModelReady(self, request: pb.ModelReadyRequest, context: Context) -> pb.ModelReadyResponse:  # noqa: N802
        async def call(entry: Entry) -> pb.ModelReadyResponse:
            return pb.ModelReadyResponse(ready=oip.model(self._room, request.name, request.version).ready)

        return await self._answered("model ready", request.name, request.version, context, call)

    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Context
    ) -> pb.ModelMetadataResponse:
        async def call(entry: Entry) -> pb.ModelMetadataResponse:
            return _metadata(oip.metadata(oip.model(self._room, request.name, request.version)))

        return await self._answered("model metadata", request.name, request.version, context, call)

    async def RepositoryIndex(  # noqa: N802
        self, request: pb.RepositoryIndexRequest, context: Context
    ) -> pb.RepositoryIndexResponse:
        async def call(entry: Entry) -> pb.RepositoryIndexResponse:
            held = oip.index(self._room, request.ready)
            kind = pb.RepositoryIndexResponse.ModelIndex
            models = [kind(name=m.name, version=m.version, state=m.state, reason=m.reason) for m in held]
            return pb.RepositoryIndexResponse(models=models)

        return await self._answered("index", "", "", context, call)

    async def ModelStatistics(  # noqa: N802
        self, request: pb.ModelStatisticsRequest, context: Context
    ) -> pb.ModelStatisticsResponse:
        async def call(entry: Entry) -> pb.ModelStatisticsResponse:
            found = await statistics.statistics(self._room, self._counted, request.name, request.version)
            answer = pb.ModelStatisticsResponse()
            json_format.ParseDict(msgspec.to_builtins(found), answer)
            return answer

        return await self._answered("statistics", request.name, request.version, context, call)

    async def ModelInfer(self, request: pb.ModelInferRequest, context: Context) -> pb.ModelInferResponse:  # noqa: N802
        async def call(entry: Entry) -> pb.ModelInferResponse:
            entry.request_id = codec.own_id(request.id, entry.request_id, "id")
            size = request.ByteSize()
            asked = await aside(size, lambda: _asked(request, entry.request_id))
            given = await oip.infer(self._room, asked, self._settings.max_rows, entry.left_s)
            as_bytes = asked.parameters.get("binary_data_output", bool(request.raw_input_contents)) in (True, "true")
            return await aside(given.rows * ROW_BYTES, lambda: _given(given, entry.request_id, as_bytes))

        return await self._answered("infer", request.model_name, request.model_version, context, call)

    async def _answered(
        self, verb: str, model: str, version: str, context: Context, call: Callable[[Entry], Awaitable[R]]
    ) -> R:
        async def named(entry: Entry) -> R:
            entry.asked(0, model, version)
            return await call(entry)

        return await self._desk.answered(verb, context, named)


def _asked(request: pb.ModelInferRequest, request_id: str) -> oip.Asked:
    """Raises InputError for tensors, parameters or outputs that cannot be used."""
    names = []
    for output in request.outputs:
        if others := sorted(set(output.parameters) - {"binary_data"}):
            raise InputError(f"output {quoted(output.name)} has no parameter {quoted(others[0])}: leave it out")
        names.append(output.name)
    return oip.Asked(
        request.model_name, request.model_version, request_id, _parameters(request.parameters), _tensors(request), names
    )


def _parameters(given: Mapping[str, pb.InferParameter]) -> dict[str, oip.Scalar]:
    found: dict[str, oip.Scalar] = {}
    for name, parameter in given.items():
        kind = parameter.WhichOneof("parameter_choice")
        if kind is None:
            raise InputError(f"parameter {quoted(name)} has no value: set one, or leave it out")
        found[name] = getattr(parameter, kind)
    return found


def _tensors(request: pb.ModelInferRequest) -> list[Tensor]:
    """Typed or raw, never both in one message."""
    blocks = request.raw_input_contents
    if blocks and len(blocks) != len(request.inputs):
        raise InputError(f"{len(blocks)} raw_input_contents for {len(request.inputs)} inputs: one for each")
    tensors = []
    for k, given in enumerate(request.inputs):
        filled = [field.name for field, _ in given.contents.ListFields()]
        if any(name.startswith("shared_memory") for name in given.parameters):
            raise InputError("this server reads no shared memory: send the data")
        if blocks:
            if filled:
                raise InputError(
                    f"tensor {quoted(given.name)} has contents beside raw_input_contents: send one of them"
                )
            tensors.append(from_raw(given.name, given.datatype, list(given.shape), blocks[k]))
            continue
        if given.datatype == "FP16":
            raise InputError(f"tensor {quoted(given.name)} is FP16, which has no typed contents: send it raw, or FP32")
        wanted = FIELDS.get(given.datatype, "")
        if given.datatype in DATATYPES and filled not in ([], [wanted]):
            raise InputError(f"tensor {quoted(given.name)} is {given.datatype}: fill {wanted}, not {filled[0]}")
        values = getattr(given.contents, wanted) if wanted else []
        tensors.append(from_values(given.name, given.datatype, list(given.shape), values))
    return tensors


def _given(given: oip.Given, request_id: str, as_bytes: bool) -> pb.ModelInferResponse:
    answer = pb.ModelInferResponse(model_name=given.model, model_version=given.version, id=request_id)
    for name, word in given.parameters.items():
        _set(answer.parameters[name], word)
    for tensor in given.tensors:
        out = answer.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if as_bytes:
            answer.raw_output_contents.append(raw(tensor))
        elif isinstance(tensor.data, list):
            out.contents.bytes_contents.extend(text.encode() for text in tensor.data)
        else:
            out.contents.fp64_contents.extend(tensor.data.ravel().tolist())
    return answer


def _set(parameter: pb.InferParameter, word: oip.Scalar) -> None:
    if isinstance(word, bool):
        parameter.bool_param = word
    elif isinstance(word, int):
        parameter.int64_param = word
    elif isinstance(word, str):
        parameter.string_param = word
    else:
        parameter.double_param = word


def _metadata(held: oip.Metadata) -> pb.ModelMetadataResponse:
    kind = pb.ModelMetadataResponse.TensorMetadata
    inputs, outputs = (
        [kind(name=t.name, datatype=t.datatype, shape=t.shape) for t in cards] for cards in (held.inputs, held.outputs)
    )
    return pb.ModelMetadataResponse(
        name=held.name, versions=held.versions, platform=held.platform, inputs=inputs, outputs=outputs,
        properties=held.properties,
    )  # fmt: skip


def attach_oip(server: ByHandler, room: Room, settings: Settings, log: Log, counted: Callable[[], Snapshot]) -> None:
    """Register the service; health and reflection know its name already."""
    pb_grpc.add_GRPCInferenceServiceServicer_to_server(_Door(room, settings, log, counted), server)
