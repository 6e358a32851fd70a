"""Static int8: what comes into a layer is rounded by ranges that were seen on calibration rows.

    x ~ s_x (q_x - z_x), q_x in 0 ... 255;     W[c] ~ s_c q_c, |q_c| up to 64 or 127, an own scale for each output c

written as pairs QuantizeLinear, DequantizeLinear (QDQ), which ONNX Runtime turns into whole-number kernels. Weights
have seven bits unless eight are asked for: processors without the newer dot products add 255 x 127 twice in 16 bits and
saturate, so that eight give other answers there. What the last layers give is not rounded: no prediction of 256 steps.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QDQQuantizer, QuantType, TensorsData
from onnxruntime.quantization.calibrate import create_calibrator

from ascribe.core.errors import InputError
from ascribe.train.graphs.exporter import quiet
from ascribe.train.quantize.layers import between, in_order, last_values, layers

__all__ = ["RANGES", "ranges", "static"]

RANGES = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
KINDS = (
    "Conv", "Gemm", "MatMul", "Relu", "Clip", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Flatten",
    "Reshape", "Slice", "Pad", "Transpose",
)  # fmt: skip
NUMBERS_AT_ONCE = 1 << 19  # of calibration rows


class _Rows(CalibrationDataReader):
    """One call's rows."""

    def __init__(self, X: np.ndarray) -> None:
        self._left: list[np.ndarray] = [X.astype(np.float32)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return {"x": self._left.pop()} if self._left else None


def ranges(model: onnx.ModelProto, X: np.ndarray, by: str = "minmax") -> TensorsData:
    """Of everything between the layers, on rows X (rows, n). Raises InputError for an unknown way."""
    if by not in RANGES:
        raise InputError(f"no ranges by '{by}': use {', '.join(RANGES)}")
    with tempfile.TemporaryDirectory() as folder, quiet():
        place = Path(folder) / "model.onnx"
        onnx.save(model, place)
        found = create_calibrator(
            place, list(KINDS), augmented_model_path=str(Path(folder) / "all.onnx"), calibrate_method=RANGES[by]
        )
        step = max(1, NUMBERS_AT_ONCE // X.shape[1])
        for k in range(0, len(X), step):  # what is collected in one call is held in memory
            found.collect_data(_Rows(X[k : k + step]))
        return found.compute_data()


def static(
    model: onnx.ModelProto, seen: TensorsData, bits: int = 7, kept: Collection[str] = (), only: str = ""
) -> onnx.ModelProto:
    """A prepared graph with QDQ pairs. Layers named in `kept` stay float32, and what stands next to them; or `only` one
    is rounded.
    """
    held = onnx.ModelProto()
    held.CopyFrom(model)
    names = [only] if only else _rounded(model, set(kept))
    ends = last_values(model)
    with quiet():
        quantizer = QDQQuantizer(
            held, True, bits < 8, QuantType.QInt8, QuantType.QUInt8, seen, names, list(kept), list(KINDS),
            {"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"], "WeightSymmetric": True},
        )  # fmt: skip
        quantizer.quantize_model()
    return in_order(_bare_ends(quantizer.model.model, ends))


def _rounded(model: onnx.ModelProto, kept: set[str]) -> list[str]:
    """Names of the nodes whose inputs and outputs are rounded."""
    inner = [node for node in between(model) if node.op_type in KINDS]
    touched = {name for node in inner if node.name in kept for name in (*node.input, *node.output)}
    plain = {layer.name for layer in layers(model)} - kept
    return [
        node.name for node in inner
        if node.name in plain or (node.name not in kept and touched.isdisjoint((*node.input, *node.output)))
    ]  # fmt: skip


def _bare_ends(model: onnx.ModelProto, ends: set[str]) -> onnx.ModelProto:
    """Without the pairs on what the last layers give."""
    pairs = {node.input[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    back = {node.input[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    for name in ends & pairs.keys():
        down = pairs[name]
        up = back[down.output[0]]
        for node in model.graph.node:
            if node is not down:
                for k, held in enumerate(node.input):
                    if held == up.output[0]:
                        node.input[k] = name
        model.graph.node.remove(down)
        model.graph.node.remove(up)
    return model
