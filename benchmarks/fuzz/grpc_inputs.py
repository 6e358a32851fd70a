"""gRPC calls: messages that are whole and hold hostile values, and bytes that are no message, on every verb."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire import open_inference_pb2 as oip
from benchmarks.fuzz.values import NUMBERS, TEXTS, damaged

__all__ = ["FAMILIES", "Called"]

VERBS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for held in (pb, oip, health_pb2, reflection_pb2)
    for service in held.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
ROW = pb.FeatureVector(id="a", names=["busy", "ghz", "misses"], values=[0.5, 4.0, 20.0])
ASKED = pb.AttributionRequest(feature_vector=[ROW], model="m", budget=8, samples=4, seed=1)
TENSOR = oip.ModelInferRequest.InferInputTensor(
    name="x", datatype="FP64", shape=[1, 3], contents=oip.InferTensorContents(fp64_contents=[0.5, 4.0, 20.0])
)
GOOD: dict[str, Message] = {  # by the name of the request's type
    "AttributionRequest": ASKED,
    "PredictionRequest": pb.PredictionRequest(feature_vector=[ROW], model="m"),
    "EnergyRequest": pb.EnergyRequest(feature_vector=[ROW], observed=[pb.Names(names=["busy"])]),
    "AttributionChunk": pb.AttributionChunk(index=3, request=ASKED),
    "AttributionByIdRequest": pb.AttributionByIdRequest(attribution_id="0" * 11 + "-" + "0" * 32),
    "AttributionJobRequest": pb.AttributionJobRequest(id="0" * 32),
    "AttributionJobResultRequest": pb.AttributionJobResultRequest(id="0" * 32, offset=-1, limit=-1),
    "ModelInferRequest": oip.ModelInferRequest(model_name="m", inputs=[TENSOR]),
    "ModelReadyRequest": oip.ModelReadyRequest(name="m"),
    "ModelMetadataRequest": oip.ModelMetadataRequest(name="m"),
    "HealthCheckRequest": health_pb2.HealthCheckRequest(service=""),
    "ServerReflectionRequest": reflection_pb2.ServerReflectionRequest(list_services=""),
}
BOMB = b"\xa2\x06\x80\x80\x80\x02" + bytes(4 << 20)  # a field 100 of 4 MiB, which gzip makes small
BUSY = ("GetAttribution", "GetPrediction", "GetEnergy", "ModelInfer", "StreamAttributions", "StartAttributionJob")


@dataclass(frozen=True)
class Called:
    """One call. `messages`: as bytes, one or (from a streaming caller) several; `take`: answers read before it is
    cancelled; `within_s`: its deadline; `packed`: sent as gzip.
    """

    verb: str
    messages: tuple[bytes, ...]
    asks_many: bool
    tells_many: bool
    take: int = 64
    within_s: float | None = None
    packed: bool = False


def hostile(rng: random.Random) -> Called:
    """Messages that can be read."""
    verb = _verb(rng)
    return _call(rng, verb, [_twisted(rng, VERBS[verb]).SerializeToString() for _ in range(rng.choice((1, 1, 2, 9)))])


def broken(rng: random.Random) -> Called:
    """Bytes that cannot, on verbs that exist or do not."""
    verb = _verb(rng)
    raw = _twisted(rng, VERBS[verb]).SerializeToString()
    parts = [
        rng.choice((damaged(rng, raw), damaged(rng, raw), rng.randbytes(rng.randrange(60)), b"\xff" * 9, _nested(rng)))
    ]
    parts += [raw] * rng.randrange(3)
    rng.shuffle(parts)
    if rng.random() < 0.05:
        return Called(
            rng.choice(("/attribution.v1.AttributionService/No", "/No/No", "/")), tuple(parts[:1]), False, False
        )
    return _call(rng, verb, parts)


def _verb(rng: random.Random) -> str:
    """The busy ones more often."""
    names = list(VERBS)
    return rng.choice([name for name in names if name.endswith(BUSY)] if rng.random() < 0.6 else names)


def _call(rng: random.Random, verb: str, parts: list[bytes]) -> Called:
    method = VERBS[verb]
    if not method.client_streaming:
        parts = parts[:1]
    take = 1 if verb.endswith("/Watch") else rng.choice((64, 64, 64, 1, 0))  # a watch never ends by itself
    within_s = rng.choice((0.0, 0.0005, 0.002)) if rng.random() < 0.03 else None
    if packed := rng.random() < 0.1:
        parts = [BOMB if rng.random() < 0.2 else part for part in parts]
    return Called(verb, tuple(parts), method.client_streaming, method.server_streaming, take, within_s, packed)


def _nested(rng: random.Random) -> bytes:
    """Groups in groups, or lengths that promise too much."""
    return rng.choice(
        (b"\x0b" * 5000, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\0", b"\x08")
    )


def _twisted(rng: random.Random, method: MethodDescriptor) -> Message:
    kind = method.input_type
    message = message_factory.GetMessageClass(kind)()
    if kind.name in GOOD:
        message.CopyFrom(GOOD[kind.name])
    for _ in range(rng.choice((1, 1, 2, 4))):
        if kind.fields:
            _twist(rng, message, rng.choice(kind.fields))
    return message


def _twist(rng: random.Random, message: Any, field: FieldDescriptor) -> None:
    """Another value of the field's own type."""
    if field.is_repeated:
        held = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            _twist_map(rng, held, field)
        elif field.message_type:
            if rng.random() < 0.7 and len(held):
                _twist(rng, rng.choice(held), rng.choice(field.message_type.fields))
            else:
                for _ in range(rng.choice((1, 2, 80))):
                    _twist(rng, held.add(), rng.choice(field.message_type.fields))
        else:
            n = rng.choice((0, 1, len(held), 3, 300))
            new = [_scalar(rng, field) for _ in range(n)]
            del held[:]
            held.extend(new)
    elif field.message_type:
        if rng.random() < 0.1:
            message.ClearField(field.name)
        else:
            inner = getattr(message, field.name)
            inner.SetInParent()
            _twist(rng, inner, rng.choice(field.message_type.fields)) if field.message_type.fields else None
    else:
        setattr(message, field.name, _scalar(rng, field))


def _twist_map(rng: random.Random, held: Any, field: FieldDescriptor) -> None:
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    for _ in range(rng.choice((1, 2, 60))):
        at = _scalar(rng, key)
        if value.message_type is None:
            held[at] = _scalar(rng, value)
        elif value.message_type.fields:
            _twist(rng, held[at], rng.choice(value.message_type.fields))


def _scalar(rng: random.Random, field: FieldDescriptor) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        text = rng.choice(TEXTS)
        return text if field.type == field.TYPE_STRING else rng.choice((text.encode(), rng.randbytes(24), b"\xff"))
    if kind == field.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        number = rng.choice((*NUMBERS, rng.uniform(0, 1)))
        return float(number) if abs(number) < 1e308 else float("inf")
    if kind == field.CPPTYPE_ENUM:
        return 0
    bits = 64 if kind in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else 32
    whole = [n for n in NUMBERS if isinstance(n, int)]
    if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
        return rng.choice([n for n in whole if 0 <= n < 1 << bits])
    return rng.choice([n for n in whole if -(1 << bits - 1) <= n < 1 << bits - 1])


FAMILIES: dict[str, tuple[int, Callable[[random.Random], Called]]] = {
    "grpc": (9, hostile),
    "protobuf": (8, broken),
}
