"""ONNX files: classifiers and regressions with one input, or an input a column.

What the outputs are is seen on the background: an output whose rows sum to 1 is probabilities; one whose softmax is
that, margins. Where a file only gives what a last Softmax or Sigmoid makes, its input is the margin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from ascribe.bundle.sessions import session
from ascribe.core.arrays import evenly
from ascribe.core.errors import BundleError, CapabilityError, InputError
from ascribe.train.adapters.adopted import Adopted, Asked
from ascribe.train.adapters.onnx_inputs import Entry, entry
from ascribe.train.adapters.onnx_outputs import Outputs, exposed, named
from ascribe.train.graphs.flat_rows import fed, flat_graph

__all__ = ["of_model", "read"]

Library = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
OLDEST = 13
LOOKED_AT = 32  # rows on which outputs are recognised


def read(path: Path, asked: Asked) -> Adopted:
    """Raises InputError for a broken file, inputs or outputs that are not understood, CapabilityError for an operator
    that ONNX Runtime does not know.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model, full_check=False)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as exc:
        raise InputError(f"{path} is no ONNX file, or is not whole ({str(exc).splitlines()[0]})") from exc
    except FileNotFoundError as exc:  # weights in another file
        raise InputError(f"{path} keeps its weights in {exc.filename or 'another file'}, which is not there") from exc
    return of_model(model, asked, str(path))


def of_model(
    model: onnx.ModelProto, asked: Asked, what: str, kind: str = "onnx", library: Library | None = None
) -> Adopted:
    """A model in memory; `what` names it in messages. `library`: inputs -> outputs, by name, as another library than
    ONNX Runtime gives them: what the bundle is compared with.
    """
    model = _newer(model, what)
    held, freed = _freed(model)
    model = exposed(model)
    held = exposed(held)
    try:
        run = session(model.SerializeToString(), what).run
    except BundleError as exc:
        raise CapabilityError(f"{exc}: it cannot be imported") from exc
    into: Entry = entry(model, asked)
    tensors = [value.name for value in model.graph.output if value.type.HasField("tensor_type")]

    def original(X: np.ndarray) -> dict[str, np.ndarray]:
        parts = [X[i : i + 1] for i in range(len(X))] if freed else [X]
        given = [fed(into.feeds, part) for part in parts]
        answers = [run(tensors, inputs) for inputs in given]
        told = dict(zip(tensors, (np.concatenate(found) for found in zip(*answers, strict=True)), strict=True))
        return told | dict(library(given[0])) if library else told

    rows = into.rows(asked)
    try:
        seen = original(rows[evenly(len(rows), LOOKED_AT)])
    except Exception as exc:  # onnxruntime's exceptions share no base class
        raise InputError(f"{what} cannot answer the background rows ({str(exc).splitlines()[0]})") from exc
    out: Outputs = named(model, seen, asked)
    graph = flat_graph(held, into.feeds, out.taken, into.layout)
    return Adopted(
        kind, into.layout, lambda X: out.of(original(X)), into.features, out.labels, out.spaces, graph,
        origin={"preparation": into.preparation, "inputs": [feed.name for feed in into.feeds],
                "outputs": {name: taken.name for name, taken in out.taken.items()}, **into.told},
        warnings=out.warnings,
    )  # fmt: skip


def _newer(model: onnx.ModelProto, what: str) -> onnx.ModelProto:
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=OLDEST)
    if opset >= OLDEST:
        return model
    try:
        return onnx.version_converter.convert_version(model, OLDEST)
    except Exception as exc:  # the converter's errors share no base class
        raise InputError(f"{what} is of opset {opset} and cannot be converted to {OLDEST}: export it again") from exc


def _freed(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
    """The model for any number of rows, and whether it was for one: reshapes to one row keep the rows there are.
    Whether that is right is seen when both are compared, the file row by row.
    """
    constants = {held.name for held in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    firsts = [value.type.tensor_type.shape.dim[:1] for value in inputs]
    if not any(dim and dim[0].dim_value == 1 for dim in firsts):
        return model, False
    held = onnx.ModelProto()
    held.CopyFrom(model)
    shapes = {node.input[1] for node in held.graph.node if node.op_type == "Reshape" and node.input[0] not in constants}
    for k, tensor in enumerate(held.graph.initializer):
        value = onnx.numpy_helper.to_array(tensor)
        if tensor.name in shapes and value.ndim == 1 and len(value) > 1 and value[0] == 1:
            value = np.concatenate([[0], value[1:]]).astype(value.dtype)
            held.graph.initializer[k].CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    return held, True
