"""A quantised bundle beside the one that it was made from: sizes, times, answers, attributions.

Rows are held-out ones where there are any, else the background's; both bundles get the same rows, seeds and methods,
and each answers with its own f (values from completions, not from a surrogate that was fitted to the original).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.holdout import answerable
from ascribe.bundle.runtime import load
from ascribe.bundle.sessions import session
from ascribe.core.arrays import evenly
from ascribe.core.explainers import available, explain
from ascribe.core.model import PREDICTED, Model
from ascribe.core.options import Options, Path
from ascribe.core.variant import Drift, PredictionError, drift, prediction_error

__all__ = ["QUANTISED", "Compared", "compared", "judged_rows", "same_origin"]

QUANTISED = "quantised"  # what the manifest's `origin` says of a variant
ROWS, EXPLAINED = 512, 24  # judged, and explained; of pictures and texts
EXPLAINED_LONG = 6
BACKGROUND, SAMPLES, LEAST_BUDGET, BUDGET_OF_EACH, STEPS = 64, 16, 128, 8, 32
METHODS = {
    "table": ("conditional_shap", "kernel_shap", "integrated_gradients"),
    "image": ("occlusion", "integrated_gradients"), "text": ("occlusion", "integrated_gradients"),
}  # fmt: skip
CALLS, TURNS, SPENT_S = (1, 64), 15, 2.0


@dataclass(frozen=True)
class Compared:
    """`bytes` of the graph that predicts, `ms` of a call by its rows (both: variant, original), on one thread."""

    bytes: tuple[int, int]
    ms: dict[str, tuple[float, float]]
    error: PredictionError
    drift: dict[str, Drift]
    unit: str = ""

    def numbers(self) -> dict[str, Any]:
        """For the manifest; numbers that are not finite as texts, which JSON can hold."""
        return dict(_plain(asdict(self)))


def compared(
    variant: Bundle, origin: Bundle, timed: bool = True, step: Callable[[float, str], None] = lambda done, text: None
) -> Compared:
    """Raises BundleError as `load`."""
    mine, theirs = load(variant), load(origin)
    X = judged_rows(origin, theirs)
    step(0.1, "answers")
    error = prediction_error(_answers(theirs, X), _answers(mine, X), bool(theirs.outputs))
    rows = X[evenly(len(X), EXPLAINED if theirs.layout.kind == "table" else EXPLAINED_LONG)]
    methods = [m for m in METHODS[theirs.layout.kind] if m in available(mine) and m in available(theirs)]
    found = {}
    for k, method in enumerate(methods):
        step(0.2 + 0.6 * k / len(methods), method)
        found[method] = _drift(method, theirs, mine, rows)
    step(0.8, "times")
    ms = _times(variant.read("predict"), origin.read("predict"), X) if timed else {}
    step(1.0, "compared")
    sizes = tuple(len(bundle.read("predict")) for bundle in (variant, origin))
    return Compared((sizes[0], sizes[1]), ms, error, found, theirs.unit)


def judged_rows(origin: Bundle, model: Model) -> np.ndarray:
    """Rows (rows, n) that can be answered: held out, else of the background."""
    X = answerable(origin) if origin.has("holdout") else np.empty((0, len(model.names)))
    if not len(X) and model.background is not None:
        held = np.asarray(model.background, dtype=float)
        X = held[model.check(held)[0] != "invalid"]
    return np.asarray(X[evenly(len(X), ROWS)])


def same_origin(variant: Bundle, bundle: Bundle) -> bool:
    """Whether a bundle holds the graph that the variant was made from: publishing measures tiers, which changes a
    version, and not what it predicts.
    """
    told = variant.manifest.origin.get(QUANTISED, {}).get("predict_sha256", "")
    return bundle.has("predict") and bundle.digest("predict") == told


def _answers(model: Model, X: np.ndarray) -> np.ndarray:
    """(rows, k): all margins or probabilities, or the one prediction."""
    ask = model.scores or model.predict
    assert ask is not None
    held = np.asarray(ask(X), dtype=float)
    return held.reshape(len(X), -1)


def _drift(method: str, theirs: Model, mine: Model, rows: np.ndarray) -> Drift:
    """Of a classifier each row is explained for the class that the original predicts."""
    if not theirs.outputs or theirs.output != PREDICTED:
        groups = {theirs.output: np.arange(len(rows))}
    else:
        assert theirs.scores is not None
        best = np.argmax(theirs.scores(rows), axis=1)
        groups = {theirs.outputs[k]: np.flatnonzero(best == k) for k in np.unique(best).tolist()}
    told, found, gaps = np.empty(rows.shape), np.empty(rows.shape), []
    for output, at in groups.items():
        one, two = (_asked(method, model, output, rows[at]) for model in (theirs, mine))
        told[at], found[at] = one.values, two.values
        gaps += [] if two.info.gap is None else [two.info.gap]
    return drift(method, told, found, max(gaps) if gaps else None)


def _asked(method: str, model: Model, output: str, rows: np.ndarray) -> Any:
    n = rows.shape[1]
    if model.outputs:
        model = model.choose(output)
    if method == "kernel_shap" and model.background is not None:
        model = replace(model, background=model.background[evenly(len(model.background), BACKGROUND)])
    budget = max(LEAST_BUDGET, BUDGET_OF_EACH * n) if method.endswith("shap") else None
    options = Options("auto", budget, SAMPLES, value="completions", path=Path(steps=STEPS))
    return explain(model, rows, method, options)


def _times(variant: bytes, origin: bytes, X: np.ndarray) -> dict[str, tuple[float, float]]:
    """Medians of calls in turn, one thread each."""
    runs = [session(graph, "a graph that is timed", threads=1) for graph in (variant, origin)]
    found = {}
    for count in CALLS:
        batch = {"x": np.resize(X, (count, X.shape[1])).astype(np.float32)}
        spent: list[list[float]] = [[], []]
        for run in runs:
            run.run(None, batch)
        begin = time.perf_counter()
        while len(spent[0]) < TURNS and (len(spent[0]) < 3 or time.perf_counter() - begin < SPENT_S):
            for run, held in zip(runs, spent, strict=True):
                at = time.perf_counter()
                run.run(None, batch)
                held.append((time.perf_counter() - at) * 1e3)
        found[str(count)] = (statistics.median(spent[0]), statistics.median(spent[1]))
    return found


def _plain(held: Any) -> Any:
    if isinstance(held, dict):
        return {name: _plain(value) for name, value in held.items()}
    if isinstance(held, list | tuple):
        return [_plain(value) for value in held]
    return str(held) if isinstance(held, float) and not np.isfinite(held) else held
