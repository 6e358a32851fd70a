"""What a bundle holds of a network's inside, as graphs of flat rows; tensor names: `docs/onnx.md`.

    gradient    z (rows, d), [x], [weight (rows, w)]  -> value (rows,), gradient (rows, d)
    embed       x (rows, n)                           -> point (rows, d)
    layers      x, [weight]                           -> maps:NAME, slope:NAME (rows, c, h, w)
    attention   x                                     -> weights:NAME (rows, heads, q, k)

The network takes flat rows in natural units and gives (rows,) or (rows, w): all margins, then all probabilities. An
input in brackets is there only where it is needed: x where words are embedded, weight where w > 1. Every graph is
compared with torch on the example and on one row alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ascribe.core.errors import InputError
from ascribe.train.graphs.attention_graph import exposed_attention
from ascribe.train.graphs.export import check_parity, to_onnx
from ascribe.train.graphs.flat_network import Pointed, Shown, Watched, attentions, held_still
from ascribe.train.graphs.gradient_trace import exporting, plain_attention, trace_gradient, trace_slopes

__all__ = ["attention_graph", "gradient_graphs", "layers_graph", "map_layers"]

TOLERANCE = 5e-3  # of the largest value: a ReLU within rounding of 0 is open here and shut there
MOST_LAYERS = 4  # that are shown unless they are named


def gradient_graphs(network: nn.Module, example: Tensor, *, embedding: str | None = None) -> dict[str, bytes]:
    """Graphs of the roles `gradient` and, where an embedding is named, `embed`.

    `example (rows, n)`: at least two rows, float32, also of word numbers. `embedding`: name of the nn.Embedding in
    whose vectors the slope is taken. The network is left as it is.

    Raises InputError for an example or a name that does not fit, CapabilityError for an operator without ONNX form (it
    is named), BundleError where a graph differs from autograd.
    """
    held, several = _of_rows(network, example)
    function = Pointed(held, embedding, several)
    with torch.no_grad():
        z = function.points(example)
    inputs = {"z": z} | ({"x": example} if embedding else {}) | _weight(held, example, several)
    with exporting():
        slope = to_onnx(trace_gradient(function, tuple(inputs.values())), inputs, ["value", "gradient"], math.inf)
    for given in _halves(inputs):
        point = given["z"].clone().requires_grad_()
        with plain_attention(), torch.enable_grad():
            value = function(point, *list(given.values())[1:])
            (gradient,) = torch.autograd.grad(value.sum(), point)
        _compare(slope, given, {"value": value, "gradient": gradient})
    if embedding is None:
        return {"gradient": slope}
    return {"gradient": slope, "embed": to_onnx(_Points(function), {"x": example}, ["point"])}


def layers_graph(network: nn.Module, example: Tensor, layers: Mapping[str, str]) -> bytes:
    """The graph of the role `layers`; `layers`: name shown -> module whose output is shown. Errors as above."""
    held, several = _of_rows(network, example)
    function = Shown(held, list(layers.values()), several)
    inputs = {"x": example} | _weight(held, example, several)
    with torch.no_grad():
        _, *maps = function(*inputs.values())
    for name, found in zip(layers, maps, strict=True):
        if found.ndim != 4:
            raise InputError(f"layer '{name}' gives {tuple(found.shape)}: only maps (rows, channels, h, w) are shown")
    names = [f"{kind}:{name}" for kind in ("maps", "slope") for name in layers]
    with exporting():
        graph = to_onnx(trace_slopes(function, tuple(inputs.values()), maps), inputs, names, math.inf)
    for given in _halves(inputs):
        nothing = [torch.zeros_like(found[: len(given["x"])]).requires_grad_() for found in maps]
        with plain_attention(), torch.enable_grad():
            value, *shown = function(*given.values(), *nothing)
            slopes = torch.autograd.grad(value.sum(), nothing)
        _compare(graph, given, dict(zip(names, (*shown, *slopes), strict=True)))
    return graph


def map_layers(network: nn.Module, example: Tensor) -> dict[str, str]:
    """Layers worth showing, from input to output: the last of each size of map, at most `MOST_LAYERS`; empty where the
    network has no maps. Name shown -> module, as `layers_graph` takes them.
    """
    seen: list[tuple[str, tuple[int, ...]]] = []
    held = held_still(network)
    paths = {module: name for name, module in held.named_modules() if name and not list(module.children())}

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            seen.append((paths[module], tuple(output.shape[2:])))

    for module in paths:
        module.register_forward_hook(look)
    with torch.no_grad():
        held(example[:1])
    calls = [name for name, _ in seen]
    found: dict[tuple[int, ...], str] = {}
    for name, size in seen:
        if calls.count(name) == 1:  # an activation that is used twice has two maps
            found.pop(size, None)
            found[size] = name
    chosen = list(found.values())[-MOST_LAYERS:]
    return {name.rpartition(".")[2] if _alone(name, chosen) else name: name for name in chosen}


def attention_graph(network: nn.Module, example: Tensor, predict: bytes) -> bytes | None:
    """The graph of the role `attention`: weights of every `nn.MultiheadAttention`, else of every softmax between two
    products of `predict`, the network's own graph; None where it has none. `predict` takes `x (rows, n)`.
    """
    names = attentions(network)
    if not names:
        return exposed_attention(predict, example.numpy())
    with exporting(), plain_attention():
        return to_onnx(Watched(held_still(network), names), {"x": example}, [f"weights:{name}" for name in names])


class _Points(nn.Module):
    """Rows as points."""

    def __init__(self, function: Pointed) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function.points(x)


def _of_rows(network: nn.Module, example: Tensor) -> tuple[nn.Module, bool]:
    """A copy that stands still, and whether it has several outputs. Raises InputError where it is not of flat rows."""
    if example.ndim != 2 or example.dtype != torch.float32 or len(example) < 2:
        raise InputError(
            f"an example {tuple(example.shape)} of {example.dtype}: give at least two flat rows of float32"
        )
    held = held_still(network)
    with torch.no_grad():
        y = held(example)
    if not isinstance(y, Tensor) or y.ndim not in (1, 2) or len(y) != len(example):
        told = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise InputError(f"the network gives {told}: wrap it so that it gives (rows,) or (rows, outputs)")
    return held, y.ndim == 2 and y.shape[1] > 1


def _weight(network: nn.Module, example: Tensor, several: bool) -> dict[str, Tensor]:
    """A weight (rows, w) that chooses another output in each row."""
    if not several:
        return {}
    with torch.no_grad():
        w = network(example[:1]).shape[1]
    return {"weight": torch.eye(w)[torch.arange(len(example)) % w]}


def _halves(inputs: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """All rows, and the first alone."""
    return [dict(inputs), {name: held[:1] for name, held in inputs.items()}]


def _compare(graph: bytes, inputs: Mapping[str, Tensor], told: Mapping[str, Tensor]) -> None:
    given = {name: held.detach().numpy() for name, held in inputs.items()}
    check_parity(graph, given, {name: held.detach().numpy() for name, held in told.items()}, TOLERANCE)


def _alone(name: str, names: Sequence[str]) -> bool:
    last = name.rpartition(".")[2]
    return not last.isdigit() and [n.rpartition(".")[2] for n in names].count(last) == 1
