"""The model's own terms: of an additive model the explanation is the model itself, with nothing estimated.

value_j = g_j(x_j),    base = mean prediction over the training rows         (`core.terms`)
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["additive_terms"]


def additive_terms(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """Raises InputError for groups: add the values of a group's members, which is exact here."""
    terms = model.terms
    assert terms is not None and model.predict is not None
    predict = model.predict

    def ask(rows: np.ndarray) -> Found:
        f = np.asarray(predict(rows), dtype=float).reshape(-1)
        return Found(terms.parts(rows), f, np.full(len(rows), terms.intercept))

    kind = Kind("additive_terms", "marginal", "terms", "exact", "efficiency_gap")
    return answered(model, X, kind, options, step, ask)
