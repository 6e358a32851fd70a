"""The gate on quantised bundles: a sound one goes through, a broken one does not, whatever its own report says."""

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ascribe.bundle.archive import open_directory
from ascribe.bundle.gate.verdict import judge, judge_and_promote
from ascribe.bundle.networks import Graph
from ascribe.bundle.registry import Registry
from ascribe.bundle.verdicts import verdicts
from ascribe.train.quantize import QuantizeOptions, quantize
from tests.bundle import made
from tests.train.rounding import rounding, with_files

AT = "2026-11-02T00:00:00Z"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The original, and its static variant."""
    place = tmp_path_factory.mktemp("pair")
    rounding(place / "origin", noise=2.0)
    quantize(QuantizeOptions(place / "origin", "int8-static", place / "variant"))
    return open_directory(place / "origin"), open_directory(place / "variant")


def spoiled(variant, place, change):
    """The variant with some of its constants changed, and everything else told as if nothing were wrong."""
    files = {name: variant.read(role) for role, name in variant.manifest.roles.items()}
    proto = onnx.load_from_string(files["predict.onnx"])
    changed = 0
    for tensor in proto.graph.initializer:
        value = change(tensor.name, numpy_helper.to_array(tensor))
        if value is not None:
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
            changed += 1
    assert changed
    files["predict.onnx"] = proto.SerializeToString()
    row = np.array([variant.manifest.example["x"]])
    answer = Graph(files["predict.onnx"], "spoiled")(["prediction"], x=row)[0]
    example = {"x": variant.manifest.example["x"], "prediction": answer.tolist()}
    return with_files(place, variant.manifest, files, example=example)


def wrong_scale(name, value):
    """The ranges of what flows into the second layer, four times too small."""
    return value / 4 if name == "h_scale" else None


def zeroed(name, value):
    """Half of the second layer's outputs are nothing."""
    if name != "second_quantized":
        return None
    return np.where(np.arange(len(value))[:, None] % 2, value, 0).astype(value.dtype)


def test_a_sound_variant_is_near_enough(pair):
    origin, variant = pair
    verdict = judge(variant, origin, origin)
    assert verdict.accepted, verdict.reasons
    assert any(text.startswith("its answers are off by") for text in verdict.reasons)
    assert any(text.startswith("attributions by kernel_shap moved by") for text in verdict.reasons)
    assert verdict.numbers["quantised"]["error"]["share"] < 0.05


@pytest.mark.parametrize("change", [wrong_scale, zeroed], ids=["wrong-scale", "zeroed-layer"])
def test_a_broken_one_is_refused_though_its_report_is_good(pair, tmp_path, change):
    origin, variant = pair
    broken = spoiled(variant, tmp_path / "broken", change)
    assert broken.manifest.metrics["quantisation"]["refused"] == []
    verdict = judge(broken, None, origin)
    assert not verdict.accepted
    said = "\n".join(verdict.reasons)
    assert "its answers are off by" in said
    assert ": 10 % is allowed" in said
    assert "attributions by kernel_shap moved by" in said


def test_attributions_alone_refuse(tmp_path):
    """Of two features that move together the variant reads the other one: answers are as they were."""
    twin = made.rows(300, 2)
    twin[:, 1] = made.CENTRE[1] + (twin[:, 0] - made.CENTRE[0]) / made.SPREAD[0] * made.SPREAD[1]
    weights = (60.0, 0.0, 2.0)
    origin = rounding(tmp_path / "origin", weights=weights, rows_given=(twin, made.BIAS + twin @ weights))
    quantize(QuantizeOptions(tmp_path / "origin", "int8-static", tmp_path / "variant"))
    variant = open_directory(tmp_path / "variant")

    def exchanged(name, value):
        """The first layer takes ghz for busy."""
        return value[:, [1, 0, 2]] if name == "first_quantized" else None

    swapped = spoiled(variant, tmp_path / "swapped", exchanged)
    verdict = judge(swapped, None, origin)
    said = [text for text in verdict.reasons if "its answers are off by" in text or "attributions by" in text]
    assert not verdict.accepted
    assert "allowed" not in next(text for text in said if "its answers" in text)
    assert any("allowed" in text for text in said)


def test_promotion_finds_the_original_among_the_versions(pair, tmp_path):
    origin, variant = pair
    registry = Registry(str(tmp_path / "registry"))
    version = registry.publish(made.NAME, variant)
    verdict = judge_and_promote(registry, made.NAME, version, AT)
    assert not verdict.accepted
    assert "which is not here to compare it with: publish that first" in verdict.reasons[0]
    # published with other measurements, and so under another version
    other = msgspec.structs.replace(origin.manifest, created="2026-11-01T00:00:09Z")
    registry.publish(made.NAME, type(origin)(other, origin.fetch, origin.origin))
    assert judge_and_promote(registry, made.NAME, version, AT).accepted


def test_force_is_recorded(pair, tmp_path):
    origin, variant = pair
    registry = Registry(str(tmp_path / "registry"))
    first = registry.publish(made.NAME, origin)
    assert judge_and_promote(registry, made.NAME, first, AT).accepted
    broken = registry.publish(made.NAME, spoiled(variant, tmp_path / "broken", zeroed))
    assert not judge_and_promote(registry, made.NAME, broken, AT).accepted
    assert registry.channel(made.NAME).current.version == first
    judge_and_promote(registry, made.NAME, broken, AT, force=True)
    assert registry.channel(made.NAME).current.version == broken
    assert [(held.accepted, held.forced) for held in verdicts(registry.store, made.NAME, broken)] == [
        (False, False), (False, True),
    ]  # fmt: skip
    assert registry.channel(made.NAME).current.reasons[0] == "forced, though the gate refused"


def test_a_bundle_that_was_never_quantised_is_asked_nothing(pair):
    assert "quantised" not in judge(pair[0], None).numbers
