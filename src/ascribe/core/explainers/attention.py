"""Attention: how much of each column the network looked at.

A value for each position, from 0 to 1, summing to 1 over all of them (a class token's own included): where the network
looked, not what came of it. It shares nothing out, whatever it looks like; the same for every output. Formulas:
`core.attention`.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import Float, np
from ascribe.core.attention import chosen, over_steps, pooled
from ascribe.core.attribution import Attribution
from ascribe.core.errors import CapabilityError
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["attention"]


def attention(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """Rollout over all layers, or of `options.layer`: a layer's name, `NAME/head`, or `mean`.

    Raises NotFound for an unknown layer, CapabilityError where layers cannot be rolled out or positions are no columns.
    """
    assert model.attention is not None and model.predict is not None
    held, predict = model.attention, model.predict

    def ask(rows: Float[np.ndarray, "a n"]) -> Found:
        weights = [np.asarray(w, dtype=float) for w in held.weights(rows)]
        if held.parts:
            values = over_steps(held, weights, model.layout, options.layer)
            return Found(values, np.asarray(predict(rows), dtype=float), budget=1, samples=1)
        padding = rows != model.layout.padding if model.layout.kind == "text" else None
        values = pooled(chosen(weights, held.layers, options.layer), held.extra, padding)
        if values.shape != rows.shape:
            told = f"attention is over {values.shape[1]} positions and a row has {rows.shape[1]} columns"
            raise CapabilityError(f"{told}: draw the matrices")
        return Found(values, np.asarray(predict(rows), dtype=float), budget=1, samples=1)

    estimator = "raw" if options.layer or held.parts else "rollout"
    kind = Kind("attention", "attention", options.layer or "all layers", estimator, unit="")
    return answered(model, X, kind, options, step, ask)
