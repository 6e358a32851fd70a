"""The precisions: a name, a function from the prepared graph, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from ascribe.train.quantize.aware import aware
from ascribe.train.quantize.dynamic import dynamic
from ascribe.train.quantize.half import half
from ascribe.train.quantize.layers import as_rounded
from ascribe.train.quantize.mixed import mixed
from ascribe.train.quantize.static import ranges, static
from ascribe.train.settings import computing

__all__ = ["PRECISIONS", "Asked", "Made"]

Step = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Asked:
    """The prepared graph, calibration rows `X (rows, n)` and what the caller chose."""

    model: onnx.ModelProto
    X: np.ndarray
    ranges: str
    bits: int
    bound: float
    seed: int
    step: Step


@dataclass(frozen=True, eq=False)
class Made:
    """`graph`: rounded; `straight`: the float graph with the same weights, for slopes that go straight through."""

    graph: onnx.ModelProto
    straight: onnx.ModelProto
    told: dict[str, Any] = field(default_factory=dict)


def _half(asked: Asked) -> Made:
    return Made(half(asked.model), as_rounded(asked.model, (), None))


def _dynamic(asked: Asked) -> Made:
    return Made(dynamic(asked.model, asked.bits), as_rounded(asked.model, (), asked.bits), {"weight_bits": asked.bits})


def _static(asked: Asked) -> Made:
    seen = ranges(asked.model, asked.X, asked.ranges)
    told = {"weight_bits": asked.bits, "ranges": asked.ranges}
    return Made(static(asked.model, seen, asked.bits), as_rounded(asked.model, (), asked.bits), told)


def _mixed(asked: Asked) -> Made:
    seen = ranges(asked.model, asked.X, asked.ranges)
    graph, kept, alone = mixed(asked.model, seen, asked.bits, asked.X, asked.bound, asked.step)
    told = {
        "weight_bits": asked.bits, "ranges": asked.ranges, "bound": asked.bound, "float32_layers": kept,
        "sensitivity": alone,
    }  # fmt: skip
    return Made(graph, as_rounded(asked.model, kept, asked.bits), told)


def _aware(asked: Asked) -> Made:
    with computing():
        fitted, seen = aware(asked.model, asked.X, asked.bits, asked.seed, asked.step)
    told = {"weight_bits": asked.bits, "seed": asked.seed}
    return Made(static(fitted, seen, asked.bits), as_rounded(fitted, (), asked.bits), told)


PRECISIONS: dict[str, Callable[[Asked], Made]] = {
    "fp16": _half, "int8-dynamic": _dynamic, "int8-static": _static, "mixed": _mixed, "qat": _aware,
}  # fmt: skip
