"""An operator read from an ONNX file is what ONNX Runtime computes, and what cannot be read is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ascribe.core.errors import CapabilityError, InputError
from ascribe.train.graphs.export import to_onnx
from ascribe.train.graphs.exporter import OPSET
from ascribe.train.graphs.gradients import gradient_graph
from ascribe.train.graphs.onnx_network import from_onnx
from ascribe.train.graphs.onnx_operators import OPERATORS

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def single(*sizes: int) -> np.ndarray:
    return np.random.default_rng(sum(sizes)).standard_normal(sizes).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def written(
    kind: str, constants: list[Any], attributes: dict[str, Any], shape: tuple[int, ...], opset: int = OPSET,
    before: str | None = None, after: str | None = None,
) -> bytes:  # fmt: skip
    """A graph of one operator; `before` and `after` turn its input into, or its output from, something else."""
    nodes, first, last = [], "x", "y"
    if before is not None:
        options = {"to": {"Cast": BOOL}[before]} if before == "Cast" else {}
        nodes.append(helper.make_node(before, ["x"], ["x1"], **options))
        first = "x1"
    names = [first, *("" if c is None else f"c{k}" for k, c in enumerate(constants))]
    outputs = ["y1" if after else last] + (["more"] if kind == "Split" else [])
    nodes.append(helper.make_node(kind, names, outputs, **attributes))
    if after == "Cast":
        nodes.append(helper.make_node("Cast", ["y1"], [last], to=FLOAT))
    elif after == "Expand":
        nodes.append(helper.make_node("Expand", ["x", "y1"], [last]))
    held = [numpy_helper.from_array(c, f"c{k}") for k, c in enumerate(constants) if c is not None]
    x = helper.make_tensor_value_info("x", FLOAT, shape)
    graph = helper.make_graph(nodes, "one", [x], [helper.make_tensor_value_info(last, FLOAT, None)], held)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", opset)]).SerializeToString()


def positive(*sizes: int) -> np.ndarray:
    return np.abs(single(*sizes)) + np.float32(0.5)


PAIR = [single(4)]
PLAIN = {"Abs", "Cos", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "LogSoftmax",
         "Mish", "Neg", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sin", "Softmax", "Softplus", "Softsign", "Tanh",
         "GlobalAveragePool", "GlobalMaxPool", "Flatten", "Transpose", "Dropout"}  # fmt: skip
IMAGE = (2, 4, 9, 8)
CASES: list[tuple[str, list[Any], dict[str, Any], dict[str, Any]]] = [
    *((name, [], {}, {"shape": IMAGE if name.startswith("Global") else (2, 3, 4)}) for name in sorted(PLAIN)),
    *((name, PAIR, {}, {}) for name in ("Add", "Div", "Max", "Min", "Mul", "PRelu", "Sub")),
    *((name, [np.float32(0.1)], {}, {"after": "Cast"}) for name in ("Equal", "Greater", "Less")),
    *((name, [], {}, {"before": "Abs"}) for name in ("Log", "Sqrt")),
    ("And", [np.array([True, False, True, True])], {}, {"before": "Cast", "after": "Cast"}),
    ("Not", [], {}, {"before": "Cast", "after": "Cast"}),
    ("Where", [PAIR[0], single(1)], {}, {"before": "Cast"}),
    ("Pow", [np.float32(2)], {}, {}),
    ("MatMul", [single(4, 5)], {}, {}),
    ("Gemm", [single(5, 4), single(5)], {"transB": 1, "alpha": 0.5, "beta": 2.0}, {"shape": (3, 4)}),
    ("Cast", [], {"to": FLOAT}, {}),
    ("Clip", [np.float32(-0.5), np.float32(0.5)], {}, {}),
    ("Conv", [single(6, 2, 3, 3), single(6)], {"group": 2, "pads": [1, 0, 1, 0], "strides": [2, 1]}, {"shape": IMAGE}),
    ("Conv", [single(6, 4, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, {"shape": IMAGE}),
    ("Conv", [single(6, 4, 2)], {"auto_pad": "SAME_LOWER"}, {"shape": (2, 4, 9)}),
    ("MaxPool", [], {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "strides": [2, 2]}, {"shape": IMAGE}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, {"shape": IMAGE}),
    ("AveragePool", [], {"kernel_shape": [2], "strides": [2], "ceil_mode": 1}, {"shape": (2, 4, 9)}),
    ("BatchNormalization", [single(4), single(4), single(4), positive(4)], {}, {"shape": IMAGE}),
    ("LayerNormalization", [single(4), single(4)], {"epsilon": 1e-3}, {}),
    ("Concat", [single(2, 3, 2)], {"axis": 2}, {}),
    ("Expand", [whole(5, 1, 3, 4)], {}, {"shape": (3, 4)}),
    ("Gather", [whole(2, 0)], {"axis": 1}, {}),
    ("Gather", [np.array(1)], {"axis": -1}, {}),
    ("Pad", [whole(0, 1, 0, 0, 2, 0), np.float32(3)], {}, {}),
    ("Pad", [whole(0, 0, 1, 0, 0, 1)], {"mode": "edge"}, {}),
    ("ReduceMean", [whole(1, 2)], {}, {}),
    ("ReduceSum", [whole(-1)], {"keepdims": 0}, {}),
    ("ReduceMax", [], {}, {}),
    ("Reshape", [whole(0, -1, 2)], {}, {}),
    ("Shape", [], {}, {"after": "Expand"}),
    ("Slice", [whole(1), whole(9), whole(2), whole(2)], {}, {}),
    ("Split", [whole(1, 2)], {"axis": 1}, {}),
    ("Split", [], {"axis": 1, "num_outputs": 2}, {"shape": (2, 4, 3)}),
    ("Split", [], {"axis": 1}, {"shape": (2, 4, 3), "opset": 13}),
    ("Max", [PAIR[0], single(1)], {}, {}),
    ("Max", [], {}, {}),
    ("Min", [PAIR[0], single(1)], {}, {}),
    ("Selu", [], {"alpha": 1.0, "gamma": 2.0}, {}),
    ("Squeeze", [whole(1)], {}, {"shape": (2, 1, 4)}),
    ("Unsqueeze", [whole(0, -1)], {}, {}),
]


@pytest.mark.parametrize(("kind", "constants", "attributes", "options"), CASES, ids=[c[0] for c in CASES])
def test_an_operator_is_that_of_onnx_runtime(kind, constants, attributes, options):
    shape = options.get("shape", (2, 3, 4))
    raw = written(kind, constants, attributes, **{"shape": shape, **options})
    from_onnx(raw, torch.tensor(single(*shape)))  # raises where the two differ


def test_every_operator_is_tested():
    assert {kind for kind, *_ in CASES} == OPERATORS.keys()


def test_a_network_goes_out_and_comes_back_with_its_gradient():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU6(), nn.MaxPool2d(2), nn.Flatten(), nn.LayerNorm(64),
        nn.Linear(64, 3), nn.Softmax(-1),
    ).eval()  # fmt: skip
    x = torch.randn(5, 2, 8, 8)
    back = from_onnx(to_onnx(network, {"x": x}, ["y"]), x)
    for held in (network, back):
        z = x.clone().requires_grad_()
        held.told = torch.autograd.grad(held(z)[:, 1].sum(), z)[0]
    assert torch.allclose(network.told, back.told, atol=1e-6)
    gradient_graph(back, x, target=1)  # free rows: raises at one row otherwise


def test_sizes_that_the_graph_computes_leave_the_rows_free():
    """Shape -> Gather -> Concat -> Reshape, as exporters write `x.view(len(x), -1)`."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["rows"]),
        helper.make_node("Unsqueeze", ["rows", "axis"], ["list"]),
        helper.make_node("Concat", ["list", "rest"], ["sizes"], axis=0),
        helper.make_node("Reshape", ["x", "sizes"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["y"]),
    ]
    held = {"first": np.array(0), "axis": whole(0), "rest": whole(-1), "weight": single(12, 2)}
    graph = helper.make_graph(
        nodes, "sizes", [helper.make_tensor_value_info("x", FLOAT, ["rows", 3, 4])],
        [helper.make_tensor_value_info("y", FLOAT, ["rows", 2])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    raw = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", OPSET)]).SerializeToString()
    x = torch.tensor(single(5, 3, 4))
    gradient_graph(from_onnx(raw, x), x, target=0)


def test_what_cannot_be_read_is_named():
    x = torch.ones(2, 3, 4)
    with pytest.raises(CapabilityError, match=r"operator Det of the ONNX file cannot be read: give the torch network"):
        from_onnx(written("Det", [], {}, (2, 3, 3)), x)
    with pytest.raises(CapabilityError, match=r"opset 12 cannot be read: convert"):
        from_onnx(written("Relu", [], {}, (2, 3, 4), opset=12), x)
    with pytest.raises(InputError, match=r"inputs x and outputs y: .*output= names"):
        from_onnx(written("Relu", [], {}, (2, 3, 4)), x, output="z")
    with pytest.raises(CapabilityError, match="negative step"):
        from_onnx(written("Slice", [whole(-1), whole(-9), whole(2), whole(-1)], {}, (2, 3, 4)), x)
    with pytest.raises(CapabilityError, match="operator Cast of the ONNX file, at y, is used in a way that cannot be"):
        from_onnx(written("Cast", [], {"to": TensorProto.FLOAT16}, (2, 3, 4)), x)


@pytest.mark.parametrize(("vectors", "words"), [("e.1", "e/1"), ("e/1", "e.1")])
def test_values_whose_names_differ_in_a_sign_only(vectors, words):
    """Letters and digits are all that a module's name keeps of a value's."""
    nodes = [
        helper.make_node("Cast", ["x"], [words], to=INT64),
        helper.make_node("Gather", ["table", words], [vectors]),
        helper.make_node("ReduceSum", [vectors, "axes"], ["e 1"], keepdims=0),
        helper.make_node("Relu", ["e 1"], ["y"]),
    ]
    held = {"table": single(5, 4), "axes": whole(1, 2)}
    graph = helper.make_graph(
        nodes, "words", [helper.make_tensor_value_info("x", FLOAT, ["rows", 3])],
        [helper.make_tensor_value_info("y", FLOAT, ["rows"])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    raw = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", OPSET)]).SerializeToString()
    network = from_onnx(raw, torch.tensor([[0.0, 4.0, 1.0], [3.0, 3.0, 2.0]]))
    assert sum(isinstance(module, nn.Embedding) for module in network.modules()) == 1


def test_a_file_is_read_from_its_place(tmp_path):
    place = tmp_path / "relu.onnx"
    onnx.save(onnx.load_from_string(written("Relu", [], {}, (2, 3, 4))), place)
    for named in (place, str(place)):
        assert from_onnx(named, torch.ones(2, 3, 4))(-torch.ones(2, 3, 4)).max() == 0
