"""Importance: what each feature is worth to a model over many rows, with intervals.

permutation_importance   how much worse the model gets when a feature is shuffled among the rows
mean_abs                 mean |value| of an attribution
sage                     Shapley values of the loss: they sum to what the model gains over knowing nothing
dependence               mean prediction over a grid of one feature, or of two; every row's own curve
interactions             how much of the joint dependence of two features is no sum (Friedman's H)
"""

from ascribe.core.importance.dependence import Dependence, dependence
from ascribe.core.importance.interactions import interactions
from ascribe.core.importance.losses import LOSSES
from ascribe.core.importance.mean_abs import mean_abs
from ascribe.core.importance.permutation import permutation_importance
from ascribe.core.importance.record import Importance
from ascribe.core.importance.sage import sage

__all__ = [
    "LOSSES", "Dependence", "Importance", "dependence", "interactions", "mean_abs", "permutation_importance",
    "sage",
]  # fmt: skip
