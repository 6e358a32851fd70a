"""ONNX operators as torch functions, for networks that are read from a file to be differentiated.

A function takes (attributes, inputs) and gives one value, or a tuple of them. Whole numbers of the graph (shapes, axes,
indices) are Python lists and single numbers Python numbers, not tensors, so that a trace sees sizes and not data:
`Shape` gives a list, and `Reshape` takes one. Meaning and attributes: the operator pages of ONNX, opset 13 to 20.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ascribe.core.errors import CapabilityError

__all__ = ["OPERATORS"]

Attributes = Mapping[str, Any]
Inputs = Sequence[Any]


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value)


def _pads(a: Attributes, x: Tensor, kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """Cells before and after each spatial axis."""
    n = len(kernel)
    strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
    mode = a.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        pads = a.get("pads", [0] * (2 * n)) if mode == "NOTSET" else [0] * (2 * n)
        return list(pads[:n]), list(pads[n:])
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    sizes = [int(size) for size in x.shape[2:]]
    all_ = [max(0, (math.ceil(z / s) - 1) * s + r - z) for z, s, r in zip(sizes, strides, reach, strict=True)]
    less, more = [p // 2 for p in all_], [p - p // 2 for p in all_]
    return (less, more) if mode == "SAME_UPPER" else (more, less)


def _even(x: Tensor, before: list[int], after: list[int], value: float) -> tuple[Tensor, list[int]]:
    """x and the padding that is left for the operator; uneven padding is done here."""
    if before == after:
        return x, before
    uneven = [cells for pair in zip(reversed(before), reversed(after), strict=True) for cells in pair]
    return F.pad(x, uneven, value=value), [0] * len(before)


def _conv(a: Attributes, i: Inputs) -> Tensor:
    x, weight = i[0], i[1]
    n = weight.ndim - 2
    x, padding = _even(x, *_pads(a, x, weight.shape[2:]), 0.0)
    function = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    bias = i[2] if len(i) > 2 else None
    strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
    return function(x, weight, bias, strides, padding, dilations, a.get("group", 1))


def _max_pool(a: Attributes, i: Inputs) -> Tensor:
    kernel = a["kernel_shape"]
    n = len(kernel)
    x, padding = _even(i[0], *_pads(a, i[0], kernel), -math.inf)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[n - 1]
    strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
    return function(x, kernel, strides, padding, dilations, bool(a.get("ceil_mode", 0)))


def _average_pool(a: Attributes, i: Inputs) -> Tensor:
    kernel = a["kernel_shape"]
    n = len(kernel)
    before, after = _pads(a, i[0], kernel)
    if before != after or n > 2 or any(d != 1 for d in a.get("dilations", [1])):
        raise CapabilityError("AveragePool with uneven padding, dilation or three axes cannot be read: export it anew")
    function = F.avg_pool1d if n == 1 else F.avg_pool2d
    counts = bool(a.get("count_include_pad", 0))
    return function(i[0], kernel, a.get("strides", [1] * n), before, bool(a.get("ceil_mode", 0)), counts)


def _batch_norm(a: Attributes, i: Inputs) -> Tensor:
    x, scale, bias, mean, variance = i
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, a.get("epsilon", 1e-5))


def _layer_norm(a: Attributes, i: Inputs) -> Tensor:
    axis = a.get("axis", -1) % i[0].ndim
    return F.layer_norm(i[0], i[0].shape[axis:], i[1], i[2] if len(i) > 2 else None, a.get("epsilon", 1e-5))


def _gemm(a: Attributes, i: Inputs) -> Tensor:
    left = i[0].mT if a.get("transA", 0) else i[0]
    right = i[1].mT if a.get("transB", 0) else i[1]
    y: Tensor = a.get("alpha", 1.0) * (left @ right)
    return y + a.get("beta", 1.0) * i[2] if len(i) > 2 else y


def _reduce(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduced(a: Attributes, i: Inputs) -> Tensor:
        axes = i[1] if len(i) > 1 and i[1] is not None else a.get("axes")
        if axes is None:
            axes = [] if a.get("noop_with_empty_axes", 0) else list(range(i[0].ndim))
        return function(i[0], axes, keepdim=bool(a.get("keepdims", 1))) if len(axes) else i[0]

    return reduced


def _reshape(a: Attributes, i: Inputs) -> Tensor:
    kept = not a.get("allowzero", 0)
    x: Tensor = i[0]
    return x.reshape([x.shape[k] if size == 0 and kept else size for k, size in enumerate(i[1])])


def _flatten(a: Attributes, i: Inputs) -> Tensor:
    axis = a.get("axis", 1)
    x: Tensor = i[0]
    return x.flatten(1) if axis == 1 else x.reshape(math.prod(x.shape[:axis]), -1)


def _axes(a: Attributes, i: Inputs) -> list[int] | None:
    return list(i[1]) if len(i) > 1 and i[1] is not None else a.get("axes")


def _squeeze(a: Attributes, i: Inputs) -> Any:
    if isinstance(i[0], list):
        return i[0][0]
    axes = _axes(a, i)
    return i[0].squeeze() if axes is None else i[0].squeeze(axes)


def _unsqueeze(a: Attributes, i: Inputs) -> Any:
    if not isinstance(i[0], Tensor):
        return [i[0]]
    axes = _axes(a, i) or []
    y = i[0]
    for axis in sorted(axis % (y.ndim + len(axes)) for axis in axes):
        y = y.unsqueeze(axis)
    return y


def _concat(a: Attributes, i: Inputs) -> Any:
    if all(isinstance(part, list) for part in i):
        return [size for part in i for size in part]
    return torch.cat([_tensor(part) for part in i], a["axis"])


def _split(a: Attributes, i: Inputs) -> tuple[Tensor, ...]:
    axis = a.get("axis", 0)
    if len(i) > 1 and i[1] is not None:
        return torch.split(i[0], list(i[1]), axis)
    return torch.chunk(i[0], a["num_outputs"], axis)


def _slice(a: Attributes, i: Inputs) -> Any:
    starts, ends = i[1], i[2]
    axes = i[3] if len(i) > 3 and i[3] is not None else range(len(starts))
    steps = i[4] if len(i) > 4 and i[4] is not None else [1] * len(starts)
    if isinstance(i[0], list):
        return i[0][starts[0] : ends[0] : steps[0]]
    y = i[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 0:
            raise CapabilityError("Slice with a negative step cannot be read: export the network with torch.flip")
        y = y[tuple([slice(None)] * (axis % y.ndim) + [slice(start, end, step)])]
    return y


def _pad(a: Attributes, i: Inputs) -> Tensor:
    n = i[0].ndim
    axes = list(i[3]) if len(i) > 3 and i[3] is not None else list(range(n))
    around = [0] * (2 * n)
    for k, axis in enumerate(axes):
        place = 2 * (n - 1 - axis % n)
        around[place], around[place + 1] = i[1][k], i[1][k + len(axes)]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[a.get("mode", "constant")]
    while len(around) > 2 and around[-2:] == [0, 0]:
        around = around[:-2]
    if mode != "constant":
        return F.pad(i[0], around, mode)
    value = i[2] if len(i) > 2 and i[2] is not None else 0.0
    return F.pad(i[0], around, value=float(value))


def _gather(a: Attributes, i: Inputs) -> Any:
    axis = a.get("axis", 0)
    if isinstance(i[0], list):
        return [i[0][k] for k in i[1]] if isinstance(i[1], list) else i[0][i[1]]
    if isinstance(i[1], int):
        return i[0].select(axis, i[1])
    if isinstance(i[1], Tensor) and axis == 0 and i[0].ndim == 2 and i[0].is_floating_point():
        return F.embedding(i[1], i[0])
    return i[0][tuple([slice(None)] * (axis % i[0].ndim) + [_tensor(i[1])])]


def _clip(a: Attributes, i: Inputs) -> Tensor:
    return torch.clamp(i[0], *(i[k] if len(i) > k else None for k in (1, 2)))


def _cast(a: Attributes, i: Inputs) -> Any:
    kinds = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}
    if isinstance(i[0], Tensor):
        return i[0].to(kinds[a["to"]])
    return i[0] if a["to"] in (6, 7) else torch.tensor(i[0], dtype=kinds[a["to"]])


def _softmax(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda a, i: function(i[0], a.get("axis", -1))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, i: function(*(_tensor(value) for value in i))


def _several(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Of one input or more."""
    return lambda a, i: reduce(function, (_tensor(value) for value in i))


def _selu(a: Attributes, i: Inputs) -> Tensor:
    y: Tensor = a.get("gamma", GAMMA) * F.elu(i[0], a.get("alpha", ALPHA))
    return y


ALPHA, GAMMA = 1.6732632423543772, 1.0507009873554805  # of SELU where a file names none


PLAIN: dict[str, Callable[..., Any]] = {
    "Abs": torch.abs, "Add": torch.add, "And": torch.logical_and, "Cos": torch.cos, "Div": torch.div,
    "Equal": torch.eq, "Erf": torch.erf, "Exp": torch.exp, "Greater": torch.gt, "HardSwish": F.hardswish,
    "Less": torch.lt, "Log": torch.log, "MatMul": torch.matmul,
    "Mish": F.mish, "Mul": torch.mul, "Neg": torch.neg, "Not": torch.logical_not, "Pow": torch.pow,
    "Reciprocal": torch.reciprocal, "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Sin": torch.sin,
    "Softplus": F.softplus, "Softsign": F.softsign, "Sqrt": torch.sqrt, "Sub": torch.sub, "Tanh": torch.tanh,
    "Where": torch.where,
}  # fmt: skip

OPERATORS: dict[str, Callable[[Attributes, Inputs], Any]] = {
    **{name: _plain(function) for name, function in PLAIN.items()},
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Dropout": lambda a, i: i[0],
    "Elu": lambda a, i: F.elu(i[0], a.get("alpha", 1.0)),
    "Expand": lambda a, i: i[0] * torch.ones(i[1], dtype=i[0].dtype),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda a, i: F.gelu(i[0], approximate=a.get("approximate", "none")),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, i: i[0].mean(list(range(2, i[0].ndim)), keepdim=True),
    "GlobalMaxPool": lambda a, i: i[0].amax(list(range(2, i[0].ndim)), keepdim=True),
    "HardSigmoid": lambda a, i: torch.clamp(a.get("alpha", 0.2) * i[0] + a.get("beta", 0.5), 0, 1),
    "Identity": lambda a, i: i[0],
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda a, i: F.leaky_relu(i[0], a.get("alpha", 0.01)),
    "LogSoftmax": _softmax(torch.log_softmax),
    "Max": _several(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _several(torch.minimum),
    "Pad": _pad,
    "PRelu": lambda a, i: torch.where(i[0] > 0, i[0], i[1] * i[0]),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Reshape": _reshape,
    "Selu": _selu,
    "Shape": lambda a, i: list(i[0].shape)[a.get("start", 0) : a.get("end")],
    "Slice": _slice,
    "Softmax": _softmax(torch.softmax),
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": lambda a, i: i[0].permute(a.get("perm") or list(range(i[0].ndim))[::-1]),
    "Unsqueeze": _unsqueeze,
}
