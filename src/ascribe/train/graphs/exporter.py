"""torch's ONNX exporter, without what it does again and again for nothing."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import onnx
import torch
from torch import nn
from torch.export import ExportedProgram

__all__ = ["OPSET", "exported", "quiet"]

OPSET = 20
CONDITIONS = frozenset({torch.ops.aten._assert_scalar.default, torch.ops.aten._assert_tensor_metadata.default})


def exported(network: nn.Module, example: Mapping[str, torch.Tensor], outputs: Sequence[str]) -> onnx.ModelProto:
    """As torch's exporter writes it, with free first axis. Raises what that raises, which has no common base."""
    with quiet(), _once():
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


@contextlib.contextmanager
def _once() -> Iterator[None]:
    """torch reads the sources of its five hundred operators anew at every export, a quarter of its time: kept here.

    And it traces every program a second time to write operators that have no ONNX form as others, two fifths of its
    time: where all have one, the second trace would be the first.
    """
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    read, trace = ONNXRegistry.from_torchlib, ExportedProgram.run_decompositions

    def run(program: ExportedProgram, *how: Any, **more: Any) -> ExportedProgram:
        for node in program.graph.nodes:
            _written_as_copy(node)
        known = ONNXRegistry.from_torchlib(opset_version=OPSET)  # read already, as the exporter asks for it
        whole = all(_stands(node, known) for node in program.graph.nodes)
        return program if whole else trace(program, *how, **more)

    with (
        mock.patch.object(ONNXRegistry, "from_torchlib", staticmethod(functools.partial(_operators, read))),
        mock.patch.object(ExportedProgram, "run_decompositions", run),
    ):
        yield


@functools.cache
def _operators(read: Callable[..., Any], opset_version: int) -> Any:
    return read(opset_version=opset_version)


def _stands(node: torch.fx.Node, operators: Any) -> bool:
    """Whether a second trace would leave the node as it is: what has an ONNX form and changes none of its inputs, sums
    of sizes, and conditions on them, which the exporter takes out.
    """
    if node.op != "call_function" or inspect.isroutine(node.target) or node.target in CONDITIONS:
        return True
    schema = getattr(node.target, "_schema", None)  # programs within a program have none
    return schema is not None and not schema.is_mutable and operators.is_registered(node.target)


def _written_as_copy(node: torch.fx.Node) -> None:
    """A cast as a second trace writes it: `aten.to` itself has no ONNX form."""
    if getattr(node.target, "overloadpacket", None) is torch.ops.aten.to:
        node.target, node.args = torch.ops.aten._to_copy.default, node.args[:1]
        node.kwargs = {"dtype": node.meta["val"].dtype}


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
