"""Power model as a sum of curves, one of each feature: boosted trees of depth one.

    f(x) = intercept + sum_j g_j(x_j),     g_j: the stumps that split on feature j, added up

What an explainable boosting machine is without its pairs (Lou, Caruana and Gehrke 2012): many small steps, in turn on
the features that help most.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import xgboost

from ascribe.core.errors import BundleError
from ascribe.core.terms import Terms
from ascribe.train.boosting import fit_boosted
from ascribe.train.dataset import Dataset
from ascribe.train.fitted import FittedPower
from ascribe.train.graphs.trees import booster_to_onnx
from ascribe.train.loop import Progress

__all__ = ["AdditiveOptions", "fit_additive", "terms_of_stumps"]

TOLERANCE = 1e-4  # of the largest prediction, between the booster and its terms


@dataclass(frozen=True)
class AdditiveOptions:
    """Small steps: the stumps of a feature add up to a curve."""

    learning_rate: float = 0.1
    subsample: float = 0.7
    colsample_bynode: float = 0.5
    min_child_weight: float = 20
    max_bin: int = 256
    trees: int = 2000
    patience: int = 60


def fit_additive(
    data: Dataset,
    seed: int,
    device: str = "cpu",
    progress: Progress | None = None,
    options: AdditiveOptions | None = None,
) -> FittedPower:
    """Fit on `fit` with early stopping on `validation`, then again on both with the number of stumps that was best.

    Raises BundleError where the terms do not predict what the booster does.
    """
    options = options or AdditiveOptions()
    parameters = asdict(options)
    trees, patience = parameters.pop("trees"), parameters.pop("patience")
    made = fit_boosted(data, parameters | {"max_depth": 1}, trees, patience, seed, device)
    if progress:
        progress(1.0, f"{made.trees} stumps")
    return FittedPower(
        family="additive", graph=booster_to_onnx(made.booster, data.validation.X[:2048]), validation=made.validation,
        scaling={}, options={**made.parameters, "trees_used": made.trees},
        terms=terms_of_stumps(made.booster, data.training.X),
    )  # fmt: skip


def terms_of_stumps(booster: xgboost.Booster, X: np.ndarray) -> Terms:
    """Curves of the features, centred over X. Raises BundleError for deeper trees, or where they predict otherwise."""
    n = X.shape[1]
    jumps: list[dict[float, float]] = [{} for _ in range(n)]
    for tree in json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]:
        left, right, value = tree["left_children"], tree["right_children"], tree["split_conditions"]
        if len(left) not in (1, 3):
            raise BundleError("terms are of trees of depth one: this booster has deeper ones")
        if left[0] == -1:
            continue
        edge, low, high = (float(np.float32(value[k])) for k in (0, left[0], right[0]))
        held = jumps[tree["split_indices"][0]]
        held[edge] = held.get(edge, 0.0) + high - low
    edges = tuple(np.array(sorted(held), np.float32) for held in jumps)
    steps = tuple(np.concatenate([[0.0], np.cumsum([held[e] for e in sorted(held)])]) for held in jumps)
    assert all(a < b for e in edges for a, b in pairwise(e))
    told = booster.predict(xgboost.DMatrix(X.astype(np.float32))).astype(float)
    raw = Terms(0.0, np.zeros(n), np.zeros(n), edges, steps)
    summed = raw.parts(X).sum(axis=1)
    whole = Terms(float(np.mean(told - summed)), raw.slopes, raw.centres, edges, steps)
    if np.abs(whole.intercept + summed - told).max() > TOLERANCE * np.abs(told).max():
        raise BundleError("the terms do not predict what the booster does: train again with another version of xgboost")
    return whole.centred(X)
