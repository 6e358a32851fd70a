"""Backward operators that the ONNX exporter lacks, written with forward operators that it has.

All are linear in the incoming gradient g, so each is the transpose of a forward operator:

    convolution         stride 1: convolution of g with the kernel turned round and its channels swapped
                        else:     transposed convolution of g;  of a transposed convolution: a convolution of g
    average pooling     transposed convolution of g / divisor with ones, channel by channel
    adaptive average    A_h' g A_w, the rows of A being the means over the cells of one output
    maximum pooling     g added at the position that was the largest
    slice, select       g between zeros
    embedding, dropout and batch statistics have no gradient here: the vectors are the input, networks are in `eval`

Shapes: everything but the first axis is known when a gradient is traced, so divisors and the matrices A are constants.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["OPERATORS", "operators"]

aten = torch.ops.aten


def convolution_backward(
    g: Tensor, x: Tensor, weight: Tensor, bias_sizes: Sequence[int] | None, stride: list[int], padding: list[int],
    dilation: list[int], transposed: bool, output_padding: list[int], groups: int, wanted: list[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # fmt: skip
    """The gradient of the input alone; a weight is never an input here."""
    if wanted[1] or wanted[2]:
        return NotImplemented
    kernel = weight.shape[2:]
    spatial = range(len(kernel))
    if transposed:
        grown = aten.convolution.default(g, weight, None, stride, padding, dilation, False, [0] * len(kernel), groups)
        return grown, None, None
    reach = [dilation[i] * (kernel[i] - 1) for i in spatial]
    if all(s == 1 for s in stride) and all(r >= p for r, p in zip(reach, padding, strict=True)):
        turned = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip([i + 2 for i in spatial])
        turned = turned.contiguous()
        inward = [r - p for r, p in zip(reach, padding, strict=True)]
        back = aten.convolution.default(g, turned, None, stride, inward, dilation, False, [0] * len(kernel), groups)
        return back, None, None
    missing = [
        x.shape[i + 2] - ((g.shape[i + 2] - 1) * stride[i] - 2 * padding[i] + reach[i] + 1) for i in spatial
    ]  # rows at the end that no window reached
    back = aten.convolution.default(g, weight, None, stride, padding, dilation, True, missing, groups)
    return back, None, None


def avg_pool2d_backward(
    g: Tensor, x: Tensor, kernel: list[int], stride: list[int], padding: list[int], ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None,
) -> Tensor:  # fmt: skip
    """Each cell takes its share of every window that covers it."""
    kernel, padding = _pair(kernel), _pair(padding)
    stride = _pair(stride) if len(stride) else kernel
    counts = [
        _covered(x.shape[i - 2], g.shape[i - 2], kernel[i], stride[i], padding[i], count_include_pad) for i in range(2)
    ]
    divisor = torch.outer(*counts) if divisor_override is None else torch.tensor(float(divisor_override))
    channels, (h, w) = x.shape[-3], g.shape[-2:]
    share = (g / divisor.to(g)).reshape(-1, channels, h, w)
    ones = torch.ones(channels, 1, *kernel, dtype=g.dtype)
    full: Tensor = aten.convolution.default(share, ones, None, stride, [0, 0], [1, 1], True, [0, 0], channels)
    for i, axis in enumerate((-2, -1)):
        full = _window(full, axis, padding[i], x.shape[axis])
    return full.reshape(x.shape)


def adaptive_avg_pool2d_backward(g: Tensor, x: Tensor) -> Tensor:
    """A_h' g A_w."""
    rows, columns = (_means(g.shape[axis], x.shape[axis]).to(g) for axis in (-2, -1))
    return rows.mT @ (g @ columns)


def max_pool2d_with_indices_backward(
    g: Tensor, x: Tensor, kernel: list[int], stride: list[int], padding: list[int], dilation: list[int],
    ceil_mode: bool, indices: Tensor,
) -> Tensor:  # fmt: skip
    """`indices` count through the height x width plane of one channel."""
    empty = torch.zeros_like(x).flatten(-2)
    return empty.scatter_add(-1, indices.flatten(-2), g.flatten(-2)).reshape(x.shape)


def slice_backward(g: Tensor, sizes: Sequence[int], dim: int, start: int, end: int, step: int) -> Tensor:
    """g in its places along one axis; the cells of a stride between them are 0."""
    dim, size, taken = dim % g.ndim, sizes[dim], g.shape[dim]
    if taken == size:
        return g
    start = max(0, start + size if start < 0 else start)
    if step > 1:
        spread = _zeros_around(g.unsqueeze(dim + 1), dim + 1, 0, step - 1)
        g = spread.flatten(dim, dim + 1).narrow(dim, 0, (taken - 1) * step + 1)
    return _zeros_around(g, dim, start, size - start - g.shape[dim])


def select_backward(g: Tensor, sizes: Sequence[int], dim: int, index: int) -> Tensor:
    """g in its place along an axis that it does not have."""
    dim = dim % len(sizes)
    index = index + sizes[dim] if index < 0 else index
    return _zeros_around(g.unsqueeze(dim), dim, index, sizes[dim] - index - 1)


def _zeros_around(g: Tensor, axis: int, before: int, after: int) -> Tensor:
    return pad(g, (0, 0) * (g.ndim - 1 - axis) + (before, after)) if before or after else g


def _pair(sizes: Sequence[int]) -> list[int]:
    return [sizes[0], sizes[0]] if len(sizes) == 1 else list(sizes)


def _covered(size: int, windows: int, kernel: int, stride: int, padding: int, with_padding: bool) -> Tensor:
    """Cells that each window averages over; padding counts if `with_padding`, what lies behind it never does."""
    low, high = (-padding, size + padding) if with_padding else (0, size)
    starts = [k * stride - padding for k in range(windows)]
    return torch.tensor([float(min(s + kernel, high) - max(s, low)) for s in starts])


def _window(full: Tensor, axis: int, start: int, size: int) -> Tensor:
    """`size` cells from `start`; cells behind the end are 0, since no window reached them."""
    lacking = max(0, start + size - full.shape[axis])
    return _zeros_around(full, axis % full.ndim, 0, lacking).narrow(axis, start, size)


def _means(outputs: int, inputs: int) -> Tensor:
    """(outputs, inputs): output k is the mean of cells floor(k n / o) to ceil((k + 1) n / o) - 1."""
    A = torch.zeros(outputs, inputs)
    for k in range(outputs):
        low, high = k * inputs // outputs, math.ceil((k + 1) * inputs / outputs)
        A[k, low:high] = 1 / (high - low)
    return A


OPERATORS: dict[Any, Callable[..., Any]] = {
    aten.convolution_backward.default: convolution_backward,
    aten.avg_pool2d_backward.default: avg_pool2d_backward,
    aten._adaptive_avg_pool2d_backward.default: adaptive_avg_pool2d_backward,
    aten.select_backward.default: select_backward,
    aten.slice_backward.default: slice_backward,
    aten.max_pool2d_with_indices_backward.default: max_pool2d_with_indices_backward,
}


@functools.cache
def operators() -> dict[Any, Callable[..., Any]]:
    """How every operator is written that has no ONNX form: as above, else as torch does. One that is left for the
    exporter costs a second trace of the whole program.
    """
    torchs = torch.export.default_decompositions().items()
    known = {op: how for op, how in torchs if "backward" in str(op) or op in (aten.rsub.Scalar, aten.sgn.default)}
    return known | {aten.squeeze.dims: _squeeze} | OPERATORS


def _squeeze(x: Tensor, axes: list[int]) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = aten.squeeze.dim(x, axis)
    return x
