"""Power model as boosted trees: f(x) = base + sum over trees of the leaf that x falls into."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import xgboost

from ascribe.train.boosting import in_unit, unit_of
from ascribe.train.dataset import Dataset
from ascribe.train.fitted import FittedPower
from ascribe.train.graphs.trees import booster_to_onnx
from ascribe.train.loop import Progress

__all__ = ["PowerXgboostOptions", "fit_power_xgboost"]


@dataclass(frozen=True)
class PowerXgboostOptions:
    """Shallow draws of rows and columns: telemetry drifts, and single counters (free memory) can act as a label of
    the workload; trees that may always choose them generalise worse in time.
    """

    max_depth: int = 6
    learning_rate: float = 0.05
    subsample: float = 0.5
    colsample_bytree: float = 0.7
    colsample_bynode: float = 0.5
    min_child_weight: float = 30
    trees: int = 400
    patience: int = 40


class _Report(xgboost.callback.TrainingCallback):
    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total

    def after_iteration(self, model: object, epoch: int, evals_log: object) -> bool:
        if epoch % 10 == 9:
            self.progress((epoch + 1) / self.total, f"tree {epoch + 1}")
        return False


def fit_power_xgboost(
    data: Dataset,
    seed: int,
    device: str = "cpu",
    progress: Progress | None = None,
    options: PowerXgboostOptions | None = None,
) -> FittedPower:
    """Fit on `fit` with early stopping on `validation`, then again on both with the number of trees that was best."""
    options = options or PowerXgboostOptions()
    parameters = asdict(options)
    trees, patience = parameters.pop("trees"), parameters.pop("patience")
    # min_child_weight is for thousands of rows; a small table could not split at all
    parameters["min_child_weight"] = min(options.min_child_weight, max(1, len(data.fit) // 100))
    parameters |= {"tree_method": "hist", "seed": seed, "device": device, "objective": "reg:squarederror"}

    unit = unit_of(data.fit.y)

    def matrix(part: object) -> xgboost.DMatrix:
        return xgboost.DMatrix(part.X.astype(np.float32), part.y / unit)  # type: ignore[attr-defined]

    def fit(rows: object, count: int, **more: object) -> xgboost.Booster:
        watch = [_Report(progress, count)] if progress else []
        return xgboost.train(parameters, matrix(rows), count, verbose_eval=False, callbacks=watch, **more)

    scouted = fit(data.fit, trees, evals=[(matrix(data.validation), "validation")], early_stopping_rounds=patience)
    best = scouted.best_iteration + 1
    validation = unit * scouted.predict(matrix(data.validation), iteration_range=(0, best)).astype(float)
    booster = in_unit(fit(data.training, best), unit)
    if progress:
        progress(1.0, f"{best} trees")
    return FittedPower(
        family="power_xgboost",
        graph=booster_to_onnx(booster, data.validation.X[:2048]),
        validation=validation,
        scaling={},
        options={**parameters, "trees_used": best},
    )
