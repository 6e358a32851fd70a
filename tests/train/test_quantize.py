"""Graphs in fewer bits, against numpy's arithmetic, and bundles made of them."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from ascribe.bundle.archive import open_directory
from ascribe.bundle.gate.verdict import judge
from ascribe.bundle.runtime import load
from ascribe.bundle.sessions import session
from ascribe.bundle.variants import compared
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import Options, explain
from ascribe.core.layout import Layout
from ascribe.train.adopted.insides import insides
from ascribe.train.compile import Wanted, compile_bundle
from ascribe.train.quantize import PRECISIONS, QuantizeOptions, quantize
from ascribe.train.quantize import aware as qat
from ascribe.train.quantize.dynamic import dynamic
from ascribe.train.quantize.half import half
from ascribe.train.quantize.layers import MOST, between, layers, prepared, with_weights
from ascribe.train.quantize.mixed import answers, error, mixed
from ascribe.train.quantize.static import RANGES, ranges, static
from tests.bundle import made

from .rounding import perceptron, rounding, with_files
from .small_graphs import graph

X = made.rows(96, 7)
every_precision = pytest.mark.parametrize("precision", PRECISIONS)
bits_of = pytest.mark.parametrize("bits", MOST)


def ignore(done, text):
    pass


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


def whole(W, axis, bits):
    """Weights as their rounding gives them: numpy, an output at a time."""
    rows = np.moveaxis(W.astype(np.float64), axis, 0).copy()
    for row in rows:
        s = np.abs(row).max() / MOST[bits]
        row[...] = np.round(row / s) * s
    return np.moveaxis(rows, 0, axis)


@bits_of
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


@bits_of
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
    found, kept, alone = mixed(hurt, seen, 7, X, 1.01 * least, ignore)
    assert kept == [second.name] == [max(alone, key=alone.get)]
    assert error(answers(found, X), told) == least
    assert second.weight in {t.name for t in found.graph.initializer}  # as it was
    with pytest.raises(CapabilityError, match="no layer can be rounded"):
        mixed(hurt, seen, 7, X, 1e-12, ignore)


@pytest.fixture(scope="module")
def fitted():
    """Our own network, fitted in a second, as a graph."""
    from ascribe.train.families.power_mlp import PowerMlp, PowerMlpOptions
    from ascribe.train.graphs.export import to_onnx

    torch.manual_seed(0)
    rows = made.rows(600, 3)
    y = made.BIAS + rows @ made.WEIGHTS + 5 * np.sin(rows[:, 0] * 20)
    network = PowerMlp(rows, y, PowerMlpOptions(hidden=(24, 16)))
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(150):
        optimiser.zero_grad()
        x = torch.tensor(rows, dtype=torch.float32)
        torch.nn.functional.mse_loss(network(x), torch.tensor(y, dtype=torch.float32)).backward()
        optimiser.step()
    return to_onnx(network.eval(), {"x": torch.tensor(rows[:8], dtype=torch.float32)}, ["prediction"]), rows


def test_a_network_fitted_with_the_rounding_errs_less_than_one_rounded_afterwards(fitted, monkeypatch):
    raw, rows = fitted
    monkeypatch.setattr(qat, "LOOP", qat.Loop(epochs=40, batch=64, lr=2e-3, weight_decay=0.0, patience=40))
    monkeypatch.setitem(MOST, 7, 4)  # three bits and a bit: coarse enough to matter
    model, other = prepared(raw), made.rows(400, 9)
    told = answers(model, other)
    network, seen = qat.aware(model, rows, 7, 0)
    # in torch's arithmetic, since ONNX Runtime knows no three bits
    before = error(_as_torch(model, ranges(model, rows), other), told)
    after = error(_as_torch(network, seen, other), told)
    assert after < 0.8 * before


def _as_torch(model, seen, rows):
    """A perceptron's answers, rounded by numpy."""
    chain, weights, values = qat._read(model, rows)
    nodes = {node.name: node for node in model.graph.node}
    x = values[0].astype(float)
    for k, (layer, (W, b)) in enumerate(zip(chain, weights, strict=True)):
        held = seen.data[nodes[layer.name].input[0]]
        low, high = min(float(np.ravel(held.lowest)[0]), 0), max(float(np.ravel(held.highest)[0]), 0)
        s = (high - low) / 255
        x = (np.clip(np.round(x / s) + np.round(-low / s), 0, 255) - np.round(-low / s)) * s
        x = x @ whole(W, 0, 7).T + b
        if k + 1 < len(chain):
            x = x / (1 + np.exp(-x))
    scale, shift = (
        numpy_helper.to_array(t) for n in ("sd_y", "mean_y") for t in model.graph.initializer if t.name == n
    )
    return x[:, 0] * scale + shift


def test_what_training_rounded_is_what_the_graph_rounds(fitted, monkeypatch):
    raw, rows = fitted
    monkeypatch.setattr(qat, "LOOP", qat.Loop(epochs=2, batch=64, lr=1e-3, weight_decay=0.0, patience=2))
    network, seen = qat.aware(prepared(raw), rows, 7, 0)
    told = _as_torch(network, seen, rows)
    assert error(answers(static(network, seen), rows), told) < 2e-3
    assert error(answers(network, rows), told) > 3e-3


def test_training_refuses_a_network_that_is_not_ours():
    with pytest.raises(CapabilityError, match="of networks that `ascribe train --family power_mlp` made"):
        qat.aware(prepared(perceptron()), X, 7, 0)


def test_trees_and_tables_have_nothing_to_round(tmp_path):
    made.made(tmp_path / "linear")  # one vector of weights
    with pytest.raises(CapabilityError, match="there is nothing to quantise"):
        quantize(QuantizeOptions(tmp_path / "linear", "fp16", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"precision": "int4"}, "no precision 'int4': use fp16, int8-dynamic", id="precision"),
        pytest.param({"ranges": "all"}, "no ranges by 'all': use minmax", id="ranges"),
        pytest.param({"bits": 4}, "7 or 8 bits, not 4", id="bits"),
        pytest.param({"bound": 0.0}, "the bound is a positive share", id="bound"),
        pytest.param({"out": Path("here")}, "is the bundle itself", id="itself"),
    ],
)
def test_options_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        QuantizeOptions(**{"bundle": Path("here"), "precision": "fp16", "out": Path("there"), **changes})


@pytest.mark.parametrize("precision", ["fp16", "int8-dynamic", "int8-static", "mixed"])
def test_a_variant_is_a_bundle_that_explains_its_own_f(tmp_path, precision):
    origin = rounding(tmp_path / "origin")
    compile_bundle(tmp_path / "origin", [Wanted("balanced", budget=8, samples=8)])
    origin = open_directory(tmp_path / "origin")
    report = quantize(QuantizeOptions(tmp_path / "origin", precision, tmp_path / "variant"))
    variant = open_directory(tmp_path / "variant")
    told = variant.manifest.origin["quantised"]
    assert (told["version"], told["precision"]) == (origin.manifest.version(), precision)
    assert told["predict_sha256"] == origin.digest("predict")
    assert variant.manifest.version() == report.version != origin.manifest.version()
    assert report.against == [] == variant.manifest.metrics["quantisation"]["refused"]
    mine, theirs = load(variant), load(origin)
    f, g = np.asarray(mine.predict(X), dtype=float), np.asarray(theirs.predict(X), dtype=float)
    assert 0 < np.abs(f - g).max() < 0.05 * g.std()
    assert len(variant.read("predict")) < 0.8 * len(origin.read("predict"))
    for answer in (explain(mine, X[:4], "kernel_shap"), explain(mine, X[:4], "conditional_shap", Options(samples=8))):
        assert answer.values.sum(axis=1) + answer.base_value == pytest.approx(f[:4], abs=1e-4)
    compiled = explain(mine, X[:4], "compiled_shap", Options(tier="balanced"))
    assert compiled.prediction == pytest.approx(f[:4], abs=1e-4)
    again = compared(variant, origin, timed=False)
    assert again.error == report.compared.error
    assert again.drift == report.compared.drift
    assert set(report.compared.drift) == {"conditional_shap", "kernel_shap"}
    with pytest.raises(InputError, match="is quantised already"):
        quantize(QuantizeOptions(tmp_path / "variant", precision, tmp_path / "third"))


def test_calibration_rows_come_from_a_file(tmp_path):
    rounding(tmp_path / "origin")
    names = [f.name for f in made.FEATURES]
    (tmp_path / "rows.csv").write_text(",".join(names) + "\n" + "\n".join(",".join(f"{v:.6f}" for v in x) for x in X))
    quantize(QuantizeOptions(tmp_path / "origin", "int8-static", tmp_path / "out", tmp_path / "rows.csv"))
    told = open_directory(tmp_path / "out").manifest.origin["quantised"]["calibration"]
    assert (told["data"], told["rows"]) == ("rows.csv", 96)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="has no column"):
        quantize(QuantizeOptions(tmp_path / "origin", "int8-static", tmp_path / "two", tmp_path / "other.csv"))


def test_a_tier_that_cannot_be_made_again_is_told(tmp_path):
    origin = rounding(tmp_path / "origin")
    files = {name: origin.read(role) for role, name in origin.manifest.roles.items()}
    with_files(tmp_path / "origin", origin.manifest, files)
    compile_bundle(tmp_path / "origin", [Wanted("balanced", budget=8, samples=8)])
    notes = []

    class Watch:
        def progress(self, stage):
            return None

        def note(self, text):
            notes.append(text)

    quantize(QuantizeOptions(tmp_path / "origin", "int8-static", tmp_path / "out"), Watch())
    assert any(text.startswith("explain.onnx: values from completions") for text in notes)
    run = session(open_directory(tmp_path / "out").read("predict"), "variant").run
    assert run(["prediction"], {"x": X[:2].astype(np.float32)})[0].shape == (2,)


def test_a_classifier_of_pictures_keeps_its_classes(tmp_path, monkeypatch):
    from ascribe.train.adapters.adopted import Asked
    from ascribe.train.adopted.adopt import AdoptOptions, adopt
    from ascribe.train.adopted.background import Background
    from ascribe.train.adopted.picture import picture

    monkeypatch.setattr("ascribe.train.adopted.adopt.insides", lambda *_: ({}, ()))  # slopes have a test of their own
    rng = np.random.default_rng(0)
    W = [rng.standard_normal(shape) * scale for shape, scale in (((8, 3, 3, 3), 0.2), ((5, 8), 1.0))]
    held = graph(
        """net (float[N,3,12,12] image) => (float[N,5] logits) {
            a = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(image, W, b)
            c = BatchNormalization(a, s, b, m, v)
            r = Relu(c)
            g = GlobalAveragePool(r)
            f = Flatten(g)
            logits = Gemm<transB = 1>(f, L, k)
        }""",
        W=W[0], L=W[1], b=np.zeros(8), s=rng.uniform(0.5, 2, 8), m=0.1 * rng.standard_normal(8),
        v=rng.uniform(0.5, 2, 8),
        k=np.zeros(5), opset=15,
    )  # fmt: skip
    (tmp_path / "net.onnx").write_bytes(held)
    np.savez(tmp_path / "rows.npz", rows=rng.integers(0, 256, (24, 12, 12, 3)))
    background = Background.at(tmp_path / "rows.npz")
    asked = Asked(
        background,
        "",
        None,
        tuple("01234"),
        (),
        picture(None, "127.5", "0.0078125", None, None),
        (),
        None,
        "softmax",
        "",
        False,
    )
    adopt(AdoptOptions(tmp_path / "net.onnx", asked, tmp_path / "origin"))
    report = quantize(QuantizeOptions(tmp_path / "origin", "int8-static", tmp_path / "out", tmp_path / "rows.npz"))
    variant, origin = open_directory(tmp_path / "out"), open_directory(tmp_path / "origin")
    mine, theirs = load(variant), load(origin)
    assert report.compared.error.agreement >= 0.9
    assert set(report.compared.drift) == {"occlusion"}
    assert report.against == []
    rows, most = theirs.background, 0.1 * np.ptp(theirs.scores(theirs.background))
    away = np.abs(mine.scores(rows) - theirs.scores(rows)).max()
    assert 0 < away < most
    moved = variant.manifest.origin["parity"] - origin.manifest.origin["parity"]  # what the gate says of it
    assert moved == pytest.approx(away / np.abs(theirs.scores(rows)).max())
    verdict = judge(variant, origin, origin)
    assert verdict.accepted, verdict.reasons


def test_slopes_are_those_of_the_rounded_weights(tmp_path):
    origin = rounding(tmp_path / "plain")
    files = {name: origin.read(role) for role, name in origin.manifest.roles.items()}
    files |= insides(files["predict.onnx"], (), Layout("table", (3,)), X)[0]
    roles = {name.split(".")[0]: name for name in files}
    origin = with_files(tmp_path / "origin", origin.manifest, files, roles=roles)
    report = quantize(QuantizeOptions(tmp_path / "origin", "int8-dynamic", tmp_path / "out"))
    variant = open_directory(tmp_path / "out")
    assert "integrated_gradients" in report.compared.drift
    assert variant.manifest.origin["quantised"]["straight_through"] == ["gradient"]
    mine, theirs = load(variant), load(origin)
    values, slopes = mine.gradient.slope(X, X)
    before = theirs.gradient.slope(X, X)[1]
    assert 0 < np.abs(slopes - before).max() < 0.1 * np.abs(before).max()
    told = mine.predict(X)
    assert np.abs(values - told).max() < 0.1 * np.ptp(told)  # but for the rounding of what flows
    quantize(QuantizeOptions(tmp_path / "origin", "fp16", tmp_path / "bare", slopes=False))
    bare = open_directory(tmp_path / "bare")
    assert not bare.has("gradient")
    assert bare.manifest.origin["quantised"]["left_out"] == ["gradient"]
