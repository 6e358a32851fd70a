"""torch -> ONNX with parity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
import torch
from torch import nn

from ascribe.bundle.sessions import session
from ascribe.core.errors import BundleError
from ascribe.train.graphs.exporter import exported

__all__ = ["check_parity", "finish", "prune", "reaching", "to_graphs", "to_onnx"]

TOLERANCE = 1e-5  # of the largest value of an output, float32 against float32


def to_onnx(
    network: nn.Module,
    example: Mapping[str, torch.Tensor],
    outputs: Sequence[str],
    tolerance: float = TOLERANCE,
    least: float = 0.0,
) -> bytes:
    """The network as a self-contained graph with free first axis, checked against torch on the example and on one
    row alone.

    Raises BundleError if ONNX Runtime and torch differ by more than `tolerance` of an output's largest value, or of
    `least` in its unit where all are smaller: what has hardly been trained gives the rounding of its sums.
    """
    return to_graphs(network, example, {"": outputs}, tolerance, least)[""]


def to_graphs(
    network: nn.Module,
    example: Mapping[str, torch.Tensor],
    outputs: Mapping[str, Sequence[str]],
    tolerance: float = TOLERANCE,
    least: float = 0.0,
) -> dict[str, bytes]:
    """As `to_onnx`, from one trace a graph for each name in `outputs`, which gives the network's outputs in order."""
    network = network.eval().cpu()
    every = [name for names in outputs.values() for name in names]
    proto = exported(network, example, every)
    graphs = {role: finish(_only(proto, names) if len(outputs) > 1 else proto) for role, names in outputs.items()}
    for rows in (None, 1):
        inputs = {name: value[:rows].numpy() for name, value in example.items()}
        with torch.no_grad():
            told = network(*(torch.as_tensor(v) for v in inputs.values()))
        told = told if isinstance(told, tuple) else (told,)
        wanted = dict(zip(every, (t.numpy() for t in told), strict=True))
        for role, names in outputs.items():
            check_parity(graphs[role], inputs, {name: wanted[name] for name in names}, tolerance, least)
    return graphs


def _only(proto: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """What these outputs need."""
    part = onnx.ModelProto.FromString(proto.SerializeToString())
    held = [value for value in proto.graph.output if value.name in outputs]
    del part.graph.output[:]
    part.graph.output.extend(held)
    prune(part.graph)
    return part


def prune(graph: onnx.GraphProto) -> None:
    """Nodes and constants that no output depends on go."""
    nodes, wanted = reaching(graph, [value.name for value in graph.output])
    constants = [held for held in graph.initializer if held.name in wanted]
    for field, held in ((graph.node, nodes), (graph.initializer, constants)):
        copies = [type(one).FromString(one.SerializeToString()) for one in held]
        del field[:]
        field.extend(copies)


def reaching(graph: onnx.GraphProto, values: Iterable[str]) -> tuple[list[onnx.NodeProto], set[str]]:
    """Nodes that some values depend on, in their order; and the names of all that is read on the way, theirs too."""
    wanted, kept = set(values), []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(_reads(node))
    return kept[::-1], wanted


def _reads(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, with what the graphs inside of it read, however deep they lie."""
    inner = [graph for a in node.attribute for graph in (a.g, *a.graphs)]
    return set(node.input).union(
        *(_reads(n) for g in inner for n in g.node), *({o.name for o in g.output} for g in inner)
    )


def finish(proto: onnx.ModelProto) -> bytes:
    """Bytes without the exporter's notes (source lines and paths of the machine that exported): same in, same out."""
    for held in [*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output,
                 *proto.graph.initializer, proto.graph, proto, *proto.functions]:  # fmt: skip
        for field in ("metadata_props", "doc_string"):
            if any(f.name == field for f in held.DESCRIPTOR.fields):
                held.ClearField(field)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString(deterministic=True))


def check_parity(
    graph: bytes,
    inputs: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
    tolerance: float = TOLERANCE,
    least: float = 0.0,
) -> float:
    """Largest difference relative to each output's largest value, or to `least` where that is more. Raises BundleError
    above `tolerance`.
    """
    got = session(graph, "exported graph").run(list(wanted), dict(inputs))
    worst = 0.0
    for (name, value), found in zip(wanted.items(), got, strict=True):
        largest = float(np.abs(value).max())
        gap = float(np.abs(value - found).max()) / max(largest, least, 1e-12)
        if not gap <= tolerance:
            unit = f"{least:g}, more than its largest value" if largest < least else "its largest value"
            raise BundleError(f"exported output {name} differs from the model by {gap:.2g} of {unit}: not kept")
        worst = max(worst, gap)
    return worst
