"""From a bundle to explanations as graphs, and back: what joins, what stays, what is refused."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from ascribe.bundle import runtime, sessions
from ascribe.bundle.archive import Bundle, entry, open_directory, pack, unpack, write
from ascribe.bundle.holdout import holdout
from ascribe.bundle.manifest import digest
from ascribe.bundle.runtime import compiled, load
from ascribe.bundle.sessions import session
from ascribe.core.adjusted.learnt import Reading
from ascribe.core.errors import BudgetError, BundleError, CapabilityError, InputError, TamperedError
from ascribe.core.explainers import explain
from ascribe.core.factor_mixture import FactorMixture
from ascribe.core.options import Options
from ascribe.train import compile as compiling
from ascribe.train.compile import Wanted, compile_bundle, standalone, told
from ascribe.train.compiled.program import OUTPUTS
from tests.bundle import made as small

from ..bundled import N, bundled
from .test_trees import by_hand

FEW = {"budget": 64, "samples": 4}


def into(bundle: Bundle, *wanted: Wanted) -> Bundle:
    place = Path(bundle.origin)
    compile_bundle(place, wanted or [Wanted()])
    return open_directory(place)


def files_of(place: str | Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(Path(place).iterdir())}


def agrees(bundle: Bundle, tier: str, within: float = 1e-4) -> None:
    """The tier's answer to held-out rows is that of the plain computation with its own plan, noise and law."""
    model, held = load(bundle), bundle.manifest.tiers[tier]
    X = holdout(bundle)[0][:12]
    fast = explain(model, X, "compiled_shap", Options(tier=tier))
    options = Options(held.estimator, held.budget, held.samples or 64, held.seed, value=held.value)
    plain = explain(model, X, "conditional_shap", options)
    size = np.abs(plain.values).max(axis=1, keepdims=True)
    assert (np.abs(fast.values - plain.values) <= within * size).all()
    assert fast.stderr == pytest.approx(plain.stderr, rel=1e-2, abs=1e-5 * float(size.max()))
    assert fast.status.tolist() == plain.status.tolist()


@pytest.fixture(scope="module")
def eleven(tmp_path_factory) -> Bundle:
    """Eleven features, so that not all coalitions are asked: all three tiers."""
    place = tmp_path_factory.mktemp("eleven") / "bundle"
    return into(bundled(place), Wanted(budget=64), Wanted("fast"), Wanted("accurate", "stacked", **FEW, seed=2))


# what joins a bundle


WORLDS = {
    "completions": ({}, "completions"),
    "surrogate": ({"surrogate": True, "value": "surrogate"}, "surrogate"),
    "stacked": ({"surrogate": True, "value": "stacked", "share": (0.5, 0.5, 0.7, 0.5)}, "stacked"),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_value_of_a_small_world(tmp_path, name):
    changes, value = WORLDS[name]
    bundle = into(small.made(tmp_path / "bundle", **changes), Wanted(value=value), Wanted("accurate"))
    for tier in ("balanced", "accurate"):
        held = bundle.manifest.tiers[tier]
        assert held.value == value
        assert held.law == ("" if value == "surrogate" else "proposal")  # it has no closed form
        assert (held.estimator, held.budget) == ("exact", 8)
        assert held.samples == (0 if value == "surrogate" else 16 if tier == "balanced" else 32)
        assert held.parity < 1e-6
        assert (held.stderr > 0) == (value != "surrogate")
        agrees(bundle, tier)
    assert bundle.manifest.reading is None


def test_the_one_pass_tier_is_the_one_pass_explainer(tmp_path):
    bundle = into(small.made(tmp_path / "bundle", amortized=True), Wanted("fast"))
    model, X = load(bundle), holdout(bundle)[0][:9]
    fast, plain = (explain(model, X, method, Options(tier="fast")) for method in ("compiled_shap", "amortized_shap"))
    assert fast.values == pytest.approx(plain.values, abs=1e-4)
    assert fast.stderr == pytest.approx(plain.stderr)
    assert fast.info.gaps["amortized_r2"] == plain.info.gaps["amortized_r2"]
    assert (fast.info.tier, fast.info.estimator, fast.info.budget) == ("fast", "amortized", 0)
    held = bundle.manifest.tiers["fast"]
    assert (held.role, held.estimator, held.parity) == ("explain_fast", "amortized", None)
    assert held.stderr == pytest.approx(np.sqrt((np.array([0.5, 0.25, 0.125]) ** 2).mean()))


def test_all_tiers_of_eleven_features_agree_with_the_plain_computation(eleven):
    tiers = eleven.manifest.tiers
    assert set(tiers) == {"fast", "balanced", "accurate"}
    assert {name: tier.role for name, tier in tiers.items()} == {
        "fast": "explain_fast", "balanced": "explain", "accurate": "explain_accurate",
    }  # fmt: skip
    balanced, accurate = tiers["balanced"], tiers["accurate"]
    assert (balanced.value, balanced.estimator, balanced.budget, balanced.samples) == ("surrogate", "learnt", 64, 0)
    assert (accurate.value, accurate.estimator, accurate.law) == ("stacked", "learnt", "mixture")
    assert (accurate.budget, accurate.samples, accurate.seed) == (64, 4, 2)
    assert all(tier.latency_ms == {} for tier in tiers.values())
    agrees(eleven, "balanced")


def test_the_reading_learnt_is_kept_and_serves_by_name(eleven):
    model = load(eleven)
    held = eleven.manifest.reading
    assert model.reading == Reading(held.kind, tuple(held.b), held.rho, held.widen, tuple(held.floor), held.judged)
    assert len(held.b) == N
    answer = explain(model, holdout(eleven)[0][:3], "conditional_shap", Options("learnt", 64, value="surrogate"))
    assert answer.info.estimator == "learnt"


@pytest.mark.parametrize("energy", [False, True])
@pytest.mark.parametrize("without", [(), ("mixture",), ("control",)])
def test_completions_of_eleven_features(tmp_path, energy, without):
    bundle = bundled(tmp_path / "bundle", without, energy=energy, value="completions")
    bundle = into(bundle, Wanted(value="completions", **FEW))
    held = bundle.manifest.tiers["balanced"]
    assert held.law == ("proposal" if "mixture" in without else "mixture")
    assert held.parity < 1e-5
    if held.law == "proposal":
        agrees(bundle, "balanced")


def test_a_bundle_without_a_surrogate_learns_its_reading_from_completions(tmp_path):
    bundle = bundled(tmp_path / "bundle", ("surrogate", "amortized"), value="completions")
    bundle = into(bundle, Wanted(**FEW))
    held = bundle.manifest.tiers["balanced"]
    assert (held.value, held.estimator) == ("completions", "learnt")
    assert held.parity < 1e-5


def far_off(bundle: Bundle, **changes) -> Bundle:
    """With a mixture that has nothing to do with the rows; `changes` of the manifest."""
    off = small.npz(
        **FactorMixture(np.zeros(1), np.full((1, N), 3.0), np.full((1, N), 0.1), np.zeros((1, N, 2))).arrays()
    )
    files = {name: bundle.fetch(name) for name in bundle.manifest.files} | {"mixture.npz": off}
    entries = {name: entry(raw) for name, raw in files.items()}
    write(Path(bundle.origin), msgspec.structs.replace(bundle.manifest, files=entries, **changes), files)
    return open_directory(Path(bundle.origin))


@pytest.mark.parametrize(
    ("metrics", "law"), [({}, "proposal"), ({"conditional": {"network": False}}, "mixture")], ids=["both", "no network"]
)
def test_the_law_is_that_of_training_where_the_closed_form_is_worse(tmp_path, metrics, law):
    """Here the two laws have nothing to do with one another; and a mixture far off is judged worse."""
    bundle = far_off(bundled(tmp_path / "bundle", value="completions"), metrics=metrics)
    assert into(bundle, Wanted(value="completions", **FEW)).manifest.tiers["balanced"].law == law


@pytest.mark.filterwarnings("error")
def test_the_law_is_that_of_training_where_no_held_row_can_judge(tmp_path):
    """All of them lie out of the training range, as a counter does that only grows."""
    bundle = bundled(tmp_path / "bundle", value="completions")
    grown = [feature | {"seen_low": 50.0, "seen_high": 60.0} for feature in bundle.manifest.features]
    bundle = far_off(bundle, features=grown)
    assert into(bundle, Wanted(value="completions", **FEW)).manifest.tiers["balanced"].law == "proposal"


def test_trees_join_too(tmp_path):
    """A foreign ensemble under the names that a bundle uses."""
    proto = onnx.load_from_string(by_hand(n=N)[0])
    proto.graph.node.insert(0, helper.make_node("Identity", ["x"], ["input"]))
    proto.graph.node.append(helper.make_node("Reshape", ["variable", "flat"], ["prediction"]))
    proto.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "flat"))
    del proto.graph.input[:], proto.graph.output[:]
    proto.graph.input.append(helper.make_tensor_value_info("x", 1, ["rows", N]))
    proto.graph.output.append(helper.make_tensor_value_info("prediction", 1, ["rows"]))
    bundle = bundled(tmp_path / "bundle", predict=proto.SerializeToString())
    bundle = into(bundle, Wanted(value="stacked", budget=40))
    held = bundle.manifest.tiers["balanced"]
    assert held.samples == 8  # fewer where a tree answers
    assert held.parity < 1e-5


def test_fewer_coalitions_than_all_of_few_features(tmp_path):
    """All 2^4 would be asked by default; of 12, a learnt reading."""
    bundle = bundled(tmp_path / "bundle", n=4)
    whole = into(bundle, Wanted())
    assert whole.manifest.tiers["balanced"].estimator == "exact"
    assert whole.manifest.reading is None
    some = into(whole, Wanted(budget=12))
    assert (some.manifest.tiers["balanced"].estimator, some.manifest.tiers["balanced"].budget) == ("learnt", 12)
    assert some.manifest.reading.judged == 12
    agrees(some, "balanced")


# what is written


@pytest.mark.parametrize("tier", ["fast", "balanced", "accurate"])
def test_names_of_what_goes_in_and_comes_out(eleven, tier):
    run = session(standalone(eleven, tier), "alone")
    assert [i.name for i in run.get_inputs()] == ["x"]
    assert [o.name for o in run.get_outputs()] == list(OUTPUTS)
    assert OUTPUTS == ("prediction", "attribution", "base_value", "stderr", "ess")
    X = holdout(eleven)[0][:5].astype(np.float32)
    found = dict(zip(OUTPUTS, run.run(None, {"x": X}), strict=True))
    assert {name: a.shape for name, a in found.items()} == {
        "prediction": (5,), "attribution": (5, N), "base_value": (5,), "stderr": (5, N), "ess": (5,),
    }  # fmt: skip
    assert all(a.dtype == np.float32 for a in found.values())
    gap = found["attribution"].sum(axis=1) + found["base_value"] - found["prediction"]
    assert np.abs(gap).max() < 1e-5 * np.abs(found["prediction"]).max()
    notes = {
        p.key: p.value for p in onnx.load_from_string(eleven.read(eleven.manifest.tiers[tier].role)).metadata_props
    }
    assert notes["tier"] == tier
    assert notes["features"].split(",") == [f.name for f in eleven.manifest.feature_list]
    assert (notes["output"], notes["unit"]) == ("power", "W")


def test_other_files_stay_as_they_are_and_the_version_is_another(tmp_path):
    bundle = bundled(tmp_path / "bundle")
    before = files_of(bundle.origin)
    manifest = compile_bundle(Path(bundle.origin), [Wanted(budget=64)])
    after = files_of(bundle.origin)
    assert {k: v for k, v in after.items() if k not in ("explain.onnx", "manifest.json")} == {
        k: v for k, v in before.items() if k != "manifest.json"
    }
    assert open_directory(Path(bundle.origin)).manifest == manifest
    assert manifest.version() != bundle.manifest.version()
    assert manifest.created == bundle.manifest.created
    assert manifest.roles["explain"] == "explain.onnx"
    assert manifest.files["explain.onnx"].sha256 == digest(after["explain.onnx"])
    open_directory(Path(bundle.origin)).verify()
    assert load(open_directory(Path(bundle.origin))).version == manifest.version()


def test_compiled_again_the_same_bytes(tmp_path, eleven):
    one, two = (into(bundled(tmp_path / name), Wanted(budget=64), Wanted("fast")) for name in ("one", "two"))
    assert files_of(one.origin) == files_of(two.origin)
    again = into(one, Wanted("fast"), Wanted(budget=64))
    assert files_of(again.origin) == files_of(two.origin)
    other = into(one, Wanted(budget=64, seed=1))
    assert other.manifest.tiers["balanced"].seed == 1
    assert other.read("explain") != two.read("explain")
    assert other.read("explain_fast") == two.read("explain_fast")


def test_a_tier_compiled_anew_takes_the_place_of_the_old(tmp_path):
    bundle = into(bundled(tmp_path / "bundle"), Wanted(budget=64))
    again = into(bundle, Wanted(budget=40))
    assert list(again.manifest.tiers) == ["balanced"]
    assert again.manifest.tiers["balanced"].budget == 40
    assert again.manifest.version() != bundle.manifest.version()
    assert again.manifest.reading == bundle.manifest.reading  # learnt once


def test_weights_that_the_bundle_has_are_pointed_at(eleven):
    proto = onnx.load_from_string(eleven.read("explain"))
    outside = [i for i in proto.graph.initializer if i.data_location == onnx.TensorProto.EXTERNAL]
    assert outside
    for held in outside:
        place = {item.key: item.value for item in held.external_data}
        assert place["location"] == "surrogate.onnx"
        assert int(place["length"]) >= 1024
        begin = int(place["offset"])
        raw = eleven.read("surrogate")[begin : begin + int(place["length"])]
        assert eleven.read("explain").find(raw) < 0  # not a second time
    names = {o.name for o in onnx.load_from_string(eleven.read("explain_accurate")).graph.initializer}
    assert len(names) == len(onnx.load_from_string(eleven.read("explain_accurate")).graph.initializer)
    whole = {name for name in eleven.manifest.files if name.startswith("explain")}
    pointed = {item.value for tier in ("explain", "explain_accurate", "explain_fast")
               for i in onnx.load_from_string(eleven.read(tier)).graph.initializer
               for item in i.external_data if item.key == "location"}  # fmt: skip
    assert not pointed & whole  # never at another compiled graph


@pytest.mark.parametrize("tier", ["fast", "balanced", "accurate"])
def test_opened_by_path_in_its_folder_or_alone_it_says_the_same_to_the_bit(eleven, tier):
    X = holdout(eleven)[0][:6].astype(np.float32)
    name = eleven.manifest.roles[eleven.manifest.tiers[tier].role]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    by_path = ort.InferenceSession(str(Path(eleven.origin) / name), options, providers=["CPUExecutionProvider"])
    wanted = by_path.run(None, {"x": X})
    alone = session(standalone(eleven, tier), "alone", 1)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(alone.run(None, {"x": X}), wanted, strict=True))
    proto = onnx.load_from_string(standalone(eleven, tier))
    assert not any(i.data_location == onnx.TensorProto.EXTERNAL for i in proto.graph.initializer)
    inside = compiled(eleven, tier, 1).run(X)
    assert inside["attribution"].tobytes() == wanted[1].tobytes()


def test_a_packed_bundle_has_its_compiled_tiers(eleven):
    there = unpack(pack(eleven), "archive")
    X = holdout(eleven)[0][:4].astype(np.float32)
    for tier in eleven.manifest.tiers:
        here = compiled(eleven, tier, 1).run(X)["attribution"]
        assert compiled(there, tier, 1).run(X)["attribution"].tobytes() == here.tobytes()


def test_a_batch_shared_out_to_threads_is_the_batch(eleven):
    X = np.resize(holdout(eleven)[0], (201, N)).astype(np.float32)
    for tier in eleven.manifest.tiers:
        one, many = compiled(eleven, tier, 1).run(X), compiled(eleven, tier, 3).run(X)
        for name, wanted in one.items():
            size = float(np.abs(wanted).max())  # of `ess` without completions: infinite
            assert many[name].shape == wanted.shape
            assert many[name] == pytest.approx(wanted, rel=1e-6, abs=1e-6 * size if size < np.inf else 0)


def test_it_is_told_in_words(eleven):
    words = {name: told(tier, "W") for name, tier in eleven.manifest.tiers.items()}
    assert words["balanced"].startswith("values from surrogate, 64 coalitions read by 'learnt', parity ")
    assert words["balanced"].endswith(" W")
    assert "x 4 completions (mixture)" in words["accurate"]
    assert words["fast"] == "values from surrogate, standard error 0.5 W"


# what is refused


@pytest.mark.parametrize(
    ("changes", "without", "wanted", "error", "says"),
    [
        ({}, (), Wanted("quick"), InputError, "'quick' cannot be compiled: use one of fast, balanced, accurate"),
        ({}, (), Wanted("exact"), InputError, "'exact' cannot be compiled"),
        ({}, (), Wanted(value="guess"), InputError, "unknown value 'guess': use one of surrogate, completions, stack"),
        ({"value": "completions"}, ("surrogate",), Wanted(value="surrogate"), CapabilityError, "needs a surrogate"),
        ({"value": "completions"}, ("surrogate",), Wanted(value="stacked"), CapabilityError, "use 'completions'"),
        ({}, ("amortized",), Wanted("fast"), CapabilityError, "needs the one-pass explainer, which this bundle lacks"),
        ({}, (), Wanted(budget=12), BudgetError, "at least 24 coalitions for 11 players, got 12"),
        ({}, (), Wanted(budget=0), BudgetError, "it is at least 2; got 0"),
        ({}, (), Wanted(value="completions", budget=40, samples=0), InputError, "samples must be at least 2 .* got 0"),
        ({}, ("holdout",), Wanted(), BundleError, "has no holdout"),
    ],
)
def test_what_cannot_be_compiled_leaves_the_bundle_as_it_was(tmp_path, changes, without, wanted, error, says):
    bundle = bundled(tmp_path / "bundle", without, **changes)
    before = files_of(bundle.origin)
    good = Wanted(budget=40) if "amortized" in without else Wanted("fast")
    with pytest.raises(error, match=says):
        compile_bundle(Path(bundle.origin), [good, wanted])
    assert files_of(bundle.origin) == before


@pytest.mark.parametrize("holdout", [True, False])
@pytest.mark.parametrize(
    ("tier", "says"),
    [
        ("balanced", "tier 'balanced' needs an energy model, which this bundle lacks"),
        ("fast", "'fast' needs the one-pass"),
    ],
)
def test_a_bundle_without_an_energy_model_is_refused(tmp_path, holdout, tier, says):
    """As imported models and forecasts are, which may have no held-out rows either."""
    bundle = small.made(tmp_path / "bundle", conditional=False, holdout=holdout)
    before = files_of(bundle.origin)
    with pytest.raises(CapabilityError, match=f"{says}.*: `ascribe train` "):
        compile_bundle(Path(bundle.origin), [Wanted(tier)])
    assert files_of(bundle.origin) == before


def test_a_graph_that_says_something_else_is_not_kept(tmp_path, monkeypatch):
    bundle = bundled(tmp_path / "bundle")
    before = files_of(bundle.origin)
    written = compiling.written

    def off(program, notes, inside=False):
        return written(replace(program, base_value=program.base_value + 1), notes, inside)

    monkeypatch.setattr(compiling, "written", off)
    with pytest.raises(BundleError, match=r"the compiled graph differs from the plain computation by .*: not kept"):
        compile_bundle(Path(bundle.origin), [Wanted(budget=64)])
    assert files_of(bundle.origin) == before


def test_a_tier_that_is_not_compiled_has_no_graph_of_its_own(tmp_path, eleven):
    bundle = bundled(tmp_path / "bundle")
    with pytest.raises(CapabilityError, match="tier 'balanced' is not compiled: run `ascribe compile DIR --tier balan"):
        standalone(bundle)
    with pytest.raises(CapabilityError, match="tier 'exact' is not compiled"):
        standalone(eleven, "exact")


# what is opened


@pytest.mark.parametrize("name", ["surrogate.onnx", "explain.onnx", "predict.onnx"])
def test_a_byte_changed_is_seen_before_the_compiled_graph_is_opened(tmp_path, eleven, name):
    """Its weights lie in the bundle's other graphs: each is verified like it."""
    bundle = open_directory(shutil.copytree(eleven.origin, tmp_path / "bundle"))
    raw = bytearray((tmp_path / "bundle" / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "bundle" / name).write_bytes(raw)
    torn = open_directory(tmp_path / "bundle")
    with pytest.raises(TamperedError, match=f"{name} of .* is not what its manifest says"):
        compiled(torn, "balanced")
    with pytest.raises(TamperedError):
        load(torn)
    with pytest.raises(TamperedError):
        bundle.verify()


def test_loading_opens_no_compiled_graph_until_it_is_asked(eleven, monkeypatch):
    opened = []
    held = sessions.session
    monkeypatch.setattr(
        runtime, "session", lambda graph, *rest, **more: opened.append(len(graph)) or held(graph, *rest, **more)
    )
    model = load(eleven)
    size = len(eleven.read("explain"))
    assert size not in opened
    X = holdout(eleven)[0][:1]
    for _ in range(2):
        explain(model, X, "compiled_shap")
    assert opened.count(size) == 1


def test_the_working_folder_does_not_matter(eleven, tmp_path, monkeypatch):
    """Weights are found in the bundle, not where the process stands; nor are files of that name there read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "surrogate.onnx").write_bytes(os.urandom(4000))
    X = holdout(eleven)[0][:2].astype(np.float32)
    assert np.isfinite(compiled(eleven, "balanced").run(X)["attribution"]).all()
