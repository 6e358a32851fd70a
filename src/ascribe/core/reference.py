"""What is absent when a model is asked: background rows, or one baseline row."""

from __future__ import annotations

from ascribe.core.arrays import Float, evenly, np
from ascribe.core.baselines import baseline_rows, own_baseline
from ascribe.core.games import BaselineGame, MarginalGame
from ascribe.core.matched import CALENDAR, matched
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["reference_game", "reference_row"]


def reference_game(model: Model, options: Options, x: Float[np.ndarray, " n"]) -> MarginalGame:
    """Marginal over all background rows, none dropped in silence; of one baseline where the options name one or the
    model has no background. `x`: the row that a blur is made of.

    Of windows, which are long and whose networks are slow, at most `samples` of the background, evenly spread; those
    that the calendar matches with x where `baseline` says so.
    """
    assert model.predict is not None
    if model.layout.kind == "series" and isinstance(options.baseline, str) and options.baseline == CALENDAR:
        return MarginalGame(model.predict, matched(model, x), kind=CALENDAR)
    if model.layout.kind == "series" and options.baseline is None and model.background is not None:
        rows = np.asarray(model.background, dtype=float)
        return MarginalGame(model.predict, rows[evenly(len(rows), options.samples)])
    if options.baseline is None and model.background is not None:
        return MarginalGame(model.predict, model.background)
    return BaselineGame(model.predict, reference_row(model, options, x))


def reference_row(model: Model, options: Options, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The baseline asked for (`core.baselines`). By itself: grey of an image, since black is a colour that networks
    know; padding of a text; the mean of windows, and of a table, but the most common value of a feature that has
    categories.
    """
    if options.baseline is not None or model.layout.kind == "text":
        return baseline_rows(model, x[None], options.baseline)[0]
    if model.layout.kind == "image":
        return baseline_rows(model, x[None], "grey")[0]
    return baseline_rows(model, x[None], own_baseline(model))[0]
