"""xgboost -> ONNX TreeEnsembleRegressor, with parity.

xgboost goes left where x < threshold in float32, which is the operator's BRANCH_LT on the same numbers. Leaves are
summed in double: ONNX Runtime sums trees in another order for a large batch than for one row, and in single precision
the last bits would tell them apart.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost
from onnx import TensorProto, helper

from ascribe.train.graphs.export import check_parity, finish
from ascribe.train.graphs.exporter import OPSET

__all__ = ["booster_to_onnx"]

TOLERANCE = 1e-5


def booster_to_onnx(booster: xgboost.Booster, example: np.ndarray) -> bytes:
    """A regression booster (identity link) as a graph `x (rows, n)` -> `prediction (rows,)`.

    Raises BundleError if it differs from the booster on `example (rows, n)` by more than 1e-5 of the largest value.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    base = float(np.ravel(json.loads(str(learner["learner_model_param"]["base_score"])))[0])
    nodes: dict[str, list[Any]] = {
        k: [] for k in ("tree", "node", "feature", "mode", "value", "true", "false", "missing")
    }
    leaves: dict[str, list[Any]] = {k: [] for k in ("tree", "node", "weight")}
    for t, tree in enumerate(learner["gradient_booster"]["model"]["trees"]):
        left, right = tree["left_children"], tree["right_children"]
        for i, (yes, no) in enumerate(zip(left, right, strict=True)):
            leaf = yes == -1
            row = (t, i, 0 if leaf else tree["split_indices"][i], "LEAF" if leaf else "BRANCH_LT",
                   0.0 if leaf else tree["split_conditions"][i], 0 if leaf else yes, 0 if leaf else no,
                   0 if leaf else int(tree["default_left"][i]))  # fmt: skip
            for key, value in zip(nodes, row, strict=True):
                nodes[key].append(value)
            if leaf:
                for key, value in zip(leaves, (t, i, tree["split_conditions"][i]), strict=True):
                    leaves[key].append(value)
    double = TensorProto.DOUBLE
    wide = helper.make_node("Cast", ["x"], ["wide"], to=double)
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", ["wide"], ["column"], domain="ai.onnx.ml",
        nodes_treeids=nodes["tree"], nodes_nodeids=nodes["node"], nodes_featureids=nodes["feature"],
        nodes_modes=nodes["mode"], nodes_truenodeids=nodes["true"], nodes_falsenodeids=nodes["false"],
        nodes_values_as_tensor=helper.make_tensor("nodes", double, [len(nodes["value"])], _single(nodes["value"])),
        nodes_missing_value_tracks_true=nodes["missing"],
        target_treeids=leaves["tree"], target_nodeids=leaves["node"], target_ids=[0] * len(leaves["tree"]),
        target_weights_as_tensor=helper.make_tensor("leaves", double, [len(leaves["tree"])], _single(leaves["weight"])),
        base_values_as_tensor=helper.make_tensor("base", double, [1], _single([base])),
        n_targets=1, post_transform="NONE",
    )  # fmt: skip
    narrow = helper.make_node("Cast", ["column"], ["narrow"], to=TensorProto.FLOAT)
    flat = helper.make_node("Squeeze", ["narrow", "axis"], ["prediction"])
    graph = helper.make_graph(
        [wide, ensemble, narrow, flat],
        "predict",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", example.shape[1]])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    raw = finish(helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="ascribe"))
    X = example.astype(np.float32)
    check_parity(raw, {"x": X}, {"prediction": booster.predict(xgboost.DMatrix(X))}, TOLERANCE)
    return raw


def _single(values: list[float]) -> list[float]:
    """float32 values, written wide: thresholds compare as xgboost compares them."""
    return [float(value) for value in np.asarray(values, dtype=np.float32)]
