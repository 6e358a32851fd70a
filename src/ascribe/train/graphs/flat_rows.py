"""An ONNX graph of any input as a graph of flat rows, and the same step in numpy.

    table    x (rows, n)            -> one input (rows, n), or one input a column, of numbers or texts
    image    x (rows, h w c)        -> (x - mean) * scale as (rows, h, w, c) or (rows, c, h, w)
    text     x (rows, length)       -> whole numbers

Texts of a categorical column are looked up by their number inside the graph. The graph's own tensors are renamed, so
that it may hold any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, compose, helper, numpy_helper

from ascribe.core.layout import Layout
from ascribe.train.graphs.export import finish, prune

__all__ = ["NUMPY", "Feed", "Taken", "fed", "flat_graph"]

PREFIX = "model/"
OLDEST_ML = 2  # numbers are looked up
OLDEST_IR = 8  # constants need not be inputs
NUMPY: dict[int, type] = {
    TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32, TensorProto.UINT8: np.uint8,
}  # fmt: skip
Step = tuple[str, list[str], dict[str, Any]]
"""An operator, what it takes beside the row, its attributes."""


@dataclass(frozen=True)
class Feed:
    """One input of the file: `name`, ONNX type `kind`, the `columns` of a row that it takes; `words` where they are
    texts. Of an image: the file's `shape` (height, width, channels), `first` where channels come first, `mean`,
    `scale`. `bare`: one column without an axis of its own.
    """

    name: str
    kind: int
    columns: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    first: bool = False
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    bare: bool = False


@dataclass(frozen=True)
class Taken:
    """An output of the flat graph: from the file's tensor `name`; `how`: as it is, `column:k`, `margins` (m as -m, m),
    `chances` (p as 1 - p, p), or through `softmax` or `logistic`.
    """

    name: str
    how: str = ""


def fed(feeds: Sequence[Feed], X: np.ndarray) -> dict[str, np.ndarray]:
    """Rows X (rows, n) as the file's inputs."""
    return {feed.name: _fed(feed, X) for feed in feeds}


def _fed(feed: Feed, X: np.ndarray) -> np.ndarray:
    held = X[:, list(feed.columns)] if feed.columns else X
    if feed.words:
        return np.array([[feed.words[int(k)] for k in row] for row in held], dtype=object)
    if feed.shape:
        kind: Any = np.float64 if feed.kind == TensorProto.DOUBLE else np.float32
        mean, scale = np.asarray(feed.mean, kind), np.asarray(feed.scale, kind)
        held = (held.reshape(-1, *feed.shape).astype(kind) - mean) * scale
        held = held.transpose(0, 3, 1, 2) if feed.first else held
    held = held[:, 0] if feed.bare else held
    return np.ascontiguousarray(held, NUMPY[feed.kind])


def flat_graph(model: onnx.ModelProto, feeds: Sequence[Feed], outputs: Mapping[str, Taken], layout: Layout) -> bytes:
    """The file as a graph `x (rows, n)` -> `outputs` by name."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    held = [*model.graph.initializer, *(sparse.values for sparse in model.graph.sparse_initializer)]
    known = {constant.name: PREFIX + constant.name for constant in held}  # which onnx forgets inside of branches
    graph = compose.add_prefix_graph(made.graph, PREFIX, inplace=True, name_map=known)
    nodes: list[NodeProto] = []
    wide = any(feed.kind == TensorProto.DOUBLE for feed in feeds)
    for k, feed in enumerate(feeds):
        nodes += _entry(graph, feed, f"feed{k}", PREFIX + feed.name, wide)
    last: list[NodeProto] = []
    del graph.input[:], graph.output[:]
    kind = TensorProto.DOUBLE if wide else TensorProto.FLOAT
    graph.input.append(helper.make_tensor_value_info("x", kind, ["rows", layout.n]))
    for name, taken in outputs.items():
        last += _exit(graph, name, PREFIX + taken.name, taken.how)
        shape = ["rows"] if name == "prediction" else ["rows", None]
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *own, *last])
    graph.name = "predict"
    del graph.value_info[:]  # the first axis is free now
    if any(feed.words for feed in feeds):
        sets = [o for o in made.opset_import if o.domain == "ai.onnx.ml"]
        for opset in sets:
            opset.version = max(opset.version, OLDEST_ML)
        made.opset_import.extend([] if sets else [helper.make_opsetid("ai.onnx.ml", OLDEST_ML)])
    made.ir_version = max(made.ir_version, OLDEST_IR)
    prune(graph)
    return finish(made)


def _constant(graph: onnx.GraphProto, name: str, value: np.ndarray) -> str:
    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _entry(graph: onnx.GraphProto, feed: Feed, name: str, target: str, wide: bool) -> list[NodeProto]:
    """From x to one input of the file."""
    steps: list[Step] = []
    if feed.columns:
        steps.append(("Gather", [_constant(graph, f"{name}_columns", np.array(feed.columns, np.int64))], {"axis": 1}))
    if feed.shape:
        shape = np.array([-1, *feed.shape], np.int64)
        steps.append(("Reshape", [_constant(graph, f"{name}_shape", shape)], {}))
        kind = np.float64 if wide else np.float32
        if any(feed.mean):
            steps.append(("Sub", [_constant(graph, f"{name}_mean", np.array(feed.mean, kind))], {}))
        if any(held != 1 for held in feed.scale):
            steps.append(("Mul", [_constant(graph, f"{name}_scale", np.array(feed.scale, kind))], {}))
        if feed.first:
            steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    if feed.bare:
        steps.append(("Squeeze", [_constant(graph, f"{name}_axis", np.array([1], np.int64))], {}))
    if feed.words:
        if wide:
            steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
        numbers = [float(k) for k in range(len(feed.words))]
        steps.append(("LabelEncoder", [], {"keys_floats": numbers, "values_strings": list(feed.words)}))
    elif feed.kind != (TensorProto.DOUBLE if wide else TensorProto.FLOAT):
        steps.append(("Cast", [], {"to": feed.kind}))
    return _chain(steps, "x", target, name)


def _exit(graph: onnx.GraphProto, name: str, source: str, how: str) -> list[NodeProto]:
    """From an output of the file to one of ours."""
    steps: list[Step] = [("Cast", [], {"to": TensorProto.FLOAT})]
    if how.startswith("column:"):
        at = _constant(graph, f"{name}_at", np.array([int(how.split(":")[1])], np.int64))
        steps.append(("Gather", [at], {"axis": -1}))
    if name == "prediction":
        steps.append(("Reshape", [_constant(graph, "prediction_shape", np.array([-1], np.int64))], {}))
        return _chain(steps, source, name, name)
    if how.startswith(("margins", "chances")):  # one column of two classes
        steps.append(("Reshape", [_constant(graph, f"{name}_shape", np.array([-1, 1], np.int64))], {}))
        before = _chain(steps, source, f"{name}_one", name)
        one = _constant(graph, f"{name}_1", np.array(1, np.float32))
        other = helper.make_node("Neg", [f"{name}_one"], [f"{name}_other"]) if how.startswith("margins") else (
            helper.make_node("Sub", [one, f"{name}_one"], [f"{name}_other"])
        )  # fmt: skip
        both = [helper.make_node("Concat", [f"{name}_other", f"{name}_one"], [f"{name}_both"], axis=1)]
        link = helper.make_node("Sigmoid" if how.endswith("logistic") else "Identity", [f"{name}_both"], [name])
        return [*before, other, *both, link]
    if how in LINKS:
        steps.append(LINKS[how])
    steps.append(("Flatten", [], {"axis": 1}))
    return _chain(steps, source, name, name)


LINKS: dict[str, Step] = {
    "softmax": ("Softmax", [], {"axis": -1}),
    "logistic": ("Sigmoid", [], {}),
}


def _chain(steps: Sequence[Step], first: str, last: str, name: str) -> list[NodeProto]:
    """Operators one after the other: (operator, more inputs, attributes)."""
    if not steps:
        return [helper.make_node("Identity", [first], [last])]
    nodes, at = [], first
    for k, (kind, more, attributes) in enumerate(steps):
        to = last if k == len(steps) - 1 else f"{name}_{k}"
        domain = "ai.onnx.ml" if kind == "LabelEncoder" else ""
        nodes.append(helper.make_node(kind, [at, *more], [to], domain=domain, **attributes))
        at = to
    return nodes
