"""Gradients of torch networks, and Integrated Gradients, as ONNX graphs.

    gradient     g(x) = d f_t(x) / dx
    attribution  phi(x) = (x - x0) * integral_0^1 g(x0 + a (x - x0)) da,    sum of phi = f_t(x) - f_t(x0)

f_t is output t of the network, x0 the baseline; attributions are in the unit of f_t. The integral is a sum over the
nodes of a rule (`core/quadrature.py`); what the sum leaves of f_t(x) - f_t(x0) is the completeness gap.

Sundararajan, Taly and Yan, *Axiomatic attribution for deep networks*, 2017, arXiv 1703.01365.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.errors import InputError
from ascribe.core.quadrature import quadrature
from ascribe.train.graphs.export import check_parity, to_onnx
from ascribe.train.graphs.gradient_trace import Chosen, chosen, exporting, plain_attention, trace_gradient
from ascribe.train.graphs.path_graph import path_graph

__all__ = ["Path", "gradient_graph", "integrated_gradients", "integrated_gradients_graph"]

TOLERANCE = 1e-4  # of the largest value: thousands of float32 products in another order
NUMBERS_AT_ONCE = 1 << 24  # float32 values that all operators of one chunk write for one row: 64 MiB
TURN = 0.25  # what a pass costs besides its steps, in steps


@dataclass(frozen=True)
class Path:
    """What Integrated Gradients says of `rows` rows."""

    prediction: np.ndarray  # (rows,)
    attribution: np.ndarray  # the shape of x, or of its embedded vectors
    completeness_gap: np.ndarray  # (rows,): prediction - prediction at the baseline - sum of attribution


def gradient_graph(
    network: nn.Module,
    example: Tensor,
    *,
    target: int | None = None,
    embedding: str | None = None,
    tolerance: float = TOLERANCE,
) -> bytes:
    """The graph `x (rows, ...)` -> `prediction (rows,)`, `gradient`, both float32, for any number of rows.

    `network`: gives (rows,), (rows, 1), or (rows, outputs) and then `target` names one. `example`: at least two rows,
    float32, or int64 indices and then `embedding` names the nn.Embedding in whose vectors the gradient is taken,
    `gradient (rows, ..., d)`. The network itself is left as it is; its copy is in `eval`.

    Raises InputError for an example or target that does not fit, CapabilityError for an operator without ONNX form
    (it is named), BundleError if the graph differs from autograd by more than `tolerance` of the largest value. Deep
    networks of ReLUs want 5e-3 for Integrated Gradients: a unit within rounding of 0 is open here and shut there.
    """
    function, traced = _traced(network, example, target, embedding)
    graph = _exported(traced if embedding is None else _Embedded(function, traced), {"x": example})
    for x in (example, example[:1]):
        prediction, gradient = _slope(function, function.inputs(x))
        wanted = {"prediction": prediction.numpy(), "gradient": gradient.numpy()}
        check_parity(graph, {"x": x.numpy()}, wanted, tolerance)
    return graph


def integrated_gradients_graph(
    network: nn.Module,
    example: Tensor,
    *,
    target: int | None = None,
    embedding: str | None = None,
    steps: int = 50,
    rule: str = "gauss_legendre",
    chunk: int | None = None,
    tolerance: float = TOLERANCE,
) -> bytes:
    """The graph `x (rows, ...)`, `baseline (1 or rows, ...)` -> `prediction (rows,)`, `attribution`,
    `completeness_gap (rows,)`, for one row or more; `attribution` is the shape of x, or `(rows, ..., d)` with an
    embedding. Arguments and errors as for `gradient_graph`.

    `chunk`: steps of one pass, by default as many as write 64 MiB for one row. A pass holds chunk x rows points, so
    give many rows in portions. The nodes and weights of `rule` (`core/quadrature.py`) are constants of the graph.
    """
    nodes, weights = quadrature(rule, steps)
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is the number of steps of one pass, 1 ... {steps}, got {chunk}")
    function, traced = _traced(network, example, target, embedding)
    names = ("z",) if embedding is None else ("z", "x")
    inputs = dict(zip(names, function.inputs(example), strict=True))
    slope = _exported(traced, inputs)
    chunk = _chunk(traced, len(example), steps) if chunk is None else min(chunk, steps)
    table = None if function.table is None else function.table.weight.numpy()
    graph = path_graph(slope, nodes, weights, chunk, table)
    baseline = example[-1:]
    for x in (example, example[:1]):
        told = integrated_gradients(network, x, baseline, target=target, embedding=embedding, steps=steps, rule=rule)
        wanted = {"prediction": told.prediction, "attribution": told.attribution}
        check_parity(graph, {"x": x.numpy(), "baseline": baseline.numpy()}, wanted, tolerance)
    return graph


def integrated_gradients(
    network: nn.Module,
    x: Tensor,
    baseline: Tensor,
    *,
    target: int | None = None,
    embedding: str | None = None,
    steps: int = 50,
    rule: str = "gauss_legendre",
) -> Path:
    """The same numbers by autograd, one step after the other, for networks that have no graph.

    `x (rows, ...)`, `baseline (1 or rows, ...)`; other arguments and errors as for `integrated_gradients_graph`.
    """
    function = chosen(network, target, embedding)
    inputs = function.inputs(x)
    start = function.inputs(baseline)[0].expand_as(inputs[0])
    span = inputs[0] - start
    total = torch.zeros_like(span)
    for node, weight in zip(*quadrature(rule, steps), strict=True):
        total += float(weight) * _slope(function, (start + float(node) * span, *inputs[1:]))[1]
    attribution = total * span
    with torch.no_grad():
        prediction, before = (function(z, *inputs[1:]) for z in (inputs[0], start))
    gap = prediction - before - attribution.flatten(1).sum(1)
    return Path(prediction.numpy(), attribution.numpy(), gap.numpy())


class _Embedded(nn.Module):
    """A gradient in vectors, as a function of indices."""

    def __init__(self, function: Chosen, traced: nn.Module) -> None:
        super().__init__()
        self.function, self.traced = function, traced

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        told: tuple[Tensor, Tensor] = self.traced(*self.function.inputs(x))
        return told


def _traced(
    network: nn.Module, example: Tensor, target: int | None, embedding: str | None
) -> tuple[Chosen, torch.fx.GraphModule]:
    wanted = torch.float32 if embedding is None else torch.int64
    if example.dtype != wanted or len(example) < 2:
        raise InputError(
            f"an example of {len(example)} rows of {example.dtype}: give at least two rows of {wanted}"
            + (", or name the embedding of the indices" if example.dtype == torch.int64 else "")
        )
    function = chosen(network, target, embedding)
    inputs = function.inputs(example)
    with torch.no_grad():
        function(*inputs)  # a target that does not fit is told before anything is traced
    return function, trace_gradient(function, inputs)


def _exported(traced: nn.Module, example: dict[str, Tensor]) -> bytes:
    """Not compared with its own trace: what the caller makes of it is compared with autograd."""
    with exporting():
        return to_onnx(traced, example, ["prediction", "gradient"], math.inf)


def _slope(function: Chosen, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Prediction (rows,) and gradient in the first input, by autograd."""
    z = inputs[0].detach().requires_grad_()
    with plain_attention(), torch.enable_grad():
        prediction = function(z, *inputs[1:])
        (gradient,) = torch.autograd.grad(prediction.sum(), z)
    return prediction.detach(), gradient


def _chunk(traced: torch.fx.GraphModule, rows: int, steps: int) -> int:
    """Steps of one pass: within the limit, the number with which passes and filled up steps cost least."""
    written = 0
    for node in traced.graph.nodes:
        value = node.meta.get("val")
        if node.op == "call_function" and isinstance(value, Tensor):
            written += math.prod(int(size) for size in value.shape)
    limit = max(1, min(steps, NUMBERS_AT_ONCE * rows // max(written, 1)))
    return min(range(1, limit + 1), key=lambda chunk: math.ceil(steps / chunk) * (chunk + TURN))
