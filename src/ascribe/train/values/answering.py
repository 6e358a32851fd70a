"""What answers v(S) beside completions: the surrogate, taught and judged, and the one-pass explainer learnt from it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from ascribe.bundle.manifest import Amortized
from ascribe.core.arrays import Predict
from ascribe.core.control import Control
from ascribe.core.energy import EmShap
from ascribe.train.parts import Part
from ascribe.train.settings import computing
from ascribe.train.values.amortized import train_amortized
from ascribe.train.values.served import fit_taught
from ascribe.train.watch import Watcher

__all__ = ["NOTHING", "answering_part"]

NOTHING = Part({}, {"value": "completions", "share": [], "amortized": None, "metrics": {}})
"""Completions alone."""


def answering_part(
    X: np.ndarray, held: np.ndarray, predict: Predict, conditional: EmShap, control: Control | None, base: float,
    unit: str, amortized: bool, seed: int, limit: float | None, watch: Watcher,
) -> Part:  # fmt: skip
    """Fit the surrogate, choose the value function on rows `held` that neither it nor EmSHAP was fitted on, teach the
    surrogate by it, choose again, and, if `amortized`, learn the one-pass explainer. Facts: `value` and `share` of the
    manifest's conditional, its `amortized`, and `metrics`.
    """
    with computing() as device:
        fit, network, surrogate, choice, pairs = fit_taught(
            predict, conditional, X, held, unit, seed, device, watch, limit, control
        )
        files = {"surrogate.onnx": network}
        watch.note(choice.reason)
        metrics: dict[str, Any] = {
            "value": {"mse_v": choice.mse, "reason": choice.reason},
            "surrogate": {"mse_v": fit.history.best * fit.variance, "seconds": fit.history.seconds},
        }
        facts = {"value": choice.value, "share": list(choice.share), "amortized": None, "metrics": metrics}
        if not amortized:
            return Part(files, facts)
        graph, judged, learnt = train_amortized(
            predict, conditional, surrogate, choice, control, pairs, X, held, base, seed, device, watch, limit
        )
    watch.note(f"one pass: R2 {judged.r2:.3f} against the accurate answer on {judged.rows} held-out rows")
    metrics["amortized"] = {"r2": judged.r2, "rmse": judged.rmse.tolist(), "seconds": learnt.history.seconds}
    told = Amortized(choice.value, judged.rmse.tolist(), judged.r2, judged.rows)
    return Part(files | {"amortized.onnx": graph}, facts | {"amortized": msgspec.to_builtins(told)})
