"""Graphs in fewer bits, against numpy's and torch's arithmetic."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from ascribe.core.errors import CapabilityError
from ascribe.train.quantize.dynamic import dynamic
from ascribe.train.quantize.half import half
from ascribe.train.quantize.layers import MOST, between, layers, with_weights
from ascribe.train.quantize.mixed import answers, error, mixed
from ascribe.train.quantize.preparing import prepared
from ascribe.train.quantize.static import RANGES, ranges, static
from tests.bundle import made

from ..rounding import perceptron
from ..small_graphs import graph
from .worlds import SATURATES, whole

X = made.rows(96, 7)
bits_of = pytest.mark.parametrize("bits", MOST)
products_of = pytest.mark.parametrize(
    "bits", [7, pytest.param(8, marks=pytest.mark.skipif(SATURATES, reason="two products of 8 bits saturate here"))]
)


def one_layer(W, b):
    n, k = W.shape[1], W.shape[0]
    return graph(f"p (float[rows,{n}] x) => (float[rows,{k}] prediction) {{ prediction = Gemm<transB = 1>(x, W, b) }}",
                 W=W, b=b)  # fmt: skip


def convolution(W, b):
    n = W.shape[1] * 64
    return graph(
        f"""p (float[rows,{n}] x) => (float[rows,{W.shape[0]}] prediction) {{
            image = Reshape(x, shape)
            y = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(image, W, b)
            top = Relu(y)
            z = Conv<group = {W.shape[0]}>(top, D)
            mean = GlobalAveragePool(z)
            prediction = Flatten(mean)
        }}""",
        shape=np.array([-1, W.shape[1], 8, 8]), W=W, b=b,
        D=np.random.default_rng(1).standard_normal((W.shape[0], 1, 3, 3)),
    )  # fmt: skip


@products_of
def test_dynamic_is_whole_number_arithmetic_with_a_scale_for_each_row(bits):
    rng = np.random.default_rng(0)
    W, b, Z = rng.standard_normal((5, 7)), rng.standard_normal(5), 10 * rng.standard_normal((20, 7))
    s = np.abs(Z).max(axis=1, keepdims=True) / 127
    told = (np.round(Z / s) * s) @ whole(W, 1 - 1, bits).T + b
    found = answers(dynamic(prepared(one_layer(W, b)), bits), Z)
    assert found == pytest.approx(told, abs=2e-2 * np.abs(told).max() / 127)  # a tie may round otherwise in float32
    assert np.abs(found - told).mean() < 1e-4
    assert np.abs(found - (Z @ W.T + b)).mean() > 1e-3  # it is rounded


@bits_of
def test_a_convolution_in_whole_numbers(bits):
    rng = np.random.default_rng(0)
    W, b = rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    raw, Z = convolution(W, b), 5 * rng.standard_normal((6, 192))
    D = numpy_helper.to_array(next(t for t in onnx.load_from_string(raw).graph.initializer if t.name == "D"))
    s = np.abs(Z).max(axis=1, keepdims=True) / 127
    conv = torch.nn.functional.conv2d
    image = torch.tensor((np.round(Z / s) * s).reshape(-1, 3, 8, 8))
    y = torch.relu(conv(image, torch.tensor(whole(W, 0, bits)), torch.tensor(b), 2, 1))
    s2 = y.amax((1, 2, 3), keepdim=True) / 255
    z = conv((y / s2).round() * s2, torch.tensor(whole(D, 0, bits)), groups=4)
    assert answers(dynamic(prepared(raw), bits), Z) == pytest.approx(z.mean((2, 3)).numpy(), abs=2e-3)


@products_of
def test_static_is_whole_number_arithmetic_with_ranges_of_the_calibration_rows(bits):
    rng = np.random.default_rng(0)
    W, b, Z = rng.standard_normal((5, 7)), rng.standard_normal(5), rng.standard_normal((64, 7))
    low, high = np.float32(Z.min()), np.float32(Z.max())
    s = (high - low) / 255
    zero = np.round(-low / s)
    q = (np.clip(np.round(Z / s) + zero, 0, 255) - zero) * s
    model = prepared(one_layer(W, b))
    found = answers(static(model, ranges(model, Z), bits), Z)
    assert found == pytest.approx(q @ whole(W, 0, bits).T + b, abs=2e-2)
    assert np.abs(found - (q @ whole(W, 0, bits).T + b)).mean() < 1e-3


@pytest.mark.skipif(not SATURATES, reason="this processor adds products of 8 bits as they are")
def test_eight_bits_saturate_where_the_page_says_so():
    rng = np.random.default_rng(0)
    W, b, Z = rng.standard_normal((5, 7)), rng.standard_normal(5), rng.standard_normal((64, 7))
    model = prepared(one_layer(W, b))
    off = {bits: np.abs(answers(static(model, ranges(model, Z), bits), Z) - (Z @ W.T + b)).max() for bits in MOST}
    assert off[8] > 10 * off[7]


@pytest.mark.parametrize("by", RANGES)
def test_ranges_by_every_way_hold_what_was_seen(by, monkeypatch):
    monkeypatch.setattr("ascribe.train.quantize.static.NUMBERS_AT_ONCE", 3 * 40)  # calls of 40 rows, and 16 left
    model = prepared(perceptron())
    scaled = (X - made.CENTRE) / made.SPREAD
    seen = ranges(model, X, by)["scaled"]
    low, high = float(np.ravel(seen.lowest)[0]), float(np.ravel(seen.highest)[0])
    assert scaled.min() - 1e-3 <= low < -1 < 1 < high <= scaled.max() + 1e-3
    if by == "minmax":
        assert (low, high) == pytest.approx((scaled.min(), scaled.max()), abs=1e-5)


@pytest.mark.parametrize("precision", ["fp16", "int8-dynamic", "int8-static"])
def test_a_row_is_told_the_same_whoever_asks_with_it(precision):
    model = prepared(perceptron())
    rounded = {"fp16": half, "int8-dynamic": dynamic, "int8-static": lambda m: static(m, ranges(m, X))}[precision](
        model
    )
    loud = np.vstack([X[:1], made.CENTRE + 40 * made.SPREAD])
    assert answers(rounded, X[:1])[0] == answers(rounded, loud)[0]


def test_one_scale_for_all_rows_would_not_do(tmp_path):
    """What ONNX Runtime's own dynamic quantisation does: the reason for ours."""
    quantize_dynamic(prepared(perceptron()), tmp_path / "theirs.onnx", weight_type=QuantType.QInt8)
    theirs = onnx.load(tmp_path / "theirs.onnx")
    loud = np.vstack([X[:1], made.CENTRE + 40 * made.SPREAD])
    assert abs(answers(theirs, X[:1])[0] - answers(theirs, loud)[0]) > 0.1


def test_half_precision_leaves_scaling_alone():
    big = 1e9  # counters that 16 bits cannot hold
    told = answers(onnx.load_from_string(perceptron(big)), X * big)
    found = answers(half(prepared(perceptron(big))), X * big)
    assert error(found, told) < 2e-3
    assert np.abs(found - told).max() > 0


def test_between_is_from_the_first_layer_to_the_last():
    model = prepared(perceptron())
    assert [node.op_type for node in between(model)] == ["Gemm", "Relu", "Gemm", "Gemm"]
    assert [layer.axis for layer in layers(model)] == [0, 0, 0]


def test_mixed_keeps_the_layer_that_rounding_hurts():
    """Of its inputs one is always 0, and has weights beside which all others round to nothing."""
    model = prepared(perceptron())
    first, second, _ = layers(model)
    constants = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
    constants[first.weight][0] = 0
    constants[second.weight][:, 0] = 300
    hurt = with_weights(model, {name: constants[name] for name in (first.weight, second.weight)})
    seen, told = ranges(hurt, X), answers(hurt, X)
    whole_error = error(answers(static(hurt, seen), X), told)
    least = error(answers(static(hurt, seen, kept=[second.name]), X), told)
    assert least < 0.05 < 0.5 < whole_error
    found, kept, alone = mixed(hurt, seen, 7, X, 1.01 * least, lambda done, text: None)
    assert kept == [second.name] == [max(alone, key=alone.get)]
    assert error(answers(found, X), told) == least
    assert second.weight in {t.name for t in found.graph.initializer}  # as it was
    with pytest.raises(CapabilityError, match="no layer can be rounded"):
        mixed(hurt, seen, 7, X, 1e-12, lambda done, text: None)


BIASES = {
    "with factors": ("Gemm<alpha = 0.5, beta = 3.0>(x, W, one)", {"one": np.linspace(0, 1, 7, dtype=np.float32)}),
    "one for all": ("Gemm(x, W, one)", {"one": np.float32(0.5)}),
    "a row of one": ("Gemm<beta = 2.0>(x, W, one)", {"one": np.full((1, 1), 0.25, np.float32)}),
    "a row": ("Gemm(x, W, one)", {"one": np.linspace(0, 1, 7, dtype=np.float32)[None]}),
    "left out": ("Gemm(x, W, )", {}),
    "computed": ("Gemm<beta = 0.5>(x, W, top)", {}),
}


@pytest.mark.parametrize("kind", BIASES)
def test_biases_of_every_shape(kind):
    text, more = BIASES[kind]
    rng = np.random.default_rng(2)
    W, V, Z = rng.standard_normal((4, 7)), rng.standard_normal((7, 1)), rng.standard_normal((50, 4))
    first = "top = ReduceMax(x, axes)" if kind == "computed" else ""
    raw = graph(
        f"""p (float[rows,4] x) => (float[rows,1] prediction) {{
            {first} h = {text} r = Relu(h) prediction = MatMul(r, V)
        }}""",
        W=W, V=V, **({"axes": np.array([1])} if first else {}), **more,
    )  # fmt: skip
    told = answers(onnx.load_from_string(raw), Z)
    model = prepared(raw)
    assert error(answers(static(model, ranges(model, Z)), Z), told) < 0.03
    assert error(answers(half(model), Z), told) < 0.003
    if kind == "computed":
        with pytest.raises(CapabilityError, match="a bias that the graph computes"):
            dynamic(model)
    else:
        assert error(answers(dynamic(model), Z), told) < 0.03


def test_layers_of_double_numbers_are_refused():
    weight = numpy_helper.from_array(np.ones((4, 1)), "W")
    x, y = (helper.make_tensor_value_info(n, TensorProto.DOUBLE, ["rows", k]) for n, k in (("x", 4), ("prediction", 1)))
    held = helper.make_graph([helper.make_node("MatMul", ["x", "W"], ["prediction"])], "p", [x], [y], [weight])
    model = helper.make_model(held, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    with pytest.raises(CapabilityError, match="counts in double numbers"):
        prepared(model.SerializeToString())
