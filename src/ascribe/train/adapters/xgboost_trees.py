"""xgboost -> `Trees`: boosters of trees (gbtree, dart), with categorical splits, missing values and several classes.

xgboost goes left where x < threshold in float32; a category goes right if the node's set holds it; what no set could
hold goes left. `cover` is the sum of hessians, as its `pred_contribs` weighs branches. xgboost keeps `base_score` as a
prediction and uses it as a margin.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees
from ascribe.train.adapters.tree_parts import Part, joined

__all__ = ["xgboost_trees"]

LINK = {
    "binary:logistic": "logistic", "reg:logistic": "logistic", "multi:softprob": "softmax", "multi:softmax": "softmax",
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp", "survival:cox": "exp", "survival:aft": "exp",
    "reg:squarederror": "identity", "reg:linear": "identity", "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity", "reg:squaredlogerror": "identity", "reg:quantileerror": "identity",
    "binary:logitraw": "identity",
    "rank:pairwise": "identity", "rank:ndcg": "identity", "rank:map": "identity",
}  # fmt: skip


def xgboost_trees(model: Any) -> Trees:
    """A `Booster`, or a fitted `XGBRegressor`, `XGBClassifier` or `XGBRanker` (to its best iteration).

    Raises InputError for linear boosters, leaves that hold several outputs, and objectives without a link known here.
    """
    booster = model if isinstance(model, xgboost.Booster) else _best(model)
    learner = json.loads(booster.save_raw("json"))["learner"]
    boosted, weight = learner["gradient_booster"], None
    if boosted["name"] == "dart":
        boosted, weight = boosted["gbtree"], boosted["weight_drop"]
    if "model" not in boosted or "trees" not in boosted["model"]:
        raise InputError(f"booster '{boosted['name']}' has no trees: train with booster 'gbtree' or 'dart'")
    objective, param = learner["objective"]["name"], learner["learner_model_param"]
    if objective not in LINK:
        raise InputError(f"objective '{objective}' has no link known here: use one of {', '.join(sorted(LINK))}")
    trees, classes = boosted["model"]["trees"], boosted["model"]["tree_info"]
    weights = np.ones(len(trees)) if weight is None else np.asarray(weight, dtype=float)
    parts = [_part(tree, int(c), w) for tree, c, w in zip(trees, classes, weights, strict=True)]
    k = max(int(param["num_class"]), int(param.get("num_target", 1)), 1)
    names = learner["feature_names"] or [f"f{i}" for i in range(int(param["num_feature"]))]
    return joined(
        parts, features=tuple(names), base=_base(param["base_score"], objective, k), comparison="<", single=True,
        link=LINK[objective], outputs=("prediction",) if k == 1 else tuple(f"class {i}" for i in range(k)),
    )  # fmt: skip


def _best(model: Any) -> xgboost.Booster:
    booster: xgboost.Booster = model.get_booster()
    try:
        return booster[: model.best_iteration + 1]
    except AttributeError:  # fitted without early stopping
        return booster


def _part(tree: dict[str, Any], output: int, weight: float) -> Part:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise InputError("leaves hold several outputs: train with multi_strategy='one_output_per_tree'")
    single = np.asarray(tree["split_conditions"], dtype=np.float32).astype(float)  # decimals of the file are float32
    left = np.asarray(tree["left_children"])
    sets: dict[int, np.ndarray] = {}
    for i, first, size in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        right = np.asarray(tree["categories"][first : first + size], dtype=int)
        sets[i] = np.ones(max(right.max(initial=0), 0) + 1, dtype=bool)
        sets[i][right] = False
    return Part(
        np.asarray(tree["split_indices"]), single, left, np.asarray(tree["right_children"]),
        np.asarray(tree["default_left"], dtype=bool), weight * single[:, None],
        np.asarray(tree["sum_hessian"], dtype=float), output, sets, np.ones(len(left), bool),
    )  # fmt: skip


def _base(text: str, objective: str, k: int) -> np.ndarray:
    """The margin before any tree (k,); one number in older files, a list since 3.1."""
    score = np.ravel(np.asarray(json.loads(str(text)), dtype=float))
    if LINK[objective] == "logistic":
        score = np.log(score) - np.log1p(-score)
    elif LINK[objective] == "exp":
        score = np.log(score)
    return np.broadcast_to(score, (k,)).copy()
