"""What the outputs of an ONNX file mean, seen in its graph and in its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper
from scipy.special import expit, softmax

from ascribe.core.errors import InputError
from ascribe.train.adapters.adopted import Asked, named_labels
from ascribe.train.graphs.flat_rows import Taken

__all__ = ["Outputs", "exposed", "named"]

SUM = 1e-3  # how far probabilities of a row may be from 1
NEAR = 1e-4
LAST = ("Softmax", "Sigmoid")
THROUGH = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Dropout")


@dataclass(frozen=True)
class Outputs:
    """`taken`: by the name that the bundle gives it; `labels` and `spaces` of a classifier."""

    taken: Mapping[str, Taken]
    labels: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def of(self, answers: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The file's answers as the bundle gives them."""
        return {name: _of(name, answers[taken.name], taken.how) for name, taken in self.taken.items()}


def _of(name: str, held: np.ndarray, how: str) -> np.ndarray:
    held = np.asarray(held, dtype=float).reshape(len(held), -1)
    if how.startswith("column:"):
        held = held[:, [int(how.split(":")[1])]]
    if how.startswith("margins"):
        held = np.concatenate([-held, held], axis=1)
    if how.startswith("chances"):
        held = np.concatenate([1 - held, held], axis=1)
    if how.endswith("logistic"):
        held = expit(held)
    if how == "softmax":
        held = softmax(held, axis=1)
    return held.reshape(len(held)) if name == "prediction" else held


def exposed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the inputs of last Softmax and Sigmoid as outputs too, and probabilities as an array instead of
    a map of labels (ZipMap).
    """
    made = {name: node for node in model.graph.node for name in node.output}
    maps = [value.name for value in model.graph.output if (n := made.get(value.name)) and n.op_type == "ZipMap"]
    found = [made[name].input[0] for name in maps]
    for value in model.graph.output:
        node = _last(made, value.name)
        if node is not None and node.input[0] in made:
            found.append(node.input[0])
    have = {value.name for value in model.graph.output}
    found = [name for name in dict.fromkeys(found) if name not in have]
    if not found:
        return model
    held = onnx.ModelProto()
    held.CopyFrom(model)
    kept = [value for value in model.graph.output if value.name not in maps]
    del held.graph.output[:]
    held.graph.output.extend(kept)
    held.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in found)
    nodes = [node for node in model.graph.node if not set(node.output) & set(maps)]
    del held.graph.node[:]
    held.graph.node.extend(nodes)
    return held


def _last(made: Mapping[str, onnx.NodeProto], name: str) -> onnx.NodeProto | None:
    """The Softmax or Sigmoid that an output comes from."""
    node = made.get(name)
    while node is not None and node.op_type in THROUGH:
        node = made.get(node.input[0])
    return node if node is not None and node.op_type in LAST else None


def named(model: onnx.ModelProto, seen: Mapping[str, np.ndarray], asked: Asked) -> Outputs:
    """Raises InputError where it cannot be told what the outputs are."""
    made = {name: node for node in model.graph.node for name in node.output}
    numbers = {n: a.reshape(len(a), -1).astype(float) for n, a in seen.items() if a.dtype.kind == "f"}
    wide = {name: held for name, held in numbers.items() if held.shape[1] > 1}
    narrow = {name: held for name, held in numbers.items() if held.shape[1] == 1}
    if wide:
        return _wide(wide, asked, _own_labels(model))
    if not narrow:
        raise InputError(
            f"no output holds numbers with a fraction ({', '.join(seen) or 'none'}): it cannot be explained"
        )
    for name in narrow:
        node = _last(made, name)
        if node is not None and node.op_type == "Sigmoid" and node.input[0] in narrow:
            taken = {"margin": Taken(node.input[0], "margins"), "probability": Taken(name, "chances")}
            return Outputs(taken, named_labels(asked, 2), ("margin", "probability"))
    first = next(iter(narrow))
    if asked.link == "logistic" or len(asked.labels) == 2:
        logistic = {"margin": Taken(first, "margins"), "probability": Taken(first, "margins,logistic")}
        taken = logistic if asked.link else {"margin": logistic["margin"]}
        return Outputs(taken, named_labels(asked, 2), tuple(taken))
    left = [name for name in narrow if name != first]
    warnings = (f"output {first} is explained; {', '.join(left)} is not",) if left else ()
    return Outputs({"prediction": Taken(first)}, warnings=warnings)


def _wide(wide: Mapping[str, np.ndarray], asked: Asked, own: tuple[str, ...]) -> Outputs:
    """Outputs of several columns: classes, or targets of which one is chosen."""
    chances = {n: a for n, a in wide.items() if a.min() >= -NEAR and np.abs(a.sum(axis=1) - 1).max() <= SUM}
    taken: dict[str, Taken] = {}
    if chances:
        probability, held = next(iter(chances.items()))
        rest = {n: a for n, a in wide.items() if n not in chances and a.shape == held.shape}
        margin = next((n for n, a in rest.items() if np.abs(softmax(a, axis=1) - held).max() < NEAR), None)
        if margin:
            taken["margin"] = Taken(margin)
        taken["probability"] = Taken(probability)
    else:
        name, held = next(iter(wide.items()))
        if not (asked.labels or asked.link):
            return _target(name, held.shape[1], asked)
        taken["margin"] = Taken(name)
        if asked.link:
            taken["probability"] = Taken(name, asked.link)
    return Outputs(taken, named_labels(asked, held.shape[1], own), tuple(taken))


def _target(name: str, k: int, asked: Asked) -> Outputs:
    if asked.output is None or not asked.output.isdigit() or int(asked.output) >= k:
        raise InputError(
            f"output {name} has {k} columns: if they are classes, give --labels FILE (and --link softmax for their "
            f"probabilities); if each is a target, choose one with --output 0 ... {k - 1}"
        )
    return Outputs({"prediction": Taken(name, f"column:{asked.output}")})


def _own_labels(model: onnx.ModelProto) -> tuple[str, ...]:
    """Labels that a classifier of ai.onnx.ml holds."""
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
                value = helper.get_attribute_value(attribute)
                if len(value):
                    return tuple(v.decode() if isinstance(v, bytes) else str(v) for v in value)
    return ()
