"""What a bundle says of windows: inputs, steps, bounds, and which part of a window each position of attention is.

origin["forecast"]    step_s, inputs, exogenous, context, horizon, zone, levels, series, fill, ...
origin["attention"]   {LAYER: {"query": [label], "key": [label], "key_steps": [[from, to), ...]}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.core.errors import BundleError, InputError
from ascribe.core.forecast.curves import Curves
from ascribe.core.forecast.outputs import names
from ascribe.core.forecast.series import Window
from ascribe.core.inside import Parts

__all__ = ["FORECAST", "curves_of", "parts_of", "told_of"]

FORECAST = "forecast"  # the space, the tensor, and the key of `origin`
BOUNDS = ("lower", "upper")


def told_of(bundle: Bundle) -> Mapping[str, Any]:
    """What the manifest says of the forecast; empty where the model is none."""
    return bundle.manifest.origin.get(FORECAST) or {}


def curves_of(bundle: Bundle, graph: Callable[..., Sequence[np.ndarray]]) -> Curves:
    """`graph`: the opened `predict` graph. Raises BundleError where the manifest does not describe a forecast."""
    told = told_of(bundle)

    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        outputs, lower, upper = graph([FORECAST, *BOUNDS], x=X)
        return outputs, lower, upper

    try:
        window = Window(int(told["context"]), int(told["horizon"]), int(told["step_s"]), tuple(told["inputs"]))
        low, high = (float(level) for level in told.get("levels", (0.05, 0.95)))
        held = Curves(
            ask, window, (low, high), str(told.get("zone") or "UTC"), bundle.manifest.target.unit,
            tuple(told.get("exogenous", ())), tuple(told.get("series", ())), str(told.get("fill", "")),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, InputError) as exc:
        raise BundleError(f"{bundle.origin} does not say what its windows are ({exc!r}): train it again") from exc
    layout = bundle.manifest.layout
    if layout is None or layout.kind != "series" or tuple(layout.shape) != window.shape:
        raise BundleError(f"{bundle.origin} forecasts from windows {window.shape}, and its rows are none: train again")
    if tuple(bundle.manifest.outputs) != names(window.horizon):
        raise BundleError(f"{bundle.origin} does not name the outputs of {window.horizon} steps: train it again")
    return held


def parts_of(bundle: Bundle) -> dict[str, Parts]:
    """By layer; none where positions are columns. Raises BundleError for parts that lie outside the window."""
    found, layout = {}, bundle.manifest.layout
    for name, told in (bundle.manifest.origin.get("attention") or {}).items():
        try:
            steps = np.asarray(told["key_steps"], dtype=int).reshape(-1, 2)
            parts = Parts(tuple(told["query"]), tuple(told["key"]), steps)
        except (KeyError, TypeError, ValueError) as exc:
            raise BundleError(f"{bundle.origin} does not say what '{name}' looks at ({exc!r}): train again") from exc
        context = layout.shape[0] if layout is not None else 0
        if len(steps) != len(parts.key) or (steps < 0).any() or (steps > context).any():
            raise BundleError(f"{bundle.origin}: '{name}' looks outside its window of {context} steps: train it again")
        found[name] = parts
    return found
