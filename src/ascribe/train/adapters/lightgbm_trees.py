"""LightGBM -> `Trees`, from the text of a model: no LightGBM is needed to read one.

Leaves of random forests are averaged, as LightGBM's predictions are; its raw scores and `pred_contrib` are their sums.

LightGBM goes left where x <= threshold in double precision, and where a node's set holds the category. Missing values:
taken for 0 at nodes of type none, sent with the zeros at nodes of type zero, sent on their own at nodes of type nan.
`cover` is the number of rows, as its `pred_contrib` weighs branches.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees
from ascribe.train.adapters.tree_parts import Part, joined

__all__ = ["lightgbm_trees"]

CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of decision_type; the next two are the type of missing values
NONE, ZERO = 0, 1
LINK = {
    "binary": "logistic", "cross_entropy": "logistic", "multiclassova": "logistic", "multiclass": "softmax",
    "poisson": "exp", "gamma": "exp", "tweedie": "exp", "regression": "identity", "regression_l1": "identity",
    "huber": "identity", "fair": "identity", "quantile": "identity", "mape": "identity", "lambdarank": "identity",
    "rank_xendcg": "identity", "custom": "identity",
}  # fmt: skip


def lightgbm_trees(model: Any) -> Trees:
    """The text of a model, a `Booster`, or a fitted `LGBMRegressor`, `LGBMClassifier` or `LGBMRanker` (up to the best
    iteration, as it predicts).

    Raises InputError for linear leaves, objectives without a link known here, and text that is no model.
    """
    head, blocks = _blocks(model if isinstance(model, str) else _text(model))
    each = k = int(head["num_tree_per_iteration"])  # one tree for each output in turn
    share = each / len(blocks) if "average_output" in head and blocks else 1.0
    parts = [_part(block, i % each, share) for i, block in enumerate(blocks)]
    return joined(
        parts, features=tuple(head["feature_names"].split()), base=np.zeros(k), comparison="<=", single=False,
        link=_link(head.get("objective", "custom")),
        outputs=("prediction",) if k == 1 else tuple(f"class {i}" for i in range(k)),
    )  # fmt: skip


def _text(model: Any) -> str:
    return str(getattr(model, "booster_", model).model_to_string())


def _blocks(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The lines before the first tree, and those of each tree, as key=value."""
    if not text.startswith("tree") or "\nnum_tree_per_iteration=" not in text:
        raise InputError("this is no LightGBM model: give the text that Booster.save_model writes")
    sections = text.split("end of trees")[0].split("\nTree=")
    held = [dict(line.partition("=")[::2] for line in section.splitlines() if line) for section in sections]
    return held[0], held[1:]


def _link(objective: str) -> str:
    name, *options = objective.split() or ["custom"]
    if name not in LINK or "sqrt" in options:
        raise InputError(f"objective '{objective}' has no link known here: use one of {', '.join(sorted(LINK))}")
    if any(o.startswith("sigmoid:") and float(o.split(":")[1]) != 1 for o in options):
        raise InputError(f"objective '{objective}' stretches its margin: train with sigmoid=1")
    return LINK[name]


def _part(block: dict[str, str], output: int, share: float) -> Part:
    """Splits keep their numbers, leaf i is number splits + i."""
    if int(block.get("is_linear", 0)):
        raise InputError("leaves hold linear models: train with linear_tree=False")
    leaves = int(block["num_leaves"])
    value = share * _numbers(block, "leaf_value", leaves)
    if leaves == 1:
        nothing = np.array([-1])
        return Part(nothing, np.zeros(1), nothing, nothing, np.zeros(1, bool), value[:, None], np.ones(1), output)
    splits = leaves - 1
    kind = _numbers(block, "decision_type", splits).astype(int)
    threshold = _numbers(block, "threshold", splits)
    missing = (kind >> 2) & 3
    by_set = (kind & CATEGORICAL) > 0
    left = np.where(missing == NONE, threshold >= 0, (kind & DEFAULT_LEFT) > 0) & ~by_set
    sets = {}
    if by_set.any():
        ends, words = _numbers(block, "cat_boundaries").astype(int), _numbers(block, "cat_threshold").astype(np.uint32)
        for i in np.flatnonzero(by_set).tolist():
            own = words[ends[int(threshold[i])] : ends[int(threshold[i]) + 1]]
            sets[i] = ((own[:, None] >> np.arange(32, dtype=np.uint32)) & 1).ravel().astype(bool)
    pad = np.zeros(leaves)
    children = [
        np.concatenate([np.where(child < 0, splits - 1 - child, child), np.full(leaves, -1)])
        for child in (_numbers(block, name, splits).astype(int) for name in ("left_child", "right_child"))
    ]
    return Part(
        np.concatenate([_numbers(block, "split_feature", splits), pad - 1]).astype(int),
        np.concatenate([np.where(by_set, 0.0, threshold), pad]), children[0], children[1],
        np.concatenate([left, pad]).astype(bool), np.concatenate([np.zeros(splits), value])[:, None],
        np.concatenate([_numbers(block, "internal_count", splits), _numbers(block, "leaf_count", leaves)]),
        output, sets, np.zeros(splits + leaves, bool), np.concatenate([(missing == ZERO) & ~by_set, pad]).astype(bool),
    )  # fmt: skip


def _numbers(block: dict[str, str], name: str, count: int | None = None) -> np.ndarray:
    held = np.array(block.get(name, "").split(), dtype=float)
    if count is not None and len(held) != count:
        raise InputError(f"a tree has {len(held)} of {count} numbers in '{name}': the model's text is not whole")
    return held
