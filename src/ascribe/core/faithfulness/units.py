"""What is hidden at a time when values are judged: a feature, a whole pixel, a word, an input on a day."""

from __future__ import annotations

from ascribe.core.arrays import Float, np
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.players import Segments, segments_of

__all__ = ["unit_values", "units_of"]


def units_of(model: Model, x: Float[np.ndarray, " n"]) -> Segments:
    """The units of one row: the same for every method, whatever its players were, so that methods compare."""
    layout = model.layout
    if layout.kind == "table":
        return Segments(np.arange(len(x)))
    if layout.kind == "image":
        height, width, channels = layout.shape
        return Segments(np.repeat(np.arange(height * width), channels))
    return segments_of(layout, Options(), x[None], 0)


def unit_values(units: Segments, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " u"]:
    """Of each unit: the sum over its columns.

    >>> unit_values(Segments(np.array([0, 0, 1])), np.array([1.0, 2.0, 5.0])).tolist()
    [3.0, 5.0]
    """
    mine = units.owner >= 0
    return np.bincount(units.owner[mine], np.asarray(values, dtype=float)[mine], minlength=units.p)
