"""Slopes, maps and attention of an adopted network, from its own graph of flat rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from ascribe.core.errors import AscribeError
from ascribe.core.layout import Layout
from ascribe.train.graphs.inside_graphs import attention_graph, gradient_graphs, layers_graph, map_layers
from ascribe.train.graphs.onnx_network import from_onnx

__all__ = ["insides"]

OWN = "model_"  # how the file's own values begin; what was put before them is no layer of it
ROWS = 4  # that graphs are traced with and compared on


def insides(
    graph: bytes, spaces: Sequence[str], layout: Layout, X: np.ndarray
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Graphs of the roles gradient, embed, layers and attention by file, and why one is not there. `graph`: x (rows, n)
    -> `spaces`, or prediction; `X (rows, n)`: real rows.
    """
    rows = np.resize(X[:ROWS], (max(2, min(len(X), ROWS)), X.shape[1])).astype(np.float32)
    example = torch.as_tensor(rows)
    try:
        network: nn.Module = from_onnx(_joined(graph, spaces), example)
        table = next((name for name, held in network.named_modules() if isinstance(held, nn.Embedding)), None)
        files = gradient_graphs(network, example, embedding=table if layout.kind == "text" else None)
    except AscribeError as exc:
        return {}, (f"no gradients: {exc}",)
    except Exception as exc:  # a graph that torch cannot follow; the exporter's errors share no base class
        return {}, (f"no gradients: this network cannot be traced ({' '.join(str(exc).split())[:160]})",)
    notes = []
    try:
        if layout.kind == "image":
            found = map_layers(network, example)
            shown = {name.removeprefix(OWN): at for name, at in found.items() if name.startswith(OWN)}
            files |= {"layers": layers_graph(network, example, shown)} if shown else {}
        if (weights := attention_graph(network, example, graph)) is not None:
            files["attention"] = weights
    except AscribeError as exc:
        notes.append(f"no maps or attention: {exc}")
    return {f"{role}.onnx": raw for role, raw in files.items()}, tuple(notes)


def _joined(graph: bytes, spaces: Sequence[str]) -> bytes:
    """All margins, then all probabilities as one output."""
    if len(spaces) < 2:
        return graph
    model = onnx.load_from_string(graph)
    model.graph.node.append(helper.make_node("Concat", list(spaces), ["every"], axis=1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("every", TensorProto.FLOAT, ["rows", None]))
    return bytes(model.SerializeToString())
