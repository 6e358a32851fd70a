"""Trees inside a compiled graph: single precision may carry a completion across a split, and is seen to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import xgboost
from onnx import TensorProto, helper

from ascribe.bundle.sessions import session
from ascribe.train.compiled import check
from ascribe.train.compiled.check import parity
from ascribe.train.graphs.trees import booster_to_onnx

from ..programs import Made, made, rows_of
from ..small_graphs import evaluated

N = 5


def boosted(trees: int = 60) -> bytes:
    X = rows_of(N, 1500).astype(np.float32)
    y = 50 + 10 * X[:, 0] + 5 * X[:, 1] * X[:, 3] + 3 * np.sin(3 * X[:, 2])
    booster = xgboost.train({"max_depth": 4, "eta": 0.2, "nthread": 1}, xgboost.DMatrix(X, y), trees)
    return booster_to_onnx(booster, X)


def by_hand(trees: int = 40, depth: int = 3, opset: int = 17, n: int = N) -> tuple[bytes, list]:
    """What skl2onnx and onnxmltools write: `x <= threshold` in single precision, weights and thresholds as attributes,
    a column under another name. And the trees, for an oracle.
    """
    rng = np.random.default_rng(0)
    nodes: dict[str, list] = {k: [] for k in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids",
                                              "falsenodeids", "missing_value_tracks_true")}  # fmt: skip
    leaves: dict[str, list] = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    grown = []
    first_leaf = 2**depth - 1
    X = rows_of(n, 500)
    for t in range(trees):
        feature = rng.integers(0, n, first_leaf)
        threshold = np.float32([rng.choice(X[:, j]) for j in feature])
        value = rng.standard_normal(2**depth).astype(np.float32)
        grown.append((feature, threshold, value))
        for i in range(2 ** (depth + 1) - 1):
            leaf = i >= first_leaf
            row: tuple = (t, i, 0, "LEAF", 0.0, 0, 0, 0)
            if not leaf:
                row = (t, i, int(feature[i]), "BRANCH_LEQ", float(threshold[i]), 2 * i + 1, 2 * i + 2, 0)
            for key, one in zip(nodes, row, strict=True):
                nodes[key].append(one)
            if leaf:
                for key, one in zip(leaves, (t, i, 0, float(value[i - first_leaf])), strict=True):
                    leaves[key].append(one)
    node = helper.make_node(
        "TreeEnsembleRegressor", ["input"], ["variable"], domain="ai.onnx.ml", n_targets=1, base_values=[50.0],
        aggregate_function="SUM", **{f"nodes_{k}": v for k, v in nodes.items()},
        **{f"target_{k}": v for k, v in leaves.items()},
    )  # fmt: skip
    info = helper.make_tensor_value_info
    graph = helper.make_graph([node], "trees", [info("input", TensorProto.FLOAT, [None, n])],
                              [info("variable", TensorProto.FLOAT, [None, 1])])  # fmt: skip
    opsets = [helper.make_opsetid("ai.onnx.ml", 1), helper.make_opsetid("", opset)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(proto)
    return proto.SerializeToString(), grown


def oracle(grown: list, X: np.ndarray) -> np.ndarray:
    """Walk the trees."""
    total = np.full(len(X), 50.0)
    for feature, threshold, value in grown:
        at = np.zeros(len(X), int)
        while at[0] < len(feature):
            left = X[np.arange(len(X)), feature[at]] <= threshold[at]
            at = np.where(left, 2 * at + 1, 2 * at + 2)
        total += value[at - len(feature)]
    return total


def with_predict(raw: bytes, **parts: object) -> Made:
    """The same predict in the model, by whatever names it has, and in the program."""
    run = session(raw, "trees")
    name = run.get_inputs()[0].name
    one = made(**parts)  # type: ignore[arg-type]
    f = lambda A: run.run(None, {name: np.asarray(A, np.float32)})[0].reshape(-1)  # noqa: E731
    drawn = one.program.drawn and replace(one.program.drawn, predict=raw)
    return replace(one, model=replace(one.model, predict=f), program=replace(one.program, predict=raw, drawn=drawn))


def same(one: Made) -> check.Parity:
    return parity(one.graph(inside=True), one.model, one.X, one.options)


@pytest.fixture(scope="module")
def xgb() -> bytes:
    return boosted()


@pytest.mark.parametrize("law", ["mixture", "proposal"])
@pytest.mark.parametrize("control", ["none", "cubic"])
def test_boosted_trees(xgb, law, control):
    found = same(with_predict(xgb, law=law, control=control, c=1 if control == "cubic" else 3))
    assert found.worst < 1e-5
    assert found.moved <= 0.01 * found.completions


@pytest.mark.parametrize("value", ["surrogate", "stacked"])
def test_boosted_trees_beside_a_surrogate(xgb, value):
    assert same(with_predict(xgb, value=value)).worst < 1e-5


@pytest.mark.parametrize("opset", [17, 20])
def test_trees_as_other_exporters_write_them(opset):
    raw, grown = by_hand(opset=opset)
    X = rows_of(N, 300, seed=4).astype(np.float32)
    found = evaluated(lambda s, x: s.inline(raw, "predict", x)[0], X)
    assert found.shape == (300, 1)
    assert found[:, 0] == pytest.approx(oracle(grown, X), rel=1e-5)
    one = with_predict(raw)
    assert same(one).worst < 1e-5
    assert one.asked()["prediction"] == pytest.approx(oracle(grown, one.X.astype(np.float32)), rel=1e-5)


def test_a_completion_moved_across_a_split_is_counted_and_not_held_against_the_graph():
    """Draws a hair apart: predictions differ where a threshold lies between, attributions of one's own draws do not."""
    raw, _ = by_hand()
    one = with_predict(raw)
    assert same(one).moved < 10
    law = one.model.conditional
    mu = law.proposal.mu + 1e-3
    other = replace(one, model=replace(one.model, conditional=replace(law, proposal=replace(law.proposal, mu=mu))))
    found = same(other)
    assert 0.005 * found.completions < found.moved < 0.5 * found.completions
    assert found.worst < 1e-5
    assert np.abs(other.plain().values - one.asked()["attribution"]).max() > 1e-2  # on its own draws it is another


def test_predict_stands_in_the_graph_for_the_rows_and_for_their_completions():
    """Thresholds are attributes, not constants: they are written twice."""
    raw, _ = by_hand()
    proto = onnx.load_from_string(with_predict(raw).graph())
    assert {o.domain for o in proto.opset_import} == {"", "ai.onnx.ml"}
    assert proto.SerializeToString().count(b"TreeEnsembleRegressor") == 2
