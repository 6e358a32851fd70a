"""Boosted trees, as many as a validation part bears, of targets in any unit.

xgboost makes no split that gains less than 1e-6, in the square of the target's unit: of a target that spreads over a
ten-thousandth (kWh, MW) it learns little, and of a smaller one nothing. So it is given y / unit, and its leaves are
multiplied by the unit afterwards; by a power of two, which changes no digit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost

from ascribe.train.dataset import Dataset, Part

__all__ = ["Boosted", "fit_boosted"]

Watch = Callable[[int], Sequence[xgboost.callback.TrainingCallback]]


@dataclass(frozen=True, eq=False)
class Boosted:
    """`booster`: fitted on all but the holdout; `validation (rows,)`: told by the one that stopped there; `parameters`:
    as they were given to xgboost.
    """

    booster: xgboost.Booster
    validation: np.ndarray
    trees: int
    parameters: dict[str, Any]


def fit_boosted(
    data: Dataset, parameters: dict[str, Any], trees: int, patience: int, seed: int, device: str,
    watch: Watch = lambda total: (),
) -> Boosted:  # fmt: skip
    """Fit on `fit` with early stopping on `validation`, then again on both with the number of trees that was best.
    `watch`: callbacks of a fit of at most so many trees.
    """
    # min_child_weight is for thousands of rows; a small table could not split at all
    least = min(parameters["min_child_weight"], max(1, len(data.fit) // 100))
    parameters = parameters | {"min_child_weight": least, "tree_method": "hist", "seed": seed, "device": device,
                               "objective": "reg:squarederror"}  # fmt: skip
    unit = _unit_of(data.fit.y)

    def matrix(part: Part) -> xgboost.DMatrix:
        return xgboost.DMatrix(part.X.astype(np.float32), part.y / unit)

    def fit(part: Part, count: int, **more: object) -> xgboost.Booster:
        return xgboost.train(parameters, matrix(part), count, verbose_eval=False, callbacks=list(watch(count)), **more)

    judge = matrix(data.validation)
    scouted = fit(data.fit, trees, evals=[(judge, "validation")], early_stopping_rounds=patience)
    best = scouted.best_iteration + 1
    validation = unit * scouted.predict(judge, iteration_range=(0, best)).astype(float)
    return Boosted(_in_unit(fit(data.training, best), unit), validation, best, parameters)


def _unit_of(y: np.ndarray) -> float:
    """The power of two at or below the standard deviation of `y (rows,)`; at most 1, and 1 for a constant."""
    spread = float(y.std())
    return 2.0 ** min(math.frexp(spread)[1] - 1, 0) if spread > 0 else 1.0


def _in_unit(booster: xgboost.Booster, unit: float) -> xgboost.Booster:
    """A regression booster of y / unit as one of y."""
    if unit == 1.0:
        return booster
    told = json.loads(booster.save_raw("json"))
    learner = told["learner"]
    base = json.loads(str(learner["learner_model_param"]["base_score"]))  # a list from xgboost 3.1 on
    learner["learner_model_param"]["base_score"] = json.dumps((unit * np.asarray(base)).tolist())
    for tree in learner["gradient_booster"]["model"]["trees"]:
        held = zip(tree["left_children"], tree["split_conditions"], strict=True)
        tree["split_conditions"] = [value * unit if left == -1 else value for left, value in held]
        tree["base_weights"] = [value * unit for value in tree["base_weights"]]
    return xgboost.Booster(model_file=bytearray(json.dumps(told).encode()))
