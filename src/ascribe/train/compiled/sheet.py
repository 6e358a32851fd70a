"""An ONNX graph while it is being written: one call a node, one name a result, equal constants once.

    sheet = Sheet("explain"); y = sheet.op("Add", x, sheet.const(1.0)); sheet.model(inputs, outputs)

Other graphs are written into it (`inline`), and a part of it can run once for every chunk of a leading axis (`scan`),
which is what bounds its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, inliner, numpy_helper, version_converter

from ascribe.core.errors import BundleError
from ascribe.train.graphs.exporter import OPSET

__all__ = ["Shape", "Sheet"]

ML_OPSET = 3  # of ai.onnx.ml, where trees live
Shape = Sequence[str | int | None]
TYPES = {"float": TensorProto.FLOAT, "double": TensorProto.DOUBLE, "bool": TensorProto.BOOL, "int64": TensorProto.INT64}


class Sheet:
    """Nodes and constants. A sheet inside another (`scan`) shares its constants and may use its results."""

    def __init__(self, name: str, outer: Sheet | None = None) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self._root: Sheet = outer._root if outer else self
        if outer is None:
            self.constants: dict[str, onnx.TensorProto] = {}
            self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
            self._count = 0
            self.ml_opset = ML_OPSET

    def fresh(self, word: str = "t") -> str:
        """A name that nothing else has."""
        self._root._count += 1
        return f"{word}_{self._root._count}"

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node; its result's name."""
        name = self.fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def split(self, x: str, axis: int, *sizes: int) -> list[str]:
        """Parts of these sizes along an axis."""
        at = self.ints(*sizes)
        names = [self.fresh("split") for _ in sizes]
        self.nodes.append(helper.make_node("Split", [x, at], names, axis=axis))
        return names

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        """The name of a constant; equal ones are stored once."""
        held = np.asarray(value, dtype=dtype)
        key = (held.dtype.str, held.shape, held.tobytes())
        root = self._root
        if key not in root._known:
            root._known[key] = name = self.fresh("const")
            root.constants[name] = numpy_helper.from_array(held, name)
        return root._known[key]

    def ints(self, *values: int) -> str:
        """A vector of int64, as shapes and axes are."""
        return self.const(values, np.int64)

    def cast(self, x: str, to: str) -> str:
        return self.op("Cast", x, to=TYPES[to])

    def inline(self, graph: bytes, prefix: str, *inputs: str) -> list[str]:
        """Write a whole graph in, its inputs taken in order; the names of its outputs. Constants are shared with other
        copies under the same prefix.

        Raises BundleError for a graph whose operators are newer than this house writes.
        """
        proto = inliner.inline_local_functions(onnx.load_from_string(graph))
        for used in proto.opset_import:
            if used.domain in ("", "ai.onnx"):
                if used.version > OPSET:
                    raise BundleError(f"{prefix} uses opset {used.version}: export it with at most {OPSET}")
                if used.version < OPSET:
                    proto = version_converter.convert_version(proto, OPSET)
                    break
        for used in proto.opset_import:
            if used.domain == "ai.onnx.ml":
                self._root.ml_opset = max(self._root.ml_opset, used.version)
        held = {i.name: numpy_helper.to_array(i) for i in proto.graph.initializer}
        fed = [i.name for i in proto.graph.input if i.name not in held]
        if len(fed) != len(inputs):
            raise BundleError(
                f"{prefix} has {len(fed)} inputs, not {len(inputs)}: it is not the graph that it should be"
            )
        names = dict(zip(fed, inputs, strict=True)) | {k: self.const(v, v.dtype) for k, v in held.items()}
        graph = compose.add_prefix_graph(
            proto.graph, f"{self.fresh(prefix)}/", rename_inputs=False, rename_initializers=False,
            rename_value_infos=False, name_map=names,
        )  # fmt: skip
        self.nodes.extend(graph.node)
        return [o.name for o in graph.output]

    def scan(
        self, parts: Sequence[str], types: Sequence[str], body: Callable[[Sheet, list[str]], list[str]]
    ) -> list[str]:
        """`body(sheet, parts of one index)` for each index of the leading axis, one after the other; its results
        stacked on a new leading axis. `types`: element types of `parts`.
        """
        inner = Sheet(self.fresh("body"), self)
        inside = [inner.fresh("chunk") for _ in parts]
        found = body(inner, inside)
        result = [inner.op("Identity", name) for name in found]
        graph = helper.make_graph(
            inner.nodes, inner.name,
            [helper.make_tensor_value_info(name, TYPES[kind], None) for name, kind in zip(inside, types, strict=True)],
            [onnx.ValueInfoProto(name=name) for name in result],
        )  # fmt: skip
        names = [self.fresh("stacked") for _ in result]
        self.nodes.append(helper.make_node("Scan", list(parts), names, body=graph, num_scan_inputs=len(parts)))
        return names

    def model(
        self,
        inputs: Mapping[str, tuple[str, Shape]],
        outputs: Mapping[str, tuple[str, str, Shape]],
        notes: Mapping[str, str],
    ) -> onnx.ModelProto:
        """The finished graph. `inputs`: name -> (type, shape); `outputs`: name -> (result, type, shape)."""
        for name, (held, _, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [held], [name]))
        used = set(_read(self.nodes))
        graph = helper.make_graph(
            self.nodes, self.name,
            [helper.make_tensor_value_info(name, TYPES[kind], shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TYPES[kind], shape) for name, (_, kind, shape) in outputs.items()],
            [held for name, held in self.constants.items() if name in used],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", self.ml_opset)]
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="ascribe")
        helper.set_model_props(proto, dict(notes))
        return proto


def _read(nodes: Sequence[onnx.NodeProto]) -> Iterator[str]:
    """Every name that some node reads, in subgraphs too."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _read(graph.node)
