"""A forecast by trees as one graph: torch, TreeEnsembleRegressor, torch.

    x (b, n) -> Z (b h, p) -> answers (b h,) -> forecast (b, 3 + h), lower (b, h), upper (b, h)

The operator compares in double, as LightGBM does, and sums leaves in double. Trees are compared with LightGBM on the Z
of the graph itself, and Z with that of torch.
"""

from __future__ import annotations

import lightgbm
import numpy as np
import onnx
import torch
from onnx import TensorProto, compose, helper
from torch import Tensor

from ascribe.bundle.sessions import session
from ascribe.core.errors import BundleError
from ascribe.train.adapters.lightgbm_trees import lightgbm_trees
from ascribe.train.adapters.trees_graph import trees_graph
from ascribe.train.forecasting.answer import ANSWER
from ascribe.train.forecasting.lagged import Answered, Lagged
from ascribe.train.graphs.export import check_parity, finish, to_onnx

__all__ = ["tree_graph"]

ASKED, GIVEN = ("Z", "last", "swing"), ("told", "last", "swing")


def tree_graph(first: Lagged, booster: lightgbm.Booster, end: Answered, example: Tensor) -> bytes:
    """Free in its first axis. `booster`: all of its trees are asked.

    Raises BundleError where a part differs from torch, or the trees from LightGBM, on `example (b, n)`.
    """
    asked = to_onnx(first, {"x": example}, ASKED)
    Z, last, swing = session(asked, "rows of a window").run(list(ASKED), {"x": example.numpy()})
    told = np.asarray(booster.predict(Z, num_iteration=-1), np.float32).reshape(last.shape)
    given = {name: torch.as_tensor(value) for name, value in zip(GIVEN, (told, last, swing), strict=True)}
    answered = to_onnx(end, given, ANSWER)
    trees = trees_graph(lightgbm_trees(booster.model_to_string(num_iteration=-1)), ())
    if trees is None:
        raise BundleError("the trees split by categories or by what is missing, which no graph says: fit them again")
    whole = finish(_joined(asked, trees, answered, last.shape[1]))
    with torch.no_grad():
        wanted = dict(zip(ANSWER, (one.numpy() for one in end(*given.values())), strict=True))
    check_parity(whole, {"x": example.numpy()}, wanted)
    return whole


def _joined(asked: bytes, trees: bytes, answered: bytes, h: int) -> onnx.ModelProto:
    first, middle, end = (onnx.load_from_string(raw) for raw in (asked, trees, answered))
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, h])
    middle.graph.initializer.append(shape)
    middle.graph.node.append(helper.make_node("Reshape", ["prediction", "shape"], ["told"]))
    del middle.graph.output[:]
    middle.graph.output.append(helper.make_tensor_value_info("told", TensorProto.FLOAT, [None, h]))
    for name, part in (("asked/", first), ("trees/", middle), ("answered/", end)):
        del part.graph.value_info[:]  # the first axis of what is joined has several names
        part.ir_version = max(one.ir_version for one in (first, middle, end))
        keep = {"rename_inputs": part is not first, "rename_outputs": part is not end}
        compose.add_prefix(part, name, inplace=True, **keep)
    both = compose.merge_models(first, middle, io_map=[("asked/Z", "trees/x")])
    links = {"told": "trees/told", "last": "asked/last", "swing": "asked/swing"}
    return compose.merge_models(both, end, io_map=[(links[name], f"answered/{name}") for name in GIVEN])
