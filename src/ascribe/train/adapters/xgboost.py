"""XGBoost: boosters as json or ubj. Serving needs no xgboost: a graph, or the trees themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from ascribe.core.errors import InputError
from ascribe.train.adapters.adopted import Adopted, Asked
from ascribe.train.adapters.of_trees import of_trees
from ascribe.train.adapters.xgboost_trees import xgboost_trees

__all__ = ["read"]


def read(path: Path, asked: Asked) -> Adopted:
    """Names of features and categories are the file's where it has them. Raises InputError."""
    booster = xgboost.Booster()
    try:
        booster.load_model(str(path))
    except (xgboost.core.XGBoostError, ValueError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} is no XGBoost model, or is not whole: save it with Booster.save_model") from exc
    kinds, categories = booster.feature_types or [], _categories(booster)
    booster, stopped = _as_it_predicts(booster)

    def ask(X: np.ndarray) -> dict[str, np.ndarray]:
        rows = xgboost.DMatrix(
            X.astype(np.float32), feature_names=booster.feature_names, feature_types=booster.feature_types,
            enable_categorical="c" in kinds,
        )  # fmt: skip
        return {
            "margin": booster.predict(rows, output_margin=True),
            "prediction": booster.predict(rows),
        }

    warnings = stopped + [
        f"the file names no categories of {name}: numbers are taken as its codes"
        for name, kind in zip(booster.feature_names or (), kinds, strict=False)
        if kind == "c" and name not in categories
    ]
    return of_trees("xgboost", xgboost_trees(booster), ask, booster.feature_names, categories, asked, tuple(warnings))


def _as_it_predicts(booster: xgboost.Booster) -> tuple[xgboost.Booster, list[str]]:
    """The trees that answer, and what to say of others. An estimator that stopped early predicts by those up to its
    best iteration; a bare booster by all, though it knows which was best.
    """
    best, rounds = booster.attr("best_iteration"), _rounds(booster)
    if best is None or int(best) + 1 >= rounds:
        return booster, []
    if booster.attr("scikit_learn"):
        return booster[: int(best) + 1], []
    return booster, [f"training stopped early at iteration {best}: as Booster.predict does, all {rounds} are kept"]


def _rounds(booster: xgboost.Booster) -> int:
    try:
        return int(booster.num_boosted_rounds())
    except xgboost.core.XGBoostError:  # no booster of trees, which is said when its trees are read
        return 0


def _categories(booster: xgboost.Booster) -> dict[str, Sequence[str]]:
    """Texts by feature; files before xgboost 3.1 keep none."""
    try:
        held: Any = booster.get_categories(export_to_arrow=True).to_arrow()
    except (AttributeError, xgboost.core.XGBoostError, ValueError):
        return {}
    return {name: [str(word) for word in words.to_pylist()] for name, words in held or [] if words is not None}
