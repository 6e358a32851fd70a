"""One row by other libraries, the same model behind them: seconds by name.

`equal`: as many evaluations of the model as 256 coalitions x 16 completions are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["EVALUATIONS", "peers", "tree_peer"]

EVALUATIONS = 4096
BACKGROUND = 100


def peers(predict: Callable[[np.ndarray], np.ndarray], background: np.ndarray, x: np.ndarray) -> dict[str, Callable]:
    """Calls that explain the row `x (n,)`."""
    import shap
    import torch
    from captum.attr import KernelShap, ShapleyValueSampling

    n = len(x)
    some = background[:BACKGROUND]
    kernel = shap.KernelExplainer(predict, some)
    masker = shap.maskers.Independent(some, max_samples=len(some))
    permutation = shap.explainers.Permutation(predict, masker, seed=0)
    sampling = shap.explainers.Sampling(predict, some)
    row, baseline = torch.as_tensor(x[None], dtype=torch.float32), torch.as_tensor(some.mean(axis=0)[None]).float()

    def forward(X: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(predict(X.numpy()))

    shapley_sampling, captum_kernel = ShapleyValueSampling(forward), KernelShap(forward)
    return {
        "shap kernel, default": lambda: kernel.shap_values(x, silent=True),
        "shap kernel, equal": lambda: kernel.shap_values(x, nsamples=max(EVALUATIONS // BACKGROUND, 2), silent=True,
                                                         l1_reg=False),
        "shap permutation, equal": lambda: permutation(
            x[None], max_evals=max(EVALUATIONS // BACKGROUND, 2 * n + 1), silent=True
        ),
        "shap sampling, equal": lambda: sampling.shap_values(x, nsamples=EVALUATIONS, silent=True),
        "captum shapley sampling, equal": lambda: shapley_sampling.attribute(
            row, baselines=baseline, n_samples=EVALUATIONS // (n + 1), perturbations_per_eval=64
        ),
        "captum kernel, equal": lambda: captum_kernel.attribute(
            row, baselines=baseline, n_samples=EVALUATIONS, perturbations_per_eval=256
        ),
    }  # fmt: skip


def tree_peer(X: np.ndarray, y: np.ndarray, trees: int) -> Callable[[np.ndarray], np.ndarray]:
    """xgboost's own `pred_contribs` (path-dependent TreeSHAP) on an ensemble of the same size."""
    import xgboost

    options = {"max_depth": 6, "learning_rate": 0.05, "tree_method": "hist", "nthread": 1, "min_child_weight": 30}
    booster = xgboost.train(options, xgboost.DMatrix(X.astype(np.float32), y), trees)
    return lambda rows: booster.predict(xgboost.DMatrix(rows.astype(np.float32), nthread=1), pred_contribs=True)
