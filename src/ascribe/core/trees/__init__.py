"""Trees: an ensemble as arrays, its predictions, and its Shapley values.

shape     children and levels, checked
record    Trees: the arrays, checked; stored as they are
walk      which way rows go, and predictions
parts     bottom subtrees whose few tests decide a row's share
laws      what a leaf gives each of its features, by the pattern of tests that a row fails
tables    both together: rows and background rows are only counted and looked up
deep      paths of too many features for a table: the same integral, level by level
values    Shapley values and interaction values of rows
"""

from ascribe.core.trees.record import Trees
from ascribe.core.trees.values import interactions, interventional, path_dependent
from ascribe.core.trees.walk import margin, predict

__all__ = ["Trees", "interactions", "interventional", "margin", "path_dependent", "predict"]
