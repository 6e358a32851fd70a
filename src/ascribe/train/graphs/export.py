"""torch -> ONNX with parity."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from unittest import mock

import numpy as np
import onnx
import torch
from torch import nn

from ascribe.bundle.sessions import session
from ascribe.core.errors import BundleError

__all__ = ["OPSET", "check_parity", "exported", "finish", "prune", "quiet", "to_graphs", "to_onnx"]

OPSET = 20
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


def exported(network: nn.Module, example: Mapping[str, torch.Tensor], outputs: Sequence[str]) -> onnx.ModelProto:
    """As torch's exporter writes it, with free first axis. Raises what that raises, which has no common base."""
    with quiet(), _operators_read_once():
        program = torch.onnx.export(
            network,
            tuple(example.values()),
            input_names=list(example),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple({0: torch.export.Dim("rows", min=1)} for _ in example),
            verbose=False,
        )
    assert program is not None
    return program.model_proto


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
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    constants = [held for held in graph.initializer if held.name in wanted]
    nodes = kept[::-1]
    for field, held in ((graph.node, nodes), (graph.initializer, constants)):
        copies = [type(one).FromString(one.SerializeToString()) for one in held]
        del field[:]
        field.extend(copies)


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
        gap = float(np.abs(value - found).max() / max(np.abs(value).max(), least, 1e-12))
        if not gap <= tolerance:
            raise BundleError(
                f"exported output {name} differs from the model by {gap:.2g} of its largest value: not kept"
            )
        worst = max(worst, gap)
    return worst


@contextlib.contextmanager
def _operators_read_once() -> Iterator[None]:
    """torch reads the sources of its five hundred operators anew at every export, a quarter of its time: kept here."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    kept = staticmethod(functools.partial(_operators, ONNXRegistry.from_torchlib))
    with mock.patch.object(ONNXRegistry, "from_torchlib", kept):
        yield


@functools.cache
def _operators(read: Callable[..., object], opset_version: int) -> object:
    return read(opset_version=opset_version)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporter warns of its own future, prints its steps and logs each absent optional package.

    Nor is garbage collected: what a trace makes lives as long as it, and to walk all of it again and again takes a
    twentieth of its time, a seventh in a process that holds much.
    """
    held, collecting = logging.root.manager.disable, gc.isenabled()
    logging.disable(logging.WARNING)
    gc.disable()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(held)
        if collecting:
            gc.enable()
