"""Graphs are the networks and the trees that they come from, and say nothing about the machine that wrote them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import xgboost
from torch import nn

from ascribe.bundle import runtime
from ascribe.bundle.runtime import graph_predict
from ascribe.bundle.sessions import session
from ascribe.core.errors import BundleError
from ascribe.train.emshap.encoders import ENCODERS
from ascribe.train.emshap.factor_mixture import FactorMixture
from ascribe.train.emshap.networks import Proposal, Tilt
from ascribe.train.families.power_mlp import PowerMlp, PowerMlpOptions
from ascribe.train.graphs import export
from ascribe.train.graphs.export import check_parity, finish, to_onnx
from ascribe.train.graphs.exporter import OPSET
from ascribe.train.graphs.trees import booster_to_onnx
from ascribe.train.values.conditional import conditional_files

from ..worlds import crossed, stirred

HEADS = ["logits", "mean", "diag", "factor"]
SIZES = pytest.mark.parametrize("rows", [1, 7, 100])


def closest(told: torch.Tensor, found: np.ndarray) -> float:
    """Largest difference relative to the largest value."""
    return float(np.abs(told.detach().numpy() - found).max() / max(told.abs().max().item(), 1e-12))


def asked(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(rows)
    return {"score": rng.standard_normal((rows, 4)).astype(np.float32), "observed": rng.random((rows, 4)) < 0.5}


@pytest.fixture(scope="module")
def network() -> PowerMlp:
    X = crossed(500)
    torch.manual_seed(0)
    return PowerMlp(X, 100 + 20 * X[:, 0] + X[:, 3] / 1e8, PowerMlpOptions(hidden=(16, 8))).eval()


@pytest.fixture(scope="module")
def power(network) -> bytes:
    return to_onnx(network, {"x": torch.as_tensor(crossed(64, 1), dtype=torch.float32)}, ["prediction"])


# networks


@SIZES
def test_the_proposal_is_its_network(served, rows):
    inputs = asked(rows)
    found = session(served.files["proposal.onnx"], "proposal").run(HEADS, inputs)
    told = served.fit.proposal(*(torch.as_tensor(v) for v in inputs.values()))
    assert [f.shape for f in found] == [(rows, 2), (rows, 2, 4), (rows, 2, 4), (rows, 2, 4, 1)]
    assert max(closest(t, f) for t, f in zip(told, found, strict=True)) < 1e-4  # x1 is +-x0 nearly: ill conditioned


@pytest.mark.parametrize("encoder", [*ENCODERS, None])
def test_every_encoder_has_a_graph(encoder):
    rng = np.random.default_rng(0)
    mixture = FactorMixture(
        np.array([0.4, 0.6]), rng.standard_normal((2, 4)), np.full((2, 4), 0.5), rng.standard_normal((2, 4, 2))
    )
    torch.manual_seed(0)
    network = Proposal(mixture, encoder, 8, 3).eval()
    network = stirred(network) if encoder else network
    example = {name: torch.as_tensor(v) for name, v in asked(8).items()}
    graph = to_onnx(network, example, HEADS)  # raises where the two differ
    for rows in (1, 50):
        inputs = asked(rows)
        found = session(graph, "proposal").run(HEADS, inputs)
        told = network(*(torch.as_tensor(v) for v in inputs.values()))
        assert max(closest(t, f) for t, f in zip(told, found, strict=True)) < 1e-5
        soiled = np.where(inputs["observed"], inputs["score"], np.float32("nan"))
        again = session(graph, "proposal").run(HEADS, inputs | {"score": soiled})
        assert all(a.tobytes() == b.tobytes() for a, b in zip(again, found, strict=True))


@SIZES
def test_the_energy_is_its_network(served, rows):
    inputs = asked(rows)
    found = session(served.files["energy.onnx"], "energy").run(["tilt"], inputs)[0]
    assert found.shape == (rows,)
    assert closest(served.fit.tilt(*(torch.as_tensor(v) for v in inputs.values())), found) < 1e-5
    assert np.abs(found).max() <= served.fit.tilt.tau


def test_an_energy_that_has_hardly_been_trained_is_exported_all_the_same(served):
    """It gives the rounding of sums that cancel, of which two libraries share no digit."""
    torch.manual_seed(0)
    tilt = Tilt(4, 64, 2, 1.0)
    torch.nn.init.zeros_(tilt.enter.weight)
    torch.nn.init.normal_(tilt.leave.weight)
    inputs = {name: torch.as_tensor(v) for name, v in asked(8).items()}
    with torch.no_grad():
        tilt.leave.bias -= torch.atanh(tilt(*inputs.values()))[0]
        assert tilt(*inputs.values()).abs().max() < 1e-6
    with pytest.raises(BundleError, match="exported output tilt differs"):
        to_onnx(tilt, inputs, ["tilt"])
    assert "energy.onnx" in conditional_files(replace(served.fit, tilt=tilt))
    with pytest.raises(BundleError, match=r"by [\de.-]+ of 1e-05, more than its largest value: not kept"):
        to_onnx(tilt, inputs, ["tilt"], tolerance=1e-9, least=1e-5)


@SIZES
def test_the_power_model_is_its_network(network, power, rows):
    X = crossed(rows, 2).astype(np.float32)
    found = graph_predict(power, "power")(X)
    assert found.shape == (rows,)
    assert closest(network(torch.as_tensor(X)), found) < 1e-5


def test_a_counter_that_runs_away_does_not_take_the_prediction_with_it(power):
    X = crossed(1, 2).repeat(3, axis=0)
    X[:, 3] = [4e9, 1e15, 1e30]  # the training rows end near 3e9
    found = graph_predict(power, "power")(X)
    assert np.isfinite(found).all()
    assert found.tolist() == pytest.approx([found[0]] * 3, rel=1e-6)


def test_the_graph_of_the_proposal_does_not_mix_rows_nor_see_hidden_cells(served):
    run = session(served.files["proposal.onnx"], "proposal").run
    inputs = asked(40)
    whole = run(HEADS, inputs)
    for k in (0, 17, 39):
        alone = run(HEADS, {name: v[k : k + 1] for name, v in inputs.items()})
        assert max(np.abs(a[0] - w[k]).max() for a, w in zip(alone, whole, strict=True)) < 1e-6
    soiled = run(HEADS, inputs | {"score": np.where(inputs["observed"], inputs["score"], np.float32("nan"))})
    assert all(a.tobytes() == b.tobytes() for a, b in zip(soiled, whole, strict=True))


def graphs(served, power) -> dict[str, bytes]:
    return {name: raw for name, raw in served.files.items() if name.endswith(".onnx")} | {"predict.onnx": power}


def test_graphs_say_nothing_of_the_machine_that_wrote_them(served, power):
    for name, raw in graphs(served, power).items():
        for word in (b"site-packages", b'File "', b".py", str(Path.home()).encode() + b"/", str(Path.cwd()).encode()):
            assert word not in raw, (name, word)
        proto = onnx.load_from_string(raw)
        held = [proto, proto.graph, *proto.graph.node, *proto.graph.initializer, *proto.graph.value_info]
        assert not any(part.doc_string for part in held)
        assert not any(getattr(part, "metadata_props", []) for part in held)
        assert {o.domain: o.version for o in proto.opset_import} == {"": OPSET}
        assert all(v.data_location == onnx.TensorProto.DEFAULT for v in proto.graph.initializer)  # self-contained


def test_the_same_networks_give_the_same_bytes(served):
    assert conditional_files(served.fit) == served.files


def test_notes_of_the_exporter_are_taken_out():
    node = onnx.helper.make_node("Identity", ["x"], ["y"], doc_string='File "/home/me/x.py", line 3')
    value = [onnx.helper.make_tensor_value_info(k, onnx.TensorProto.FLOAT, ["rows"], doc_string="here") for k in "xy"]
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:], doc_string="/home/me")
    proto = onnx.helper.make_model(graph, doc_string="/home/me", opset_imports=[onnx.helper.make_opsetid("", 20)])
    proto.graph.node[0].metadata_props.add(key="pkg", value="/home/me/site-packages")
    raw = finish(proto)
    assert b"home" not in raw
    assert b"here" not in raw
    assert raw == finish(onnx.load_from_string(raw))


# parity is a promise


class Off:
    """A runtime that answers a little off."""

    def __init__(self, graph: bytes, origin: str) -> None:
        self.held = session(graph, origin)

    def run(self, names: list, inputs: dict) -> list:
        return [value * np.float32(1.0002) for value in self.held.run(names, inputs)]


def test_a_graph_that_is_not_its_model_is_not_kept(monkeypatch):
    monkeypatch.setattr(export, "session", Off)
    with pytest.raises(BundleError, match=r"exported output answer differs from the model by 0\.0002 .*: not kept"):
        to_onnx(nn.Linear(3, 1), {"x": torch.randn(8, 3)}, ["answer"])


def test_trees_that_are_not_their_booster_are_not_kept(monkeypatch):
    monkeypatch.setattr(export, "session", Off)
    booster, X = grown(20)
    with pytest.raises(BundleError, match=r"exported output prediction differs from the model by 0\.0002"):
        booster_to_onnx(booster, X)


def test_parity_says_the_largest_relative_difference(power):
    X = crossed(5, 3).astype(np.float32)
    right = graph_predict(power, "power")(X)
    assert check_parity(power, {"x": X}, {"prediction": right}) == 0
    off = right.copy()
    off[2] += 1e-3 * np.abs(right).max()
    assert check_parity(power, {"x": X}, {"prediction": off}, tolerance=0.1) == pytest.approx(1e-3, rel=0.02)
    with pytest.raises(BundleError):
        check_parity(power, {"x": X}, {"prediction": off})
    with pytest.raises(BundleError):
        check_parity(power, {"x": X}, {"prediction": np.full(5, np.nan, np.float32)})


# trees


def grown(trees: int, rows: int = 800) -> tuple[xgboost.Booster, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, 5)).astype(np.float32)
    X[:, 4] = rng.integers(0, 5, rows)
    y = 150 + 50 * X[:, 0] + 20 * np.sin(3 * X[:, 1]) + 5 * X[:, 4]
    booster = xgboost.train({"max_depth": 5, "eta": 0.1, "nthread": 1}, xgboost.DMatrix(X, y), trees)
    return booster, X


@pytest.fixture(scope="module")
def trees() -> tuple[xgboost.Booster, np.ndarray, bytes]:
    booster, X = grown(200)
    return booster, X, booster_to_onnx(booster, X)


def test_trees_predict_what_the_booster_predicts(trees):
    booster, X, raw = trees
    found, told = graph_predict(raw, "trees")(X), booster.predict(xgboost.DMatrix(X))
    assert found == pytest.approx(told, rel=1e-5)
    assert told.std() > 20


def test_trees_agree_on_the_thresholds_and_beside_them(trees):
    """x < threshold in float32: a value on a threshold goes right, the next one below goes left."""
    booster, X, raw = trees
    model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    on = [
        (feature, np.float32(value))
        for tree in model
        for feature, value, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
        )
        if left != -1
    ][:300]
    rows = X[np.arange(3 * len(on)) % len(X)].copy()
    for k, (feature, value) in enumerate(on):
        for j, at in enumerate((np.nextafter(value, np.float32(-np.inf)), value, np.nextafter(value, np.float32(9)))):
            rows[3 * k + j, feature] = at
    found, told = graph_predict(raw, "trees")(rows), booster.predict(xgboost.DMatrix(rows))
    assert len(rows) == 900
    assert np.abs(found - told).max() < 1e-5 * np.abs(told).max()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_row_alone_is_the_row_in_a_batch_to_the_bit(trees, monkeypatch, threads):
    _, X, raw = trees
    monkeypatch.setattr(runtime, "cores", lambda: threads)
    predict = graph_predict(raw, "trees")
    alone = np.concatenate([predict(X[k : k + 1]) for k in range(100)])
    for rows in (7, 100, 800):
        assert predict(X[:rows])[:100].tobytes() == alone[:rows].tobytes(), rows


def test_a_stump_and_a_single_leaf_are_trees_too():
    X = np.arange(40, dtype=np.float32)[:, None].repeat(2, axis=1)
    for y in (np.full(40, 7.0), np.where(X[:, 0] < 20, 1.0, 2.0)):
        booster = xgboost.train({"max_depth": 1, "nthread": 1}, xgboost.DMatrix(X, y), 3)
        found = graph_predict(booster_to_onnx(booster, X), "trees")(X)
        assert found == pytest.approx(booster.predict(xgboost.DMatrix(X)), rel=1e-6)


def test_trees_give_the_same_bytes_and_no_paths(trees):
    booster, X, raw = trees
    assert booster_to_onnx(booster, X) == raw
    assert b"site-packages" not in raw
    assert b".py" not in raw
