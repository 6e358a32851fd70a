"""The command, as it is typed."""

import onnx
import pytest
from onnx import numpy_helper

from ascribe.bundle.archive import open_directory
from ascribe.train.quantize.layers import layers
from tests.bundle import made
from tests.journey import ascribe, one_line, typed
from tests.train.rounding import perceptron, rounding, with_files


@pytest.fixture(scope="module")
def coarse(tmp_path_factory):
    """A bundle one of whose layers cannot be rounded: weights of 300 stand beside all others, on an input that is 0."""
    place = tmp_path_factory.mktemp("coarse") / "origin"
    origin = rounding(place)
    files = {name: origin.read(role) for role, name in origin.manifest.roles.items()}
    proto = onnx.load_from_string(perceptron())
    second = layers(proto)[1].weight
    for tensor in proto.graph.initializer:
        value = numpy_helper.to_array(tensor).copy()
        if tensor.name == "first":
            value[0] = value[3] = 0  # x and -x of the first feature, once
        if tensor.name == second:
            value[:, 0] = 300
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    files["predict.onnx"] = proto.SerializeToString()
    return with_files(place, origin.manifest, files)


def test_a_variant_is_written_shown_and_judged(coarse, tmp_path):
    origin = coarse.origin
    bad = typed("quantize", origin, "--precision", "int8-static", "--out", tmp_path / "static")
    assert bad.returncode == 3
    assert "the gate will refuse it beside its original" in bad.stderr
    assert "% is allowed" in bad.stderr
    good = ascribe("quantize", origin, "--precision", "mixed", "--out", tmp_path / "mixed")  # a process of its own
    assert good.returncode == 0, good.stderr
    variant = open_directory(tmp_path / "mixed")
    assert variant.manifest.version() in good.stdout
    for word in ("graph, KiB", "64 rows, ms", "answers on", "kernel_shap", "conditional_shap", "rank, 5 %"):
        assert word in good.stdout
    assert len(variant.manifest.origin["quantised"]["float32_layers"]) == 1
    assert variant.manifest.metrics["quantisation"]["ms"].keys() == {"1", "64"}


def test_what_cannot_be_is_one_line(coarse, tmp_path):
    made.made(tmp_path / "linear")
    said = one_line(typed("quantize", tmp_path / "linear", "--precision", "fp16", "--out", tmp_path / "out"))
    assert "there is nothing to quantise" in said
    found = typed("quantize", coarse.origin, "--precision", "int3", "--out", tmp_path / "out")
    assert one_line(found) == "ascribe: no precision 'int3': use fp16, int8-dynamic, int8-static, mixed, qat"
    found = typed("quantize", coarse.origin, "--precision", "qat", "--out", tmp_path / "out")
    assert (
        "of networks that `ascribe train --family power_mlp` made" in found.stderr.splitlines()[-1]
    )  # a bar stands before it
    assert not (tmp_path / "out").exists()
