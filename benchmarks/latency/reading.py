"""How well a learnt matrix reads sampled coalitions, beside KernelSHAP's and a fit to each row; do its errors hold?

The surrogate's game of a bundle: errors of the coalitions alone, against 16,384 of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import ascribe
from ascribe.bundle.holdout import holdout
from ascribe.core.estimators import make_plan
from benchmarks.latency.bundles import bundle_of

__all__ = ["BUDGETS", "reading"]

BUDGETS = (128, 256, 512, 1024)
ROWS, FITTED_ROWS, REFERENCE = 40, 12, 16_384


def reading(name: str) -> dict[str, Any]:
    """Root mean square errors by budget on some rows, in the output's unit; of `learnt` on more of them also its true
    errors, what it states, and coverage at 95 %.
    """
    model = ascribe.open(bundle_of(name))
    told, surrogate, base = model.bundle.manifest.reading, model.model.surrogate, model.model.base_value
    assert told is not None and surrogate is not None and base is not None
    X = holdout(model.bundle)[0]
    X = X[np.linspace(0, len(X) - 1, ROWS).astype(int)]
    X = X[np.random.default_rng(0).permutation(ROWS)]
    many = make_plan("kernel", X.shape[1], REFERENCE, 99)
    V = np.empty((len(X), len(many.S)))
    V[:, 0], V[:, -1] = base, model.predict(X)
    for row, x in zip(V, X, strict=True):
        row[1:-1] = surrogate.value(x, many.S[1:-1])
    truth = V @ many.W.T
    found: dict[str, Any] = {"bundle": name, "reading": told.kind, "rmse": {}}
    for estimator in ("kernel", "auto", "learnt"):
        some = slice(0, FITTED_ROWS if estimator == "auto" else ROWS)
        answers = [model.explain(X[some], estimator=estimator, budget=m, value="surrogate") for m in BUDGETS]
        errors = [a.values - truth[some] for a in answers]
        found["rmse"][estimator] = [float(np.sqrt((e[:FITTED_ROWS] ** 2).mean())) for e in errors]
        if estimator == "learnt":
            found["true"] = [float(np.sqrt((e**2).mean())) for e in errors]
            found["stated"] = [float(np.sqrt((a.stderr**2).mean())) for a in answers]
            found["coverage"] = [
                float((np.abs(e) <= 1.96 * a.stderr).mean()) for e, a in zip(errors, answers, strict=True)
            ]
    return found
