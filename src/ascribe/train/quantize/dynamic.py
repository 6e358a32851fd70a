"""Dynamic int8: each row has its own scale, measured when it comes.

    x[i] ~ s_i (q_i - 128),  s_i = max |x[i]| / 127            after ReLU:  s_i = max x[i] / 255, no 128
    W[c] ~ s_c w_c, |w_c| up to 64, or 127 with eight bits     an own scale for each output c
    y[i, c] = s_i s_c sum (q_i - 128) w_c + b_c                the sum in whole numbers

ONNX's DynamicQuantizeLinear takes one scale for all rows of a call, so that what a row is told depends on who asks with
it; here a row's answer is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ascribe.core.errors import CapabilityError
from ascribe.train.quantize.layers import Layer, layers, whole_weights

__all__ = ["dynamic"]

TINY = np.float32(1e-30)
AXES_ARE_INPUT = 18  # opset
ABOVE_ZERO = ("Relu", "Sigmoid")


def dynamic(model: onnx.ModelProto, bits: int = 7) -> onnx.ModelProto:
    """Of a prepared graph. Raises CapabilityError for a layer whose rows are no matrix or map."""
    held = onnx.ModelProto()
    held.CopyFrom(model)
    constants = {t.name: numpy_helper.to_array(t) for t in held.graph.initializer}
    found = {layer.name: layer for layer in layers(model)}
    made_by = {name: node for node in held.graph.node for name in node.output}
    opset = next(o.version for o in held.opset_import if o.domain in ("", "ai.onnx"))
    sheet = _Sheet([], {}, {}, opset, bits)
    for node in list(held.graph.node):
        layer = found.get(node.name)
        if layer is None:
            sheet.nodes.append(node)
        else:
            sheet.layer(node, layer, constants, _least(made_by.get(node.input[0]), constants))
    del held.graph.node[:], held.graph.value_info[:]
    held.graph.node.extend(sheet.nodes)
    used = {name for node in sheet.nodes for name in node.input}
    kept = [t for t in held.graph.initializer if t.name in used]
    del held.graph.initializer[:]
    held.graph.initializer.extend(kept)
    held.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in sheet.constants.items())
    return held


def _least(node: NodeProto | None, constants: dict[str, np.ndarray]) -> bool:
    """Whether what the node gives is never below zero."""
    if node is None or node.op_type in ABOVE_ZERO:
        return node is not None
    return node.op_type == "Clip" and len(node.input) > 1 and bool(np.all(constants.get(node.input[1], -1.0) >= 0))


@dataclass(frozen=True)
class _Sheet:
    """Nodes and constants as they come; `rounded`: values that have been rounded, with their scale."""

    nodes: list[NodeProto]
    constants: dict[str, np.ndarray]
    rounded: dict[str, tuple[str, str, int]]
    opset: int
    bits: int

    def layer(self, node: NodeProto, layer: Layer, constants: dict[str, np.ndarray], positive: bool) -> None:
        W = constants[layer.weight]
        gemm = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        maps = layer.kind == "Conv"
        if (maps and W.ndim != 4) or (not maps and W.ndim != 2):
            raise CapabilityError(
                f"layer {layer.name} has weights {W.shape}: int8-dynamic rounds matrices and maps only"
            )
        if gemm.get("transB"):
            W = W.T
        if layer.kind == "Gemm":
            if gemm.get("transA"):
                raise CapabilityError(f"layer {layer.name} turns its rows around: int8-dynamic cannot round it")
            W = W * np.float32(gemm.get("alpha", 1.0))
        whole, scale = whole_weights(W, 0 if maps else 1, self.bits)
        q, s, zero = self._rounded(node.input[0], maps, positive)
        name = f"{layer.name}:int8"
        y = node.output[0]
        self.constants[f"{name}_w"] = whole
        self.constants[f"{name}_s"] = scale.reshape(1, -1, 1, 1) if maps else scale
        self.constants[f"zero{zero}"] = np.array(zero, np.uint8)
        kept = [a for a in node.attribute if maps]
        kind = "ConvInteger" if maps else "MatMulInteger"
        sums = helper.make_node(kind, [q, f"{name}_w", f"zero{zero}"], [f"{name}_n"], name=name)
        sums.attribute.extend(kept)
        third = node.input[2] if len(node.input) > 2 else ""
        if third and third not in constants:
            raise CapabilityError(
                f"layer {layer.name} has a bias that the graph computes: int8-dynamic cannot round it"
            )
        bias = constants[third] * np.float32(gemm.get("beta", 1.0)) if third else None
        scaled = y if bias is None else f"{name}_z"
        self.nodes.extend([
            sums,
            helper.make_node("Cast", [f"{name}_n"], [f"{name}_f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_f", s], [f"{name}_a"]),
            helper.make_node("Mul", [f"{name}_a", f"{name}_s"], [scaled]),
        ])  # fmt: skip
        if bias is not None:
            self.constants[f"{name}_b"] = bias.reshape(1, -1, 1, 1) if maps else bias
            self.nodes.append(helper.make_node("Add", [scaled, f"{name}_b"], [y]))

    def _rounded(self, x: str, maps: bool, positive: bool) -> tuple[str, str, int]:
        """x in whole numbers 0 ... 255, the scale of each row, and the number that stands for 0."""
        if x in self.rounded:
            return self.rounded[x]
        zero, most = (0, 255.0) if positive else (128, 127.0)
        self.constants.update({
            f"most{zero}": np.array(most, np.float32), "tiny": np.array(TINY), "lowest": np.array(0, np.float32),
            "highest": np.array(255, np.float32), f"shift{zero}": np.array(zero, np.float32),
        })  # fmt: skip
        name = f"{x}:int8"
        self.nodes.extend([
            helper.make_node("Abs", [x], [f"{name}_abs"]),
            self._largest(f"{name}_abs", f"{name}_top", (1, 2, 3) if maps else (-1,)),
            helper.make_node("Max", [f"{name}_top", "tiny"], [f"{name}_max"]),
            helper.make_node("Div", [f"{name}_max", f"most{zero}"], [f"{name}_s"]),
            helper.make_node("Div", [x, f"{name}_s"], [f"{name}_r"]),
            helper.make_node("Round", [f"{name}_r"], [f"{name}_t"]),
            helper.make_node("Add", [f"{name}_t", f"shift{zero}"], [f"{name}_u"]),
            helper.make_node("Clip", [f"{name}_u", "lowest", "highest"], [f"{name}_c"]),
            helper.make_node("Cast", [f"{name}_c"], [f"{name}_q"], to=TensorProto.UINT8),
        ])  # fmt: skip
        self.rounded[x] = (f"{name}_q", f"{name}_s", zero)
        return self.rounded[x]

    def _largest(self, x: str, y: str, axes: Sequence[int]) -> NodeProto:
        """Of each row; ONNX takes the axes as an input from opset 18 on."""
        if self.opset < AXES_ARE_INPUT:
            return helper.make_node("ReduceMax", [x], [y], keepdims=1, axes=list(axes))
        name = f"axes{len(axes)}"
        self.constants[name] = np.array(axes, np.int64)
        return helper.make_node("ReduceMax", [x, name], [y], keepdims=1)
