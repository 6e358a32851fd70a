"""The layers of a graph, and what lies between them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = [
    "LAYERS", "MOST", "Layer", "as_rounded", "axis_of", "between", "in_order", "last_values", "layers",
    "whole_weights", "with_weights",
]  # fmt: skip

LAYERS = ("Conv", "Gemm", "MatMul")
MOST = {7: 64, 8: 127}  # of a whole weight; 2 x 255 x 64 fits into 16 bits
TINY = np.float32(1e-30)


@dataclass(frozen=True)
class Layer:
    """A node with constant weights: its name, kind, and the name of the weights; `axis`: that of its outputs."""

    name: str
    kind: str
    weight: str
    axis: int


def layers(model: onnx.ModelProto) -> list[Layer]:
    """In the graph's order."""
    sizes = {held.name: list(held.dims) for held in model.graph.initializer}
    return [
        Layer(node.name, node.op_type, node.input[1], axis_of(node))
        for node in model.graph.node
        if node.op_type in LAYERS and len(sizes.get(node.input[1], ())) >= 2 and node.input[0] not in sizes
    ]


def axis_of(node: onnx.NodeProto) -> int:
    """That of the outputs in a layer's weights."""
    if node.op_type == "Conv":
        return 0
    turned = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if turned else 1


def last_values(model: onnx.ModelProto) -> set[str]:
    """What goes from the last layers to the float rest of the graph."""
    inner = between(model)
    names = {node.name for node in inner}
    asked = {name for node in model.graph.node if node.name not in names for name in node.input}
    asked |= {value.name for value in model.graph.output}
    return {name for node in inner for name in node.output if name in asked}


def between(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Nodes on a way from one layer to another, both ends with them: what comes before the first and after the last
    holds counters of 1e9 and watts to the third digit, which few bits cannot.
    """
    names = {layer.name for layer in layers(model)}
    after = _reached([(node.name, node.input, node.output) for node in model.graph.node], names)
    before = _reached([(node.name, node.output, node.input) for node in reversed(model.graph.node)], names)
    return [node for node in model.graph.node if node.name in after & before]


def _reached(nodes: Iterable[tuple[str, Iterable[str], Iterable[str]]], names: set[str]) -> set[str]:
    """Names of nodes (name, from, to) that the named ones lead to, with themselves."""
    values: set[str] = set()
    found = set()
    for name, come, go in nodes:
        if name in names or values.intersection(come):
            found.add(name)
            values.update(go)
    return found


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every node after those that it reads."""
    ready = {t.name for t in model.graph.initializer} | {value.name for value in model.graph.input} | {""}
    left, done = list(model.graph.node), []
    while left:
        now = [node for node in left if ready.issuperset(node.input)]
        assert now, "a graph has no circles"
        done += now
        ready.update(name for node in now for name in node.output)
        left = [node for node in left if not any(node is held for held in now)]
    del model.graph.node[:]
    model.graph.node.extend(done)
    return model


def whole_weights(W: np.ndarray, axis: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers (int8, W's shape) and a scale for each output along `axis`, so that W ~ scale * numbers."""
    others = tuple(k for k in range(W.ndim) if k != axis)
    scale = np.maximum(np.abs(W).max(axis=others, keepdims=True), TINY) / MOST[bits]
    return np.round(W / scale).astype(np.int8), scale.astype(np.float32).reshape(-1)


def as_rounded(model: onnx.ModelProto, kept: Collection[str], bits: int | None) -> onnx.ModelProto:
    """The float graph with weights as a variant has them; `bits`: of whole numbers, None: half precision."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    found = {}
    for layer in layers(model):
        W = constants[layer.weight]
        if layer.name in kept:
            continue
        if bits is None:
            found[layer.weight] = W.astype(np.float16)
            continue
        whole, scale = whole_weights(W, layer.axis, bits)
        shape = [-1 if k == layer.axis else 1 for k in range(W.ndim)]
        found[layer.weight] = whole * scale.reshape(shape)
    return with_weights(model, found)


def with_weights(model: onnx.ModelProto, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """A copy with other arrays (same shapes) for some constants, by name."""
    held = onnx.ModelProto()
    held.CopyFrom(model)
    for tensor in held.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name].astype(np.float32), tensor.name))
    return held
