"""An ONNX file as a torch network, so that a model from any framework has a gradient.

Arrays become buffers; single numbers and lists of whole numbers stay Python's (`onnx_operators`). The network is
compared with ONNX Runtime on an example before it is handed over.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from ascribe.core.errors import CapabilityError, InputError
from ascribe.train.graphs.export import check_parity
from ascribe.train.graphs.onnx_operators import OPERATORS

__all__ = ["OnnxNetwork", "from_onnx"]

OLDEST = 13  # axes of softmax, squeeze and reductions mean something else before
TOLERANCE = 1e-4


class OnnxNetwork(nn.Module):
    """The nodes of a graph in their order; `forward(x)` gives one output.

    `at.NAME` is a module whose output is the value NAME of the graph (letters and digits kept, the rest as `_`, one
    more where that is taken): what is shown of a layer is read there. A table that words are looked up in is an
    `nn.Embedding`, `at.NAME` too.
    """

    def __init__(self, model: onnx.ModelProto, output: str | None = None) -> None:
        super().__init__()
        graph = model.graph
        self.values: dict[str, Any] = {}
        self.buffers_of: dict[str, str] = {}
        for constant in graph.initializer:
            self._keep(constant.name, numpy_helper.to_array(constant))
        inputs = [value.name for value in graph.input if value.name not in self.values.keys() | self.buffers_of.keys()]
        outputs = [value.name for value in graph.output]
        if len(inputs) != 1 or (output is not None and output not in outputs):
            raise InputError(
                f"a graph with inputs {', '.join(inputs)} and outputs {', '.join(outputs)}: "
                "one input is differentiated, and output= names one of the outputs"
            )
        self.input, self.output = inputs[0], output or outputs[0]
        self.at = nn.ModuleDict()
        self.steps: list[tuple[str, dict[str, Any], list[str], list[str], str]] = []
        for node in graph.node:
            attributes = {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute}
            if node.op_type == "Constant":
                self._keep(node.output[0], _constant(attributes))
                continue
            if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
                raise CapabilityError(
                    f"the operator {node.op_type} of the ONNX file cannot be read: give the torch network itself, "
                    "or add it to ascribe/train/graphs/onnx_operators.py"
                )
            if node.op_type == "Split":
                attributes.setdefault("num_outputs", len(node.output))
            name = _module(node.output[0], self.at)
            self.steps.append((node.op_type, attributes, list(node.input), list(node.output), name))
            self.at[name] = self._looked_up(node, attributes) or nn.Identity()

    def _keep(self, name: str, value: np.ndarray) -> None:
        if value.ndim == 0 or (value.dtype.kind == "i" and value.ndim == 1):
            self.values[name] = value.tolist()
        else:
            self.buffers_of[name] = f"constant{len(self.buffers_of)}"
            self.register_buffer(self.buffers_of[name], torch.tensor(value))

    def _looked_up(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> nn.Embedding | None:
        """The table of a Gather from a matrix of constants."""
        if node.op_type != "Gather" or attributes.get("axis", 0) or node.input[0] not in self.buffers_of:
            return None
        table = getattr(self, self.buffers_of[node.input[0]])
        whole = node.input[1] not in self.values
        return nn.Embedding.from_pretrained(table) if table.ndim == 2 and table.is_floating_point() and whole else None

    def forward(self, x: Tensor) -> Tensor:
        held = {**self.values, **{name: getattr(self, at) for name, at in self.buffers_of.items()}, "": None}
        held[self.input] = x
        for kind, attributes, inputs, outputs, name in self.steps:
            module = self.at[name]
            if isinstance(module, nn.Embedding):
                held[outputs[0]] = module(held[inputs[1]])
                continue
            try:
                told = OPERATORS[kind](attributes, [held[value] for value in inputs])
            except (KeyError, TypeError, IndexError) as exc:
                raise CapabilityError(
                    f"the operator {kind} of the ONNX file, at {outputs[0]}, is used in a way that cannot be read: "
                    "give the torch network itself"
                ) from exc
            if isinstance(told, Tensor):
                told = module(told)
            held.update(zip(outputs, told if isinstance(told, tuple) else (told,), strict=False))
        y: Tensor = held[self.output]
        return y


def _module(output: str, taken: nn.ModuleDict) -> str:
    """The name of the module that gives a value of the graph; `_` at its end where another value has it."""
    name = re.sub(r"\W", "_", output)
    while name in taken:
        name += "_"
    return name


def _plain(value: Any) -> Any:
    """Bytes as text; tensors and lists as they are."""
    return value.decode() if isinstance(value, bytes) else value


def _constant(attributes: dict[str, Any]) -> np.ndarray:
    (value,) = attributes.values()
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def from_onnx(graph: bytes | str | Path, example: Tensor, *, output: str | None = None) -> OnnxNetwork:
    """The network of an ONNX file or its bytes, opset 13 or newer; `output` names one of several outputs.

    `example (rows, ...)`: rows on which the network is compared with ONNX Runtime.

    Raises CapabilityError for an operator that cannot be read (it is named) or an older opset, InputError for several
    inputs or an unknown output, BundleError where the network differs by more than 1e-4 of the largest value.
    """
    raw = graph if isinstance(graph, bytes) else Path(graph).read_bytes()
    model = onnx.load_from_string(raw)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < OLDEST:
        raise CapabilityError(f"opset {opset} cannot be read: convert the file with onnx.version_converter to {OLDEST}")
    network = OnnxNetwork(model, output).eval()
    with torch.no_grad():
        told = network(example).numpy()
    check_parity(raw, {network.input: example.numpy()}, {network.output: told}, TOLERANCE)
    return network
