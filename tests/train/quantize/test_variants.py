"""Bundles in fewer bits: what they explain, what they keep, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from ascribe.bundle.archive import Bundle, open_directory
from ascribe.bundle.gate.verdict import judge
from ascribe.bundle.runtime import load
from ascribe.bundle.sessions import session
from ascribe.bundle.variants import compared
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import explain
from ascribe.core.layout import Layout
from ascribe.core.options import Options
from ascribe.train.adopted.insides import insides
from ascribe.train.compile import Wanted, compile_bundle
from ascribe.train.quantize import QuantizeOptions, quantize
from tests.bundle import made

from ..rounding import rounding, with_files
from ..small_graphs import graph

X = made.rows(96, 7)


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


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Bundle:
    place = tmp_path_factory.mktemp("origin") / "bundle"
    rounding(place)
    compile_bundle(place, [Wanted("balanced", budget=8, samples=8)])
    return open_directory(place)


@pytest.mark.parametrize("precision", ["fp16", "int8-dynamic", "int8-static", "mixed"])
def test_a_variant_is_a_bundle_that_explains_its_own_f(tmp_path, origin, precision):
    report = quantize(QuantizeOptions(Path(origin.origin), precision, tmp_path / "variant"))
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
    from ascribe.train.adapters.background import Background
    from ascribe.train.adopted.adopt import AdoptOptions, adopt
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
    pixels = picture(None, "127.5", "0.0078125", None, None)
    asked = Asked(background, labels=tuple("01234"), picture=pixels, link="softmax")
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
