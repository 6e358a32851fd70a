"""A tiny bundle without any training: a linear power model of three counters, its proposal, tables and background.

watts = 40 + 30 busy + 8 ghz + 2 misses          unit W
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ascribe.bundle.archive import entry, open_directory, write
from ascribe.bundle.manifest import FORMAT, Conditional, Lineage, Manifest, Target
from ascribe.bundle.registry import Registry
from ascribe.core.features import Feature

NAME = "node-power"
AT = "2026-11-01T00:00:00+00:00"
FEATURES = (
    Feature("busy", "1", 0.0, 1.0, seen_low=0.0, seen_high=1.0),
    Feature("ghz", "GHz", 0.0, 10.0, seen_low=0.5, seen_high=4.0),
    Feature("misses", "1/s", 0.0, seen_low=0.0, seen_high=20.0),
)
WEIGHTS = np.array([30.0, 8.0, 2.0], np.float32)
BIAS = 40.0
CENTRE, SPREAD = np.array([0.5, 2.0, 8.0]), np.array([0.1, 0.4, 2.0])
ROW = {"busy": 0.6, "ghz": 2.5, "misses": 9.0}
RANK, COMPONENTS = 1, 2


def publish(directory: Path, *, conditional: bool = True, created: str = AT) -> tuple[str, str]:
    """Write, publish and promote; returns the registry's place and the version."""
    bundle = directory / "bundle"
    files = {"predict.onnx": _predict(), "background.npz": _npz(background=_rows())}
    roles = {"predict": "predict.onnx", "background": "background.npz"}
    if conditional:
        table = CENTRE[:, None] + SPREAD[:, None] * np.linspace(-4, 4, 129)
        files |= {"proposal.onnx": _proposal(), "scores.npz": _npz(table=table.astype(np.float32))}
        roles |= {"proposal": "proposal.onnx", "scores": "scores.npz"}
    x = [float(v) for v in CENTRE]
    manifest = Manifest(
        format=FORMAT,
        created=created,
        family="linear",
        features=[f.to_json() for f in FEATURES],
        target=Target("power", "W"),
        roles=roles,
        files={name: entry(raw) for name, raw in files.items()},
        base_value=float(BIAS + WEIGHTS @ CENTRE),
        metrics={},
        scaling={},
        lineage=Lineage("tiny", "0" * 64, "0", 0, {}, {"train": 64}),
        example={"x": x, "prediction": [float(BIAS + WEIGHTS @ np.array(x))]},
        conditional=Conditional("emshap", "proposal", RANK, COMPONENTS) if conditional else None,
    )
    write(bundle, manifest, files)
    registry = Registry(str(directory / "registry"))
    version = registry.publish(NAME, open_directory(bundle))
    held = registry.versions(NAME)
    registry.promote(NAME, version, AT, expected=None if len(held) == 1 else held[0])
    return str(directory / "registry"), version


def _rows() -> np.ndarray:
    normal = np.random.default_rng(0).standard_normal((64, 3))
    return np.clip(CENTRE + SPREAD * normal, 0, [1, 10, np.inf])


def _npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def _model(nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray]) -> bytes:
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _predict() -> bytes:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["dot"]), helper.make_node("Add", ["dot", "b"], ["prediction"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])]
    outputs = [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["batch"])]
    return _model(nodes, inputs, outputs, {"w": WEIGHTS, "b": np.array([BIAS], np.float32)})


def _proposal() -> bytes:
    """The same two joint Gaussians whatever is observed: constants, expanded to the batch."""
    c, n, r = COMPONENTS, 3, RANK
    parts = {
        "logits": np.array([[0.0, -1.0]], np.float32),
        "mean": np.array([[[0, 0, 0], [0.5, -0.5, 0.2]]], np.float32),
        "diag": np.full((1, c, n), 0.5, np.float32),
        "factor": np.full((1, c, n, r), 0.6, np.float32),
    }
    constants = {f"{name}_constant": value for name, value in parts.items()}
    constants |= {f"{name}_tail": np.array(value.shape[1:], np.int64) for name, value in parts.items()}
    constants |= {"first": np.array([0], np.int64), "next": np.array([1], np.int64)}
    nodes = [
        helper.make_node("Shape", ["score"], ["shape"]),
        helper.make_node("Slice", ["shape", "first", "next"], ["batch"]),
        helper.make_node("Cast", ["observed"], ["seen"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["score", "seen"], ["unused"]),
    ]
    outputs = []
    for name, value in parts.items():
        nodes += [
            helper.make_node("Concat", ["batch", f"{name}_tail"], [f"{name}_shape"], axis=0),
            helper.make_node("Expand", [f"{name}_constant", f"{name}_shape"], [name]),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *value.shape[1:]]))
    inputs = [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch", 3]),
        helper.make_tensor_value_info("observed", TensorProto.BOOL, ["batch", 3]),
    ]
    return _model(nodes, inputs, outputs, constants)
