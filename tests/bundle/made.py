"""Bundles without any training, in a world whose law is known.

    u, e_j ~ N(0, 1);   score_j = sqrt(RHO) u + sqrt(1 - RHO) e_j;   x_j = CENTRE_j + SPREAD_j score_j
    watts = 40 + 30 busy + 8 ghz + 2 misses + noise                  unit W

The proposal graph is the exact conditional: with k observed scores, precision p = 1 + k RHO/(1 - RHO),
E[u | x_S] = sqrt(RHO)/(1 - RHO) sum_S score / p, and a hidden score has mean sqrt(RHO) E[u], factor sqrt(RHO/p).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.feather
from onnx import TensorProto, helper, numpy_helper

from ascribe.bundle.archive import Bundle, entry, open_directory, write
from ascribe.bundle.manifest import FORMAT, Amortized, Conditional, Lineage, Manifest, Target
from ascribe.core.features import Feature

NAME = "node-power"
CREATED = "2026-11-01T00:00:00Z"
FEATURES = (
    Feature("busy", "ratio", -2.0, 3.0),
    Feature("ghz", "Hz", 0.0, 10.0),
    Feature("misses", "count/s", -50.0, 100.0),
)
WATTS = Target("power", "W")
WEIGHTS, BIAS = np.array([30.0, 8.0, 2.0]), 40.0
CENTRE, SPREAD = np.array([0.5, 4.0, 20.0]), np.array([0.1, 0.4, 2.0])
RHO, ROWS, KNOTS = 0.8, 300, 129


@dataclass(frozen=True)
class World:
    """What may differ between two bundles. `gain`: 1 for the true conditional mean, -1 for its opposite; `blind`:
    below this score of `busy` the prediction is not a number; `noise` in W and `rows_of`, a seed: the held-out rows,
    unless they are given.
    """

    weights: tuple[float, ...] = tuple(WEIGHTS)
    bias: float = BIAS
    gain: float = 1.0
    blind: float | None = None
    conditional: bool = True
    holdout: bool = True
    weighting: str = "proposal"
    features: tuple[Feature, ...] = FEATURES
    target: Target = WATTS
    created: str = CREATED
    noise: float = 0.5
    rows_of: int = 2
    rows_given: tuple[np.ndarray, np.ndarray] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    surrogate: bool = False
    amortized: bool = False
    value: str = "completions"
    share: tuple[float, ...] = ()


def rows(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    score = np.sqrt(RHO) * rng.standard_normal((count, 1)) + np.sqrt(1 - RHO) * rng.standard_normal((count, 3))
    return CENTRE + SPREAD * score


def parts(world: World | None = None, **changes: Any) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the files of a bundle."""
    world = replace(world or World(), **changes)
    names = [f.name for f in world.features]
    files = {"predict.onnx": predict_graph(world), "background.npz": npz(background=rows(64, 1))}
    if world.holdout:
        X = rows(ROWS, world.rows_of)
        y = BIAS + X @ WEIGHTS + world.noise * np.random.default_rng(3).standard_normal(ROWS)
        if world.rows_given is not None:
            X, y = world.rows_given
        columns = {name: X[:, j] for j, name in enumerate(names)} | {world.target.name: y, "row": np.arange(len(y))}
        out = io.BytesIO()
        pyarrow.feather.write_feather(pa.table(columns), out, compression="uncompressed")
        files["holdout.arrow"] = out.getvalue()
    if world.conditional:
        table = CENTRE[:, None] + SPREAD[:, None] * np.linspace(-4, 4, KNOTS)
        files |= {"proposal.onnx": proposal_graph(world.gain), "scores.npz": npz(table=table.astype(np.float32))}
    if world.surrogate:
        files["surrogate.onnx"] = surrogate_graph(world)
    if world.amortized:
        files["amortized.onnx"] = amortized_graph(world)
    answer = world.bias + np.array(world.weights) @ CENTRE
    return manifest_of(world, files, float(answer)), files


def manifest_of(world: World, files: Mapping[str, bytes], answer: float) -> Manifest:
    return Manifest(
        format=FORMAT,
        created=world.created,
        family="linear",
        features=[f.to_json() for f in world.features],
        target=world.target,
        roles={name.split(".")[0]: name for name in files},
        files={name: entry(raw) for name, raw in files.items()},
        base_value=float(np.mean(world.bias + rows(64, 1) @ np.array(world.weights))),
        metrics={},
        lineage=Lineage("made", "0" * 64, "0", 0, {}, {"fit": 64}),
        example={"x": CENTRE.tolist(), "prediction": [answer]},
        scaling={},
        conditional=Conditional("emshap", world.weighting, 1, 1, "", world.value, list(world.share))
        if world.conditional
        else None,
        labels=dict(world.labels),
        amortized=Amortized(world.value, [0.5, 0.25, 0.125], 0.9, 96) if world.amortized else None,
    )


def made(directory: Path, world: World | None = None, **changes: Any) -> Bundle:
    """A bundle on disk."""
    manifest, files = parts(world, **changes)
    write(directory, manifest, files)
    return open_directory(directory)


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def model(nodes: list, inputs: list, outputs: list, constants: Mapping[str, np.ndarray]) -> bytes:
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "made", inputs, outputs, held)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def predict_graph(world: World) -> bytes:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["dot"])]
    constants = {"w": np.array(world.weights, np.float32), "b": np.array([world.bias], np.float32)}
    last = "dot"
    if world.blind is not None:  # + 0 sqrt(busy - floor)
        floor = CENTRE[0] + SPREAD[0] * world.blind
        constants |= {"pick": np.array([1, 0, 0], np.float32), "floor": np.array([floor], np.float32)}
        constants |= {"zero": np.array([0], np.float32)}
        nodes += [
            helper.make_node("MatMul", ["x", "pick"], ["busy"]),
            helper.make_node("Sub", ["busy", "floor"], ["above"]),
            helper.make_node("Sqrt", ["above"], ["root"]),
            helper.make_node("Mul", ["root", "zero"], ["nothing"]),
            helper.make_node("Add", ["dot", "nothing"], ["sum"]),
        ]
        last = "sum"
    nodes.append(helper.make_node("Add", [last, "b"], ["prediction"]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])]
    return model(nodes, inputs, [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["rows"])], constants)


def surrogate_graph(world: World) -> bytes:
    """f of the conditional mean, which for a linear f is the mean of f."""
    node = helper.make_node
    weights = np.array(world.weights)
    constants = {
        "zero": np.array(0, np.float32), "one": np.array(1, np.float32), "axis": np.array([1]),
        "odds": np.array(RHO / (1 - RHO), np.float32), "w": (weights * SPREAD).astype(np.float32),
        "b": np.array(world.bias + weights @ CENTRE, np.float32),
    }  # fmt: skip
    nodes = [
        node("Cast", ["observed"], ["seen"], to=TensorProto.FLOAT),
        node("Where", ["observed", "score", "zero"], ["known"]),
        node("ReduceSum", ["known", "axis"], ["total"], keepdims=1),
        node("ReduceSum", ["seen", "axis"], ["k"], keepdims=1),
        node("Mul", ["k", "odds"], ["k_odds"]),
        node("Add", ["k_odds", "one"], ["precision"]),
        node("Mul", ["total", "odds"], ["pulled"]),
        node("Div", ["pulled", "precision"], ["centre"]),
        node("Where", ["observed", "score", "centre"], ["full"]),
        node("MatMul", ["full", "w"], ["dot"]),
        node("Add", ["dot", "b"], ["value"]),
    ]
    inputs = [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 3]),
        helper.make_tensor_value_info("observed", TensorProto.BOOL, ["rows", 3]),
    ]
    return model(nodes, inputs, [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["rows"])], constants)


def amortized_graph(world: World) -> bytes:
    """w (x - centre): the parts of f, which are not its conditional Shapley values."""
    constants = {"centre": CENTRE.astype(np.float32), "w": np.array(world.weights, np.float32)}
    nodes = [helper.make_node("Sub", ["x", "centre"], ["d"]), helper.make_node("Mul", ["d", "w"], ["attribution"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])]
    output = helper.make_tensor_value_info("attribution", TensorProto.FLOAT, ["rows", 3])
    return model(nodes, inputs, [output], constants)


def proposal_graph(gain: float) -> bytes:
    f32 = lambda *values: np.array(values, np.float32)  # noqa: E731
    constants = {
        "zero": f32(0), "one": f32(1), "axis": np.array([1]), "odds": f32(RHO / (1 - RHO)), "rho": f32(RHO),
        "pull": f32(gain * RHO / (1 - RHO)), "own": np.full((1, 1, 3), 1 - RHO, np.float32),
        "column": np.zeros((1, 1, 3), np.float32), "rank": np.zeros((1, 1, 3, 1), np.float32),
        "three": np.array([-1, 1, 1]), "four": np.array([-1, 1, 1, 1]),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Cast", ["observed"], ["seen"], to=TensorProto.FLOAT),
        node("Where", ["observed", "score", "zero"], ["known"]),
        node("ReduceSum", ["known", "axis"], ["total"], keepdims=1),
        node("ReduceSum", ["seen", "axis"], ["k"], keepdims=1),
        node("Mul", ["k", "odds"], ["k_odds"]),
        node("Add", ["k_odds", "one"], ["precision"]),
        node("Mul", ["total", "pull"], ["pulled"]),
        node("Div", ["pulled", "precision"], ["centre"]),
        node("Div", ["rho", "precision"], ["shared"]),
        node("Sqrt", ["shared"], ["load"]),
        node("Mul", ["total", "zero"], ["logits"]),
        node("Reshape", ["centre", "three"], ["centre3"]),
        node("Add", ["centre3", "column"], ["mean"]),
        node("Mul", ["centre3", "zero"], ["zero3"]),
        node("Add", ["zero3", "own"], ["diag"]),
        node("Reshape", ["load", "four"], ["load4"]),
        node("Add", ["load4", "rank"], ["factor"]),
    ]
    shapes = {"logits": ["rows", 1], "mean": ["rows", 1, 3], "diag": ["rows", 1, 3], "factor": ["rows", 1, 3, 1]}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    inputs = [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 3]),
        helper.make_tensor_value_info("observed", TensorProto.BOOL, ["rows", 3]),
    ]
    return model(nodes, inputs, outputs, constants)
