"""Attention weights of an ONNX graph: the softmax between two products, given out.

    MatMul -> (scale, mask: element by element) -> Softmax over the last axis -> (element by element) -> MatMul

The weights are (rows, heads, q, k), or (rows x heads, q, k) as torch's own attention writes them, and are then taken
apart. Only what the weights depend on stays in the graph.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ascribe.bundle.sessions import session
from ascribe.train.graphs.export import finish, prune

__all__ = ["exposed_attention"]

PRODUCTS = {"MatMul", "Gemm", "Einsum", "FusedMatMul"}
BETWEEN = {"Add", "Sub", "Mul", "Div", "Where", "Cast", "Identity", "Dropout", "Reshape", "IsNaN", "Unsqueeze",
           "Squeeze", "Expand", "Not", "Clip", "Max", "Min"}  # fmt: skip
FAR = 8  # nodes between the softmax and a product
SUM = 1e-4


def exposed_attention(predict: bytes, example: np.ndarray) -> bytes | None:
    """`predict` (input `x`) with outputs `weights:NAME (rows, heads, q, k)` instead of its own; None where it has no
    softmax between two products. `example (rows, n)`: at least two rows, on which shapes are seen and sums checked.
    NAME is that of the node, its letters, digits and dots.
    """
    model = onnx.load_from_string(predict)
    if not (nodes := _softmaxes(model.graph)):
        return None
    shapes = _seen(model, [node.output[0] for node in nodes], example)
    made: list[onnx.NodeProto] = []
    outputs: dict[str, str] = {}
    for node in nodes:
        value = node.output[0]
        if (place := _four(made, value, shapes.get(value), len(example))) is not None:
            outputs[_name(node, outputs)] = place
    if not outputs:
        return None
    graph = model.graph
    if made:
        graph.initializer.extend(
            numpy_helper.from_array(np.array([end], np.int64), f"attention_{end}") for end in (1, 3)
        )  # fmt: skip
    graph.node.extend(made)
    graph.node.extend(helper.make_node("Identity", [value], [f"weights:{name}"]) for name, value in outputs.items())
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(f"weights:{name}", TensorProto.FLOAT, ["rows", "heads", "q", "k"])
        for name in outputs
    )
    prune(graph)
    return finish(model)


def _softmaxes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Those between two products, in the order of the graph."""
    made = {name: node for node in graph.node for name in node.output}
    read: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            read.setdefault(name, []).append(node)

    def before(name: str, far: int = FAR) -> bool:
        node = made.get(name)
        if node is None or not far:
            return False
        return node.op_type in PRODUCTS or (node.op_type in BETWEEN and any(before(i, far - 1) for i in node.input))

    def after(name: str, far: int = FAR) -> bool:
        return far > 0 and any(
            (node.op_type in PRODUCTS and node.input[0] == name)
            or (node.op_type in BETWEEN and any(after(o, far - 1) for o in node.output))
            for node in read.get(name, [])
        )

    return [n for n in graph.node if n.op_type == "Softmax" and before(n.input[0]) and after(n.output[0])]


def _seen(model: onnx.ModelProto, values: Sequence[str], example: np.ndarray) -> Mapping[str, tuple[int, ...]]:
    """Shapes of values on the example; those whose last axis does not sum to 1 are left out."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    asked.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in values)
    run = session(asked.SerializeToString(), "a graph with attention").run
    found = dict(zip(values, run(list(values), {model.graph.input[0].name: example}), strict=True))
    return {name: held.shape for name, held in found.items() if np.abs(held.sum(axis=-1) - 1).max() < SUM}


def _four(made: list[onnx.NodeProto], value: str, shape: tuple[int, ...] | None, rows: int) -> str | None:
    """The value as (rows, heads, q, k); None where it is not of that kind."""
    if shape is None or len(shape) not in (3, 4) or shape[0] % rows or (len(shape) == 4 and shape[0] != rows):
        return None
    if len(shape) == 4:
        return value
    heads, place = shape[0] // rows, f"{value}_four"
    made.append(helper.make_node("Shape", [value], [f"{value}_all"]))
    made.append(helper.make_node("Slice", [f"{value}_all", "attention_1", "attention_3"], [f"{value}_tail"]))
    made.append(
        helper.make_node("Constant", [], [f"{value}_heads"],
                         value=numpy_helper.from_array(np.array([-1, heads], np.int64)))
    )  # fmt: skip
    made.append(helper.make_node("Concat", [f"{value}_heads", f"{value}_tail"], [f"{value}_shape"], axis=0))
    made.append(helper.make_node("Reshape", [value, f"{value}_shape"], [place]))
    return place


def _name(node: onnx.NodeProto, taken: Mapping[str, str]) -> str:
    name = re.sub(r"[^\w.]+", ".", node.name or node.output[0]).strip(".")
    return name if name not in taken else f"{name}.{len(taken)}"
