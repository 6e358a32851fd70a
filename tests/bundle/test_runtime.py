"""From a bundle to a model: verified first, parsed then, asked again last."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime as ort
import pytest

from ascribe.bundle import runtime, sessions
from ascribe.bundle.archive import Bundle, entry, open_directory, write
from ascribe.bundle.manifest import Conditional, Manifest
from ascribe.bundle.runtime import graph_predict, load
from ascribe.bundle.sessions import session
from ascribe.core.errors import AscribeError, BundleError, TamperedError
from ascribe.core.explainers import available, explain
from ascribe.core.options import Options

from .made import BIAS, CENTRE, FEATURES, WEIGHTS, World, made, npz, parts, predict_graph, rows


def claiming(shape: tuple[int, ...]) -> bytes:
    """An npz whose header promises more numbers than there are."""
    held, out = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_2_0(held, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("background.npy", held.getvalue() + bytes(8))
    return out.getvalue()


def changed(directory: Path, replaced: dict[str, bytes] | None = None, **fields) -> Bundle:
    """A bundle that is what its manifest says, with files or fields of the manifest replaced."""
    manifest, files = parts()
    files |= replaced or {}
    hashes = {name: entry(raw) for name, raw in files.items()}
    write(directory, msgspec.structs.replace(manifest, files=hashes, **fields), files)
    return open_directory(directory)


def test_a_bundle_becomes_a_model(tmp_path):
    bundle = made(tmp_path)
    model = load(bundle)
    X = rows(9, 5)
    assert model.predict(X) == pytest.approx(BIAS + X @ WEIGHTS, rel=1e-6)
    assert model.names == tuple(f.name for f in FEATURES)
    assert (model.unit, model.output, model.version) == ("W", "power", bundle.manifest.version())
    assert available(model) == ("conditional_shap", "kernel_shap", *PERTURBED)
    found = explain(model, X[:2], options=Options(samples=16))
    assert found.values.sum(axis=1) + found.base_value == pytest.approx(model.predict(X[:2]), rel=1e-5)


def test_without_an_energy_model_there_is_still_the_marginal_game(tmp_path):
    assert available(load(made(tmp_path, conditional=False))) == ("kernel_shap", *PERTURBED)


PERTURBED = ("permutation_shap", "lime", "occlusion")
ROLES = ("predict", "background", "proposal", "scores")


@pytest.mark.parametrize("role", ROLES)
def test_no_parser_sees_bytes_before_their_hash_was_verified(tmp_path, monkeypatch, role):
    bundle = made(tmp_path)
    name = bundle.manifest.roles[role]
    good = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    parsed: list[bytes] = []
    opened, read = ort.InferenceSession, np.load

    def spy_session(graph, *args, **kwargs):
        parsed.append(graph)
        return opened(graph, *args, **kwargs)

    def spy_load(file, *args, **kwargs):
        parsed.append(file.getvalue())
        assert kwargs == {"allow_pickle": False}
        return read(io.BytesIO(file.getvalue()), *args, **kwargs)

    monkeypatch.setattr(sessions.ort, "InferenceSession", spy_session)
    monkeypatch.setattr(runtime.np, "load", spy_load)
    with pytest.raises(TamperedError, match=f"{name} of .* is not what its manifest says"):
        load(bundle)
    known = {bundle.manifest.files[bundle.manifest.roles[r]].sha256 for r in ROLES}
    assert {entry(raw).sha256 for raw in parsed} <= known
    (tmp_path / name).write_bytes(good)
    load(bundle)
    assert len(parsed) >= 4  # the spy sees what is parsed


@pytest.mark.parametrize(
    "example",
    [
        {"x": CENTRE.tolist(), "prediction": [1.0]},
        {"x": (CENTRE + 1).tolist(), "prediction": [BIAS + float(WEIGHTS @ CENTRE)]},
    ],
)
def test_an_answer_that_is_not_the_stored_one_is_not_served(tmp_path, example):
    with pytest.raises(BundleError, match=r"predicts .* for its stored example, not .*: do not serve it"):
        load(changed(tmp_path, example=example))


@pytest.mark.parametrize(
    "example",
    [
        {},
        {"x": [0.5, 4.0], "prediction": [127.0]},
        {"x": CENTRE.tolist(), "prediction": []},
        {"x": [], "prediction": []},
    ],
    ids=["none", "too short", "no answer", "nothing"],
)
def test_an_example_that_cannot_be_asked_is_refused_too(tmp_path, example):
    with pytest.raises(BundleError) as caught:
        load(changed(tmp_path, example=example))
    assert "\n" not in str(caught.value)


def test_an_answer_that_is_not_a_number_is_not_served(tmp_path):
    with pytest.raises(BundleError, match="predicts nan for its stored example"):
        load(made(tmp_path, blind=5.0))


@pytest.mark.parametrize(
    "raw",
    [
        b"junk", npz(other=np.ones((2, 3))), npz(background=np.array([object()], dtype=object)),
        npz(background=np.ones((5, 7))), npz(background=np.ones(5)), npz(background=np.ones((0, 3))),
        npz(background=np.array([["a", "b", "c"]])), claiming((10**12, 3)), claiming((10**30, 3)),
    ],
    ids=["junk", "another name", "a pickle", "wide", "flat", "empty", "texts", "no room", "no number"],
)  # fmt: skip
def test_tables_that_are_none_are_refused(tmp_path, raw):
    with pytest.raises(BundleError, match="background of") as caught:
        load(changed(tmp_path, {"background.npz": raw}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("table", [np.ones((2, 7)), np.ones((3, 1)), np.ones(3), np.full((3, 9), np.nan)])
def test_scores_that_are_no_table_of_the_features_are_refused(tmp_path, table):
    with pytest.raises(BundleError, match=r"scores of .* are no table of 3 features"):
        load(changed(tmp_path, {"scores.npz": npz(table=table)}))


def test_a_graph_that_is_none_is_refused_in_one_line(tmp_path):
    with pytest.raises(BundleError, match="holds a graph that ONNX Runtime refuses") as caught:
        load(changed(tmp_path, {"predict.onnx": b"junk"}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"low": "x"}, {"name": 3}, {"categories": "ab"}, {"categories": [1, 2]}])
def test_features_of_other_kinds_are_refused(tmp_path, wrong):
    told = [f.to_json() for f in FEATURES]
    with pytest.raises(BundleError, match="describes a feature that cannot be read") as caught:
        load(changed(tmp_path, features=[told[0] | wrong, *told[1:]]))
    assert "\n" not in str(caught.value)


def test_a_name_that_no_file_can_have_is_told(tmp_path):
    manifest, files = parts()
    held = {**manifest.files, "a\0b": entry(b"")}
    write(tmp_path, msgspec.structs.replace(manifest, roles=manifest.roles | {"predict": "a\0b"}, files=held), files)
    with pytest.raises(BundleError, match=r"'a\\x00b' of .* cannot be read"):
        load(open_directory(tmp_path))


def test_features_of_another_shape_are_refused(tmp_path):
    with pytest.raises(BundleError):
        load(changed(tmp_path, features=[{"nme": "busy"}, {"name": "ghz"}, {"name": "misses"}]))


def test_an_absent_energy_is_an_error_and_not_the_proposal_in_silence(tmp_path):
    with pytest.raises(AscribeError, match="weighting by energy needs the energy network"):
        load(changed(tmp_path, conditional=Conditional("emshap", "energy", 1, 1)))


def test_a_conditional_without_its_parts_names_them(tmp_path):
    manifest, files = parts()
    for lost, words in (("background.npz", "a conditional but no background"), ("proposal.onnx", "has no proposal")):
        kept = {name: raw for name, raw in files.items() if name != lost}
        roles = {role: name for role, name in manifest.roles.items() if name != lost}
        write(tmp_path / lost, msgspec.structs.replace(manifest, roles=roles), kept)
        with pytest.raises(BundleError, match=words):
            load(open_directory(tmp_path / lost))


# sessions


def test_sessions_do_not_grow_with_batches_that_vary():
    options = session(predict_graph(World()), "here", 3).get_session_options()
    assert not options.enable_mem_pattern
    assert options.enable_cpu_mem_arena
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.execution_mode == ort.ExecutionMode.ORT_SEQUENTIAL
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_sessions_take_the_cores_that_there_are(monkeypatch):
    monkeypatch.setattr(sessions, "cores", lambda: 5)
    assert session(predict_graph(World()), "here").get_session_options().intra_op_num_threads == 5


def test_predictions_come_in_parts_and_are_the_same(monkeypatch):
    predict = graph_predict(predict_graph(World()), "here")
    X = rows(25, 0)
    whole = predict(X)
    monkeypatch.setattr(runtime, "ROWS_AT_ONCE", 10)
    assert predict(X).tolist() == whole.tolist()
    assert predict(X).shape == (25,)
    assert predict(X[:0]).shape == (0,)
    assert predict(X[:0]).dtype == np.float32


@pytest.mark.parametrize(
    ("affinity", "quota", "wanted"),
    [
        (8, "max 100000", 8),
        (8, "400000 100000", 4),
        (8, "150000 100000", 1),
        (8, "50000 100000", 1),
        (2, "400000 100000", 2),
        (4, "nonsense", 4),
        (4, None, 4),
    ],
)
def test_cores_are_the_least_of_affinity_and_quota(monkeypatch, affinity, quota, wanted):
    class Fake:
        def __init__(self, path: str) -> None:
            assert path == "/sys/fs/cgroup/cpu.max"

        def read_text(self) -> str:
            if quota is None:
                raise FileNotFoundError
            return quota

    monkeypatch.setattr(sessions, "Path", Fake)
    monkeypatch.setattr(sessions.os, "sched_getaffinity", lambda _: set(range(affinity)))
    sessions.cores.cache_clear()
    try:
        assert sessions.cores() == wanted
    finally:
        monkeypatch.undo()
        sessions.cores.cache_clear()


# the surrogate and the one-pass explainer


def test_a_surrogate_is_a_capability_and_the_manifest_says_who_answers(tmp_path):
    share = (0.5, 0.25, 0.75, 0.5)
    model = load(made(tmp_path, surrogate=True, value="stacked", share=share))
    assert {"surrogate", "conditional"} <= model.offers
    assert model.value == "stacked"
    assert model.share.tolist() == list(share)
    x, S = rows(1, 6)[0], np.array([[True, False, True], [False, False, False], [True, True, True]])
    value = model.surrogate.value(x, S)
    assert value[1:] == pytest.approx([BIAS + CENTRE @ WEIGHTS, BIAS + x @ WEIGHTS], rel=1e-4)
    soiled = np.where(S[0], x, np.nan)
    assert model.surrogate.value(soiled, S[:1]).tobytes() == model.surrogate.value(x, S[:1]).tobytes()
    noise = [model.conditional.complete(x, S[:1], model.conditional.noise(4096, k))[0][0] for k in range(2)]
    assert value[0] == pytest.approx(model.predict(np.concatenate(noise)).mean(), abs=0.1)  # the same law, told twice
    for told in ("completions", "surrogate", "stacked"):
        answer = explain(model, x[None], options=Options(samples=16, value=told))
        assert answer.info.value == told
        assert answer.values.sum() + answer.base_value == pytest.approx(model.predict(x[None])[0], rel=1e-6)
    assert explain(model, x[None], options=Options(samples=16)).info.value == "stacked"


def test_a_one_pass_explainer_is_a_capability_with_its_error(tmp_path):
    bundle = made(tmp_path, surrogate=True, amortized=True, value="surrogate")
    model = load(bundle)
    assert available(model) == ("conditional_shap", "kernel_shap", "amortized_shap", *PERTURBED)
    X = rows(70, 7)
    answer = explain(model, X, "amortized_shap")
    assert answer.values.sum(axis=1) + answer.base_value == pytest.approx(answer.prediction, rel=1e-12)
    assert answer.prediction == pytest.approx(model.predict(X), rel=1e-6)
    assert answer.stderr[3].tolist() == [0.5, 0.25, 0.125]
    assert answer.info.gaps["amortized_r2"] == 0.9
    assert (answer.info.value, answer.info.tier) == ("surrogate", "fast")
    alone = np.concatenate([explain(model, x[None], "amortized_shap").values for x in X])
    assert alone.tobytes() == answer.values.tobytes()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": "surrogate"}, "says that 'surrogate' answers v.S., and lacks it"),
        ({"value": "median", "surrogate": True}, "says that 'median' answers"),
        ({"value": "stacked", "surrogate": True}, "holds 0 shares for 3 features"),
        ({"surrogate": True, "share": (0.5, 0.5)}, "holds 2 shares for 3 features"),
    ],
)
def test_who_answers_must_be_there(tmp_path, changes, words):
    with pytest.raises(BundleError, match=words):
        load(made(tmp_path, **changes))


def test_a_one_pass_explainer_without_its_graph_is_no_bundle(tmp_path):
    manifest, files = parts(amortized=True)
    del files["amortized.onnx"]
    roles = {role: name for role, name in manifest.roles.items() if role != "amortized"}
    write(tmp_path, msgspec.structs.replace(manifest, roles=roles), files)
    with pytest.raises(BundleError, match="has no amortized"):
        load(open_directory(tmp_path))


def test_a_manifest_from_before_there_were_surrogates_loads_and_keeps_its_version():
    manifest, _ = parts()
    held = msgspec.json.decode(manifest.encode())
    assert "amortized" not in held
    assert set(held["conditional"]) == {"method", "weighting", "rank", "components", "reason"}
    again = Manifest.decode(manifest.encode())
    assert again == manifest
    assert again.version() == manifest.version()
    assert (again.conditional.value, again.conditional.share, again.amortized) == ("completions", [], None)
    newer = parts(surrogate=True, amortized=True, value="surrogate", share=(0.0, 1.0, 0.5, 0.0))[0]
    assert Manifest.decode(newer.encode()) == newer
