"""A booster split between a shop and a bank, with everybody's rows and what the whole model says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import xgboost as xgb

from ascribe.core.federated.party import Party
from ascribe.core.federated.split import split_trees
from ascribe.train.adapters.xgboost_trees import xgboost_trees

COLUMNS = ("a", "b", "c", "d", "e")
PARTIES = {"a": "guest", "b": "bank", "c": "guest", "d": "bank", "e": "guest"}


@dataclass(frozen=True)
class Split:
    """`halves` by name of party; `margin (b,)` of the whole model at rows X (b, 5) with truths y."""

    booster: xgb.Booster
    halves: dict[str, Party]
    X: np.ndarray
    y: np.ndarray
    margin: np.ndarray

    @property
    def ids(self) -> list[str]:
        return [f"r{i}" for i in range(len(self.X))]

    def of(self, party: str) -> dict[str, dict[str, Any]]:
        """What a party has of each row."""
        at = [(name, j) for j, name in enumerate(COLUMNS) if PARTIES[name] == party]
        return {row: {name: float(x[j]) for name, j in at} for row, x in zip(self.ids, self.X, strict=True)}

    def vectors(self, ids: list[str]) -> dict[str, Any]:
        held = self.of("guest")
        return {"feature_vector": [{"id": name, "values": held[name]} for name in ids]}


@cache
def split(seed: int = 0, trees: int = 12, depth: int = 3, weight: float = 1.0, rows: int = 200) -> Split:
    """`seed` is of the booster: two seeds are two versions of one model, on the same rows."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(rows, len(COLUMNS))).astype(np.float32).astype(float)
    y = (weight * X[:, 0] + X[:, 1] * X[:, 3] - 0.5 * X[:, 2] + rng.normal(scale=0.3, size=rows) > 0).astype(float)
    told = {"max_depth": depth, "objective": "binary:logistic", "seed": seed, "subsample": 0.8, "nthread": 1}
    data = xgb.DMatrix(X, y, feature_names=list(COLUMNS))
    booster = xgb.train(told, data, trees)
    halves = split_trees(xgboost_trees(booster), PARTIES, f"loans@{seed}")
    return Split(booster, halves, X, y, booster.predict(data, output_margin=True).astype(float))
