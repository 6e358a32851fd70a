"""Conditionals by name, and the marginal explainers of shap: who is compared."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

import ascribe
from ascribe.core.conditional import Conditional, Gaussian, Independent
from ascribe.core.copula import GaussianCopula
from ascribe.core.empirical import Combined, Empirical

__all__ = ["CONDITIONALS", "MARGINAL", "VALUES"]

VALUES = ("surrogate", "stacked", "auto")  # value functions over a learned conditional, beside plain completions

CONDITIONALS: dict[str, Callable[[np.ndarray], Conditional]] = {
    "independent": Independent,
    "gaussian": Gaussian.fit,
    "copula": GaussianCopula.fit,
    "empirical": Empirical.fit,
    "combined": lambda X: Combined(Empirical.fit(X), Gaussian.fit(X)),
    "combined_copula": lambda X: Combined(Empirical.fit(X), GaussianCopula.fit(X)),
    "emshap": lambda X: ascribe.fit_conditional(X, "emshap"),
}


def _shap_kernel(f: Any, background: np.ndarray, X: np.ndarray) -> np.ndarray:
    import shap

    return np.asarray(shap.KernelExplainer(f, background).shap_values(X, silent=True))


def _shap_sampling(f: Any, background: np.ndarray, X: np.ndarray) -> np.ndarray:
    import shap

    return np.asarray(shap.SamplingExplainer(f, background).shap_values(X, silent=True))


def _shap_permutation(f: Any, background: np.ndarray, X: np.ndarray) -> np.ndarray:
    import shap

    masker = shap.maskers.Independent(background, max_samples=len(background))
    return np.asarray(shap.PermutationExplainer(f, masker, seed=0)(X, silent=True).values)


def _shapiq_gaussian(f: Any, background: np.ndarray, X: np.ndarray) -> np.ndarray:
    import shapiq

    imputer = shapiq.GaussianImputer(f, background)
    explainer = shapiq.TabularExplainer(f, background, imputer=imputer, index="SV", max_order=1)
    return np.array([explainer.explain(x, budget=2 ** X.shape[1]).get_n_order_values(1) for x in X])


MARGINAL: dict[str, Callable[[Any, np.ndarray, np.ndarray], np.ndarray]] = {
    "shap_kernel": _shap_kernel,
    "shap_permutation": _shap_permutation,
    "shap_sampling": _shap_sampling,
} | ({"shapiq_gaussian": _shapiq_gaussian} if find_spec("shapiq") else {})
