"""`Trees` -> ONNX TreeEnsembleRegressor, where it can say them.

    x (rows, n) -> margin (rows, k), probability (rows, k)  of a classifier, else prediction (rows,)

The operator compares as the trees do: rows are float32 where they round so (`single`), else double; leaves are summed
in double. It has no sets of categories and no zeros that go as missing values: `None` is given for such trees.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto, TensorProto, helper

from ascribe.core.trees import Trees
from ascribe.train.graphs.export import finish
from ascribe.train.graphs.exporter import OPSET

__all__ = ["binary", "trees_graph"]

DOUBLE = TensorProto.DOUBLE


def trees_graph(trees: Trees, spaces: tuple[str, ...]) -> bytes | None:
    """The graph; `spaces` of a classifier, whose two classes one margin may stand for; without: one prediction."""
    assert trees.zero_missing is not None
    if trees.categorical.any() or trees.zero_missing.any() or len(trees) == 0:
        return None
    nodes = [_ensemble(trees, "wide" if trees.single else "x")]
    if trees.single:
        nodes.insert(0, helper.make_node("Cast", ["x"], ["wide"], to=DOUBLE))
    paired = bool(spaces) and len(trees.outputs) == 1
    if paired:  # one margin m as the two of its classes, -m and m
        nodes += [
            helper.make_node("Neg", ["sums"], ["other"]),
            helper.make_node("Concat", ["other", "sums"], ["both"], axis=1),
        ]
    both = "both" if paired else "sums"
    nodes.append(helper.make_node(LINKS[trees.link], [both], ["linked"]))
    outputs = []
    for space in spaces:
        nodes.append(
            helper.make_node("Cast", ["linked" if space == "probability" else both], [space], to=TensorProto.FLOAT)
        )
        outputs.append(helper.make_tensor_value_info(space, TensorProto.FLOAT, ["rows", None]))
    if not spaces:
        nodes.append(helper.make_node("Cast", ["linked"], ["narrow"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Squeeze", ["narrow", "axis"], ["prediction"]))
        outputs.append(helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["rows"]))
    kind = TensorProto.FLOAT if trees.single else DOUBLE
    constants = [] if spaces else [helper.make_tensor("axis", TensorProto.INT64, [1], [1])]
    graph = helper.make_graph(
        nodes, "predict", [helper.make_tensor_value_info("x", kind, ["rows", len(trees.features)])], outputs, constants
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    return finish(helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="ascribe"))


LINKS = {"identity": "Identity", "logistic": "Sigmoid", "softmax": "Softmax", "exp": "Exp"}


def _ensemble(trees: Trees, x: str) -> NodeProto:
    leaf, start = trees.leaf, trees.start[:-1][trees.tree]
    nodes = np.arange(len(leaf)) - start
    k, w = len(trees.outputs), trees.value.shape[1]
    mode = "BRANCH_LT" if trees.comparison == "<" else "BRANCH_LEQ"
    at = np.repeat(np.flatnonzero(leaf), w)
    target = np.tile(np.arange(w), int(leaf.sum())) if w > 1 else trees.output[trees.tree[at]]
    value = trees.value[leaf].ravel()

    def child(held: np.ndarray) -> list[int]:
        return [int(node) for node in np.where(leaf, 0, held - start)]

    return helper.make_node(
        "TreeEnsembleRegressor", [x], ["sums"], domain="ai.onnx.ml",
        nodes_treeids=trees.tree.tolist(), nodes_nodeids=nodes.tolist(),
        nodes_featureids=np.where(leaf, 0, trees.feature).tolist(),
        nodes_modes=np.where(leaf, "LEAF", mode).tolist(),
        nodes_truenodeids=child(trees.left), nodes_falsenodeids=child(trees.right),
        nodes_values_as_tensor=helper.make_tensor("nodes", DOUBLE, [len(leaf)], np.where(leaf, 0.0, trees.threshold)),
        nodes_missing_value_tracks_true=np.where(leaf, 0, trees.missing_left).astype(int).tolist(),
        target_treeids=trees.tree[at].tolist(), target_nodeids=nodes[at].tolist(), target_ids=target.tolist(),
        target_weights_as_tensor=helper.make_tensor("leaves", DOUBLE, [len(value)], value),
        base_values_as_tensor=helper.make_tensor("base", DOUBLE, [k], trees.base),
        n_targets=k, post_transform="NONE",
    )  # fmt: skip


def binary(trees: Trees, labels: tuple[str, ...]) -> Trees:
    """Trees of one margin as those of two classes: -m and m. Others as they are; `labels` name the outputs."""
    if len(trees.outputs) == len(labels):
        return replace(trees, outputs=labels)
    value = np.concatenate([-trees.value, trees.value], axis=1)
    return replace(trees, value=value, base=np.concatenate([-trees.base, trees.base]), outputs=labels)
