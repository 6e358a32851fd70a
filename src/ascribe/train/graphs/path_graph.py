"""From a gradient graph to the graph of Integrated Gradients (Sundararajan, Taly and Yan 2017, arXiv 1703.01365).

    attribution = (x - x0) * sum_k w_k grad f(x0 + a_k (x - x0)),      f(x) - f(x0) = sum of it, up to the rule's error

The a_k and w_k are constants. A Scan takes the steps `chunk` at a time, each of them folded into the rows: a pass of
the gradient sees chunk x rows points, and memory grows with that and not with the number of steps. All constants
stand in the outer graph; the two ends are predicted by the forward part of the same nodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ascribe.train.graphs.export import finish, reaching

__all__ = ["path_graph"]


class _Sheet:
    """Nodes and constants, as they are written down."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def path_graph(gradient: bytes, nodes: np.ndarray, weights: np.ndarray, chunk: int, table: np.ndarray | None) -> bytes:
    """The graph `x`, `baseline` -> `prediction (rows,)`, `attribution`, `completeness_gap (rows,)`.

    `gradient`: graph `z (rows, ...)` float32, and with a table `x (rows, ...)` int64 -> `prediction`, `gradient`.
    `table (indices, d)`: vectors of an embedding; x and baseline are then indices, and attribution has the vectors'
    shape. `baseline` has one row or as many as x.
    """
    model = onnx.load_from_string(gradient)
    inner = model.graph
    tail = [d.dim_value for d in inner.input[0].type.tensor_type.shape.dim][1:]
    total = _Sheet()
    total.constants.extend(inner.initializer)
    indices = table is not None
    if table is not None:
        total.constant("path_table", table)
        x = total.node("Gather", ["path_table", "x"], "path_x")
        baseline = total.node("Gather", ["path_table", "baseline"], "path_baseline")
    else:
        x, baseline = "x", "baseline"
    total.node("Shape", [x], "path_shape")
    total.node("Sub", [x, x], "path_zero")
    start = total.node("Add", [baseline, "path_zero"], "path_start")  # as many rows as x
    total.node("Sub", [x, start], "path_span")
    _ends(total, model, x, indices)
    _steps(total, model, nodes, weights, chunk, tail, indices)
    total.node("Mul", ["path_slope", "path_span"], "attribution")
    total.constant("path_flat", np.array([0, -1], np.int64))
    total.node("Reshape", ["attribution", "path_flat"], "path_cells")
    total.constant("path_axis", np.array([1], np.int64))
    total.node("ReduceSum", ["path_cells", "path_axis"], "path_sum", keepdims=0)
    total.node("Sub", ["prediction", "path_start_prediction"], "path_rise")
    total.node("Sub", ["path_rise", "path_sum"], "completeness_gap")
    kind = TensorProto.INT64 if indices else TensorProto.FLOAT
    shape = [d.dim_value for d in inner.input[-1].type.tensor_type.shape.dim][1:]
    graph = helper.make_graph(
        total.nodes, "integrated_gradients",
        [helper.make_tensor_value_info("x", kind, ["rows", *shape]),
         helper.make_tensor_value_info("baseline", kind, ["baselines", *shape])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["rows"]),
         helper.make_tensor_value_info("attribution", TensorProto.FLOAT, ["rows", *tail]),
         helper.make_tensor_value_info("completeness_gap", TensorProto.FLOAT, ["rows"])],
        total.constants,
    )  # fmt: skip
    whole = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version,
                              producer_name="ascribe", functions=model.functions)  # fmt: skip
    return finish(whole)


def _ends(total: _Sheet, model: onnx.ModelProto, x: str, indices: bool) -> None:
    """Predictions at x and at the baseline, in one pass over twice the rows."""
    ends = _named(model.graph, "ends_")
    total.node("Concat", [x, "path_start"], ends.input[0].name, axis=0)
    if indices:
        total.node("Concat", ["x", "x"], ends.input[1].name, axis=0)
    total.nodes.extend(reaching(ends, [ends.output[0].name])[0])
    total.node("Split", [ends.output[0].name], "prediction", num_outputs=2, axis=0)
    total.nodes[-1].output.append("path_start_prediction")


def _named(graph: onnx.GraphProto, prefix: str) -> onnx.GraphProto:
    """A copy in which every value but the constants has another name."""
    new = onnx.GraphProto()
    new.CopyFrom(graph)
    kept = {constant.name for constant in graph.initializer} | {""}
    for value in [*new.input, *new.output]:
        value.name = prefix + value.name
    for node in new.node:
        _rename(node, prefix, kept)
    return new


def _rename(node: onnx.NodeProto, prefix: str, kept: set[str]) -> None:
    for names in (node.input, node.output):
        names[:] = [name if name in kept else prefix + name for name in names]
    node.name = prefix + node.name
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            inner = attribute.g
            for held in [*inner.input, *inner.output, *inner.value_info, *inner.initializer]:
                held.name = prefix + held.name
            for below in inner.node:
                _rename(below, prefix, kept)


def _steps(
    total: _Sheet, model: onnx.ModelProto, nodes: np.ndarray, weights: np.ndarray, chunk: int, tail: list[int],
    indices: bool,
) -> None:  # fmt: skip
    """`path_slope`, the weighted sum of gradients along the way. Steps of weight 0 fill the last chunk."""
    turns = math.ceil(len(nodes) / chunk)
    filled = np.zeros((2, turns * chunk), np.float32)
    filled[:, : len(nodes)] = nodes, weights
    total.constant("path_nodes", filled[0].reshape(turns, chunk, *[1] * (len(tail) + 1)))
    total.constant("path_weights", filled[1].reshape(turns, 1, chunk))
    total.constant("path_points", np.array([-1, *tail], np.int64))
    total.constant("path_by_step", np.array([chunk, -1], np.int64))
    if indices:
        total.constant(
            "path_repeat", np.array([chunk] + [1] * (len(model.graph.input[1].type.tensor_type.shape.dim) - 1))
        )
        total.node("Tile", ["x", "path_repeat"], "path_indices")
    step = _named(model.graph, "step_")
    turn = _Sheet()
    turn.node("Mul", ["turn_nodes", "path_span"], "turn_way")
    turn.node("Add", ["turn_way", "path_start"], "turn_points")
    turn.node("Reshape", ["turn_points", "path_points"], step.input[0].name)
    if indices:
        turn.node("Identity", ["path_indices"], step.input[1].name)
    turn.nodes.extend(reaching(step, [step.output[1].name])[0])
    turn.node("Reshape", [step.output[1].name, "path_by_step"], "turn_gradients")
    turn.node("MatMul", ["turn_weights", "turn_gradients"], "turn_sum")
    turn.node("Reshape", ["turn_sum", "path_shape"], "turn_slope")
    turn.node("Add", ["turn_before", "turn_slope"], "turn_after")
    value: list[Any] = ["rows", *tail]
    scanned: list[Any] = [chunk, *[1] * (len(tail) + 1)]
    body = helper.make_graph(
        turn.nodes, "turn",
        [helper.make_tensor_value_info("turn_before", TensorProto.FLOAT, value),
         helper.make_tensor_value_info("turn_nodes", TensorProto.FLOAT, scanned),
         helper.make_tensor_value_info("turn_weights", TensorProto.FLOAT, [1, chunk])],
        [helper.make_tensor_value_info("turn_after", TensorProto.FLOAT, value)],
    )  # fmt: skip
    total.node("Scan", ["path_zero", "path_nodes", "path_weights"], "path_slope", body=body, num_scan_inputs=2)
