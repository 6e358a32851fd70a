"""Power model as boosted trees: f(x) = base + sum over trees of the leaf that x falls into."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import xgboost

from ascribe.train.boosting import fit_boosted
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
    made = fit_boosted(
        data, parameters, trees, patience, seed, device, lambda total: [_Report(progress, total)] if progress else []
    )
    if progress:
        progress(1.0, f"{made.trees} trees")
    return FittedPower(
        family="power_xgboost",
        graph=booster_to_onnx(made.booster, data.validation.X[:2048]),
        validation=made.validation,
        scaling={},
        options={**made.parameters, "trees_used": made.trees},
    )
