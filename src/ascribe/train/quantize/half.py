"""Half precision: weights, and everything between the layers.

16 bits hold three digits of a number and nothing above 65,504: counters are scaled, and watts put together, in float32.
Converters that take whole graphs round what comes in as well, and a counter of 1e9 becomes infinite; so the part
between the layers is cast here: what enters it, its constants, and what leaves it.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ascribe.core.errors import CapabilityError
from ascribe.train.quantize.layers import between, last_values

__all__ = ["half"]

SCALES = ("Resize", "Upsample")  # their constants say where, not how much
MOST = float(np.finfo(np.float16).max)


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Of a prepared graph. Raises CapabilityError for a constant that 16 bits cannot hold."""
    names = {node.name for node in between(model)}
    ends, known = last_values(model), _floats(model)
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    inside = {name for node in model.graph.node if node.name in names for name in node.output}
    nodes: list[onnx.NodeProto] = []
    made: dict[str, np.ndarray] = {}
    cast: set[str] = set()
    for node in model.graph.node:
        held = onnx.NodeProto()
        held.CopyFrom(node)
        nodes.append(held)
        if node.name not in names:
            continue
        for k, name in enumerate(node.input):
            if name in constants and constants[name].dtype == np.float32 and node.op_type not in SCALES:
                made[f"{name}:half"] = _small(name, constants[name])
                held.input[k] = f"{name}:half"
            elif name in inside and name in known:
                held.input[k] = f"{name}:half"
            elif name in known and name not in constants:
                if name not in cast:
                    nodes.insert(-1, helper.make_node("Cast", [name], [f"{name}:half"], to=TensorProto.FLOAT16))
                    cast.add(name)
                held.input[k] = f"{name}:half"
        for attribute in held.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
        for k, name in enumerate(node.output):
            if name in known:
                held.output[k] = f"{name}:half"
                if name in ends:
                    nodes.append(helper.make_node("Cast", [f"{name}:half"], [name], to=TensorProto.FLOAT))
    return _with(model, nodes, made)


def _small(name: str, value: np.ndarray) -> np.ndarray:
    limit = np.finfo(np.float32).max
    bounds = np.where(np.abs(value) >= limit, np.sign(value) * MOST, value)  # no bound stays no bound
    if np.abs(bounds).max(initial=0.0) > MOST:
        raise CapabilityError(
            f"constant {name} reaches {np.abs(bounds).max():.3g}, which fp16 cannot hold: use another precision"
        )
    return bounds.astype(np.float16)


def _floats(model: onnx.ModelProto) -> set[str]:
    """Values that are float32."""
    told = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    return {value.name for value in told if value.type.tensor_type.elem_type == TensorProto.FLOAT}


def _with(model: onnx.ModelProto, nodes: list[onnx.NodeProto], made: dict[str, np.ndarray]) -> onnx.ModelProto:
    held = onnx.ModelProto()
    held.CopyFrom(model)
    used = {name for node in nodes for name in node.input}
    kept = [t for t in held.graph.initializer if t.name in used]
    del held.graph.node[:], held.graph.initializer[:], held.graph.value_info[:]
    held.graph.node.extend(nodes)
    held.graph.initializer.extend([*kept, *(numpy_helper.from_array(v, k) for k, v in made.items())])
    return held
