"""Trees of a bundle: what `tree_shap` reads, and what predicts where no graph can say them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.npz import arrays
from ascribe.core.errors import BundleError, InputError
from ascribe.core.model import Model
from ascribe.core.terms import Terms
from ascribe.core.trees import Trees, predict

__all__ = ["of_trees", "terms_of", "trees_of"]


def trees_of(bundle: Bundle) -> Trees | None:
    """The role `trees`. Raises BundleError."""
    if not bundle.has("trees"):
        return None
    try:
        return Trees.of(arrays(bundle, "trees", ("features",)))
    except (InputError, ValueError, TypeError, AttributeError) as exc:
        raise BundleError(f"the trees of {bundle.origin} cannot be read ({exc}): import the model again") from exc


def terms_of(bundle: Bundle) -> Terms | None:
    """The role `terms`. Raises BundleError."""
    if not bundle.has("terms"):
        return None
    try:
        return Terms.of(arrays(bundle, "terms", ("intercept", "slopes", "centres", "counts", "edges", "steps")))
    except (InputError, ValueError, TypeError, IndexError) as exc:
        raise BundleError(f"the terms of {bundle.origin} cannot be read ({exc}): train the bundle again") from exc


def of_trees(model: Model, origin: str) -> Callable[[np.ndarray], np.ndarray]:
    """`predict` of a bundle without a graph for it. Raises BundleError where it has no trees of one output either."""
    trees = model.trees
    if trees is None or len(trees.outputs) != 1:
        raise BundleError(f"{origin} holds nothing that predicts: import or train the model again")
    return lambda X: predict(trees, np.asarray(X, dtype=float))[:, 0]
