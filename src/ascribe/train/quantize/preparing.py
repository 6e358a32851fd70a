"""The float graph that every precision begins with: folded, named, its layers plain products."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from ascribe.core.errors import CapabilityError
from ascribe.train.graphs.export import prune
from ascribe.train.quantize.layers import axis_of, layers

__all__ = ["prepared"]

OPSET = 13  # the first that quantises by channel


def prepared(graph: bytes) -> onnx.ModelProto:
    """The graph with constants folded, batch normalisation inside its convolutions, and a name on every node.

    Raises CapabilityError where it has no layers (trees have nothing to round), or layers of double numbers.
    """
    proto = onnx.load_from_string(graph)
    if any(node.domain not in ("", "ai.onnx") for node in proto.graph.node) or not layers(proto):
        raise CapabilityError(
            "this bundle's model has no layers of weights (trees, tables): there is nothing to quantise"
        )
    if max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0) < OPSET:
        proto = onnx.version_converter.convert_version(proto, OPSET)
    held = onnx.load_from_string(_folded(proto))
    names = [node.name for node in held.graph.node]
    for k, node in enumerate(held.graph.node):
        if not node.name or names.count(node.name) > 1:
            node.name = f"{node.op_type}:{k}"
    used = {node.domain or "" for node in held.graph.node}
    kept = [o for o in held.opset_import if o.domain in used]
    del held.opset_import[:]
    held.opset_import.extend(kept)
    kinds = {tensor.name: tensor.data_type for tensor in held.graph.initializer}
    if any(kinds[layer.weight] != onnx.TensorProto.FLOAT for layer in layers(held)):
        raise CapabilityError(
            "this bundle's model counts in double numbers: only float32 is quantised, import it as such"
        )
    _plain_products(held)
    return onnx.shape_inference.infer_shapes(held)


def _plain_products(model: onnx.ModelProto) -> None:
    """Every Gemm of constants as x W + b, its alpha and beta inside W and b, and b with a number for each output: ONNX
    Runtime's quantiser takes no others, or rounds them as if they were such.
    """
    constants = {held.name: numpy_helper.to_array(held) for held in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Gemm" or node.input[1] not in constants:
            continue
        told = {a.name: a.f for a in node.attribute if a.name in ("alpha", "beta")}
        W = constants[node.input[1]]
        if told.get("alpha", 1.0) != 1:
            node.input[1] = _kept(model, node.name, node.input[1], W * np.float32(told["alpha"]))
        bias = constants.get(node.input[2]) if len(node.input) > 2 else None
        wide = (W.shape[axis_of(node)],)
        if bias is not None and bias.shape in (wide, (), (1,), (1, 1), (1, *wide)):
            beta = told.pop("beta", 1.0)
            if bias.shape != wide or beta != 1:
                node.input[2] = _kept(model, node.name, node.input[2], np.resize(bias, wide) * np.float32(beta))
        rest = [a for a in node.attribute if a.name != "alpha" and (a.name != "beta" or "beta" in told)]
        del node.attribute[:]
        node.attribute.extend(rest)
    prune(model.graph)


def _kept(model: onnx.ModelProto, node: str, name: str, value: np.ndarray) -> str:
    """The name of a constant of the node's own."""
    own = f"{name}:{node}"
    model.graph.initializer.append(numpy_helper.from_array(value, own))
    return own


def _folded(proto: onnx.ModelProto) -> bytes:
    """By ONNX Runtime's simplest rules, which leave operators of ONNX only."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return Path(options.optimized_model_filepath).read_bytes()
