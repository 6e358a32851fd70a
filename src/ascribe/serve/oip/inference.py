"""What both doors of the Open Inference Protocol mean: metadata, parameters, one inference; they only translate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Any

import msgspec

from ascribe.core.errors import InputError, NotFound
from ascribe.core.words import listed, quoted
from ascribe.serve.access.callers import current
from ascribe.serve.cards.served import ModelCard
from ascribe.serve.faults import UnavailableError
from ascribe.serve.messages import AttributionAsked, AttributionResponse, PredictionAsked, PredictionResponse
from ascribe.serve.oip.tensors import MATRIX, Tensor, answered, checked_outputs, explained, rows_of
from ascribe.serve.room import Room

__all__ = [
    "EXTENSIONS", "KNOWN", "NAME", "Asked", "Given", "Index", "Metadata", "Ready", "TensorCard", "Wish",
    "index", "infer", "metadata", "model", "ready", "understood",
]  # fmt: skip

NAME = "ascribe"
EXTENSIONS = ("attribution", "binary_tensor_data", "parameters", "schedule_policy", "statistics")
PLATFORM = "onnx_onnxv1"
MOST_US = 1 << 53  # of a timeout: beyond, a double is not exact
MOST_PRIORITY = (1 << 32) - 1

Scalar = str | int | float | bool
TEXTS = ("method", "estimator", "value", "tier", "output", "space")
WHOLE = ("budget", "samples", "seed", "priority", "timeout")
NUMBERS = ("target_stderr", "max_latency_ms")
FLAGS = ("allow_lower_tier", "binary_data_output")
KNOWN = (*TEXTS, *WHOLE, *NUMBERS, *FLAGS)
PASSED_OVER = ("headers", "content_type")  # what clients of other servers send along


class TensorCard(msgspec.Struct):
    """One tensor of a model's metadata; -1 in a shape: any number."""

    name: str
    datatype: str
    shape: list[int]


class Metadata(msgspec.Struct):
    """GET /v2/models/NAME. `properties`: texts, lists among them as JSON."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorCard]
    outputs: list[TensorCard]
    properties: dict[str, str]


class Index(msgspec.Struct):
    """One model of POST /v2/repository/index. `state`: READY or UNAVAILABLE."""

    name: str
    version: str
    state: str
    reason: str = ""


class Ready(msgspec.Struct):
    """GET /v2/models/NAME/ready."""

    name: str
    ready: bool


@dataclass(frozen=True)
class Asked:
    """One inference, as a door read it."""

    model: str
    version: str
    request_id: str
    parameters: Mapping[str, Scalar]
    tensors: Sequence[Tensor]
    outputs: Sequence[str]


@dataclass(frozen=True)
class Given:
    """Its answer. `method`: empty where only predictions were asked."""

    model: str
    version: str
    method: str
    rows: int
    parameters: dict[str, Scalar]
    tensors: list[Tensor]


def model(room: Room, name: str, version: str = "") -> ModelCard:
    """The card of the version that is served. Raises NotFound, UnavailableError."""
    card = room.card(name)
    if version and version != card.version:
        raise NotFound(f"no version {quoted(version)} of {card.name} here: this server serves {card.version}")
    return card


def ready(room: Room, name: str, version: str = "") -> Ready:
    """Raises NotFound; UnavailableError where it is not ready."""
    card = model(room, name, version)
    if not card.ready:
        raise UnavailableError(f"{card.name} is loading or draining: ask again")
    return Ready(card.name, True)


def metadata(card: ModelCard) -> Metadata:
    """Tensors of a model, with names, units and tiers as properties."""
    n = prod(card.shape) if card.layout != "table" else len(card.features)
    column, table = [-1, 1], [-1, n]
    shapes = {"prediction": column, "attribution": table, "base_value": column, "residual": column, "stderr": table}
    outputs = [TensorCard(name, "FP64", shape) for name, shape in shapes.items()]
    properties = {
        "feature_names": _listing([f["name"] for f in card.features]),
        "feature_units": _listing([f["unit"] for f in card.features]),
        "unit": card.unit,
        "output": card.output,
        "outputs": _listing([o.name for o in card.outputs]),
        "tiers": _listing(list(card.tiers)),
        "explainers": _listing(card.explainers),
        "sha256": card.sha256,
    }
    return Metadata(
        card.name, [card.version], PLATFORM, [TensorCard(MATRIX, "FP64", table)],
        [*outputs, TensorCard("status", "BYTES", column)], properties,
    )  # fmt: skip


def _listing(texts: list[str]) -> str:
    return msgspec.json.encode(texts).decode()


def index(room: Room, ready_only: bool = False) -> list[Index]:
    """What is served. Raises UnavailableError before anything is."""
    good = room.ready()
    if ready_only and not good:
        return []
    state, why = ("READY", "") if good else ("UNAVAILABLE", "draining")
    return [Index(card.name, card.version, state, why) for card in room.cards()]


@dataclass(frozen=True)
class Wish:
    """Parameters, read: fields of the question, microseconds that it may take (0: no limit), and its priority."""

    fields: dict[str, Any] = field(default_factory=dict)
    timeout_us: int = 0
    priority: int = 0

    def within_s(self, left_s: float | None = None) -> float | None:
        """Seconds that may be taken, where the door has a limit of its own; None: no limit."""
        return min((s for s in (left_s, self.timeout_us / 1e6) if s), default=None)


def understood(parameters: Mapping[str, Scalar]) -> Wish:
    """The flat parameters of a request; whole numbers and numbers may come as text. Raises InputError."""
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        if name in TEXTS:
            found[name] = _text(name, value)
        elif name in WHOLE:
            found[name] = _whole(name, value)
        elif name in NUMBERS:
            found[name] = _number(name, value)
        elif name in FLAGS:
            found[name] = _flag(name, value)
        elif name not in PASSED_OVER:
            raise InputError(f"unknown parameter {quoted(name)}: use {listed(KNOWN)}")
    found.pop("binary_data_output", None)  # the door's business
    timeout, priority = found.pop("timeout", 0), found.pop("priority", 0)
    if not 0 <= timeout <= MOST_US:
        raise InputError("parameter timeout is a number of microseconds, 0 to 2^53")
    if not 0 <= priority <= MOST_PRIORITY:
        raise InputError("parameter priority is 0 (as usual), or 1 (first) and up")
    return Wish(found, timeout, priority)


def _text(name: str, value: Scalar) -> str:
    if not isinstance(value, str):
        raise InputError(f"parameter {name} is a text")
    return value


def _flag(name: str, value: Scalar) -> bool:
    if not isinstance(value, bool) and value not in ("true", "false"):
        raise InputError(f"parameter {name} is true or false")
    return value in (True, "true")


def _whole(name: str, value: Scalar) -> int:
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.lstrip("-").isdigit():
        value = int(value.lstrip("-")) * (-1 if value.startswith("-") else 1)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63:
        raise InputError(f"parameter {name} is a whole number")
    return value


def _number(name: str, value: Scalar) -> float:
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number):
        raise InputError(f"parameter {name} is a finite number")
    return number


async def infer(room: Room, asked: Asked, max_rows: int, left_s: float | None = None) -> Given:
    """Only what the outputs need is computed. `left_s`: seconds of the door's own deadline. Raises as
    `Service.attribute`; DeadlineError past the asked timeout.
    """
    names, wish = checked_outputs(asked.outputs), understood(asked.parameters)
    rows = rows_of(asked.tensors, max_rows)
    who: dict[str, Any] = {
        "model": asked.model, "version": asked.version, "request_id": asked.request_id, "priority": wish.priority
    }  # fmt: skip
    answer: AttributionResponse | PredictionResponse
    if explained(names):
        answer = await room.attribute(AttributionAsked(**who, **wish.fields), rows, current(), wish.within_s(left_s))
    else:
        asked_less = PredictionAsked(**who, output=wish.fields.get("output"), space=wish.fields.get("space"))
        answer = await room.predict(asked_less, rows, current(), wish.within_s(left_s))
    said: dict[str, Scalar] = {"unit": answer.unit, "output": answer.output, "sha256": answer.sha256}
    method = ""
    if isinstance(answer, AttributionResponse):
        method = answer.method
        own = ("method", "game", "value", "estimator", "tier", "budget", "samples", "seed", "efficiency_gap")
        words = {name: getattr(answer, name) for name in own} | answer.gaps
        said |= {
            name: word
            for name, word in words.items()
            if word is not None and (not isinstance(word, float) or isfinite(word))
        }
    return Given(answer.model, answer.version, method, len(rows), said, answered(names, answer))
