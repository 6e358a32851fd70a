"""Trees of scikit-learn's histogram gradient boosting, categories included.

The model renumbers the categories that it saw, and puts categorical features before the others; here both are undone. A
category that it did not see goes as a missing value does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ascribe.core.errors import InputError
from ascribe.train.adapters.tree_parts import Part

__all__ = ["histogram_parts"]


def histogram_parts(model: Any) -> list[Part]:
    """Trees of all iterations. Raises InputError where categories are other than whole numbers from 0."""
    order, seen = _columns(model)
    return [
        _part(tree, order, seen, output) for stage in model._predictors for output, tree in enumerate(stage)
    ]  # fmt: skip


def _columns(model: Any) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """The caller's column of each of the model's, and by the model's column the categories seen, in its numbering."""
    flags = model.is_categorical_
    if flags is None or model._preprocessor is None:
        return np.arange(model.n_features_in_), {}
    order = np.concatenate([np.flatnonzero(flags), np.flatnonzero(~flags)])
    held = model._preprocessor.named_transformers_["encoder"].categories_
    seen = {}
    for j, categories in enumerate(held):
        try:
            numbers = np.asarray(categories, dtype=float)
        except ValueError:
            numbers = np.array([-1.0])
        numbers = numbers[~np.isnan(numbers)]
        if (numbers < 0).any() or (numbers != np.trunc(numbers)).any():
            raise InputError(
                f"feature {order[j]} has categories that are no whole numbers from 0: encode it as such first"
            )
        seen[j] = numbers.astype(int)
    return order, seen


def _part(tree: Any, order: np.ndarray, seen: dict[int, np.ndarray], output: int) -> Part:
    nodes = tree.nodes
    leaf = nodes["is_leaf"].astype(bool)
    missing_left = nodes["missing_go_to_left"].astype(bool)
    by_set = nodes["is_categorical"].astype(bool) & ~leaf
    sets = {}
    for i in np.flatnonzero(by_set).tolist():
        words = tree.raw_left_cat_bitsets[nodes["bitset_idx"][i]]
        bits = ((words[:, None] >> np.arange(32, dtype=np.uint32)) & 1).ravel().astype(bool)
        categories = seen[int(nodes["feature_idx"][i])]
        sets[i] = np.full(categories.max() + 1, missing_left[i])
        sets[i][categories] = bits[: len(categories)]
    left, right = (np.where(leaf, -1, nodes[side].astype(int)) for side in ("left", "right"))
    return Part(
        np.where(leaf, -1, order[nodes["feature_idx"]]), np.where(leaf | by_set, 0.0, nodes["num_threshold"]),
        left, right, missing_left, nodes["value"][:, None].astype(float), nodes["count"].astype(float), output, sets,
        missing_left,
    )  # fmt: skip
