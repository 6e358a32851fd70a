"""Boosted trees of targets in small units, such as kWh or MW.

xgboost makes no split that gains less than 1e-6, in the square of the target's unit: of a target that spreads over a
ten-thousandth it learns little, and of a smaller one nothing. So it is given y / unit, and its leaves are multiplied by
the unit afterwards; by a power of two, which changes no digit.
"""

from __future__ import annotations

import json
import math

import numpy as np
import xgboost

__all__ = ["in_unit", "unit_of"]


def unit_of(y: np.ndarray) -> float:
    """The power of two at or below the standard deviation of `y (rows,)`; at most 1, and 1 for a constant."""
    spread = float(y.std())
    return 2.0 ** min(math.frexp(spread)[1] - 1, 0) if spread > 0 else 1.0


def in_unit(booster: xgboost.Booster, unit: float) -> xgboost.Booster:
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
