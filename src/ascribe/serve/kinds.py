"""What a request asks of the engine, as a kind of batch: which requests may share a call, and how long a row takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ascribe.core import tiers
from ascribe.core.explainers import Options, explain
from ascribe.core.model import Model
from ascribe.core.rows_of import cut, joined
from ascribe.serve.batcher import Kind, Step
from ascribe.serve.messages import AttributionAsked
from ascribe.serve.settings import Settings

__all__ = ["explaining", "lowered", "options_of", "predicting"]

CALL_S = 0.02  # that a call of several rows may take, about: who comes next waits no longer
MOST_ROWS, MOST_PREDICTED = 512, 4096
UNKNOWN_S, PREDICTED_S = 0.1, 2e-6  # a row's time where none was measured, and that of a prediction


def options_of(asked: AttributionAsked, settings: Settings) -> Options:
    """What a request chose, and the server's defaults for the rest."""
    return Options(
        estimator=asked.estimator or "auto",
        budget=settings.budget if asked.budget is None else asked.budget,
        samples=settings.samples if asked.samples is None else asked.samples,
        seed=asked.seed or 0,
        groups={name: tuple(members) for name, members in asked.groups.items()} if asked.groups else None,
        value=asked.value or "auto",
        target_stderr=asked.target_stderr,
    )


def explaining(model: Model, method: str, options: Options, tier: str, most_budget: int) -> Kind:
    """By a tier (empty: by method and options). Compiled answers are shared between requests, since their graph fixes
    all but the rows; what is read row by row is cut into rows, and what chooses by its rows together stays whole.

    Raises as `core.tiers.wished`.
    """
    if options.target_stderr is not None:

        def whole(X: np.ndarray, step: Step) -> Any:
            return tiers.explain(model, X, method, options, tier or None, None, step, most_budget)

        return Kind(object(), whole, cut, joined, 0, UNKNOWN_S, model)
    if tier:
        method, options = tiers.wished(model, tier, options)

    def run(X: np.ndarray, step: Step) -> Any:
        return explain(model, X, method, options, step)

    shared = method in ("compiled_shap", "amortized_shap") and not options.groups
    row_s = _row_s(model, options.tier or ("fast" if method == "amortized_shap" else "accurate"))
    most = max(1, min(MOST_ROWS, int(CALL_S / max(row_s, 1e-9))))
    return Kind((id(model), method, repr(options)) if shared else object(), run, cut, joined, most, row_s, model)


def predicting(model: Model) -> Kind:
    """Predictions (b,) of rows."""

    def run(X: np.ndarray, step: Step) -> np.ndarray:
        assert model.predict is not None
        good = np.isfinite(X).all(axis=1)
        f = np.full(len(X), np.nan)
        f[good] = model.predict(X[good])
        return f

    return Kind(
        (id(model), "predict"),
        run,
        lambda f, first, end: f[first:end].copy(),
        _one,
        MOST_PREDICTED,
        PREDICTED_S,
        model,
    )


def lowered(model: Model, tier: str, steps: int) -> str:
    """A tier that many steps faster, as far as the model has them. An empty tier is that of the plain method."""
    offered = tiers.offered(model)
    name = tier or "accurate"
    if name not in offered:
        return tier
    at = max(0, offered.index(name) - steps)
    return offered[at] if at < offered.index(name) else tier


def _row_s(model: Model, tier: str) -> float:
    """Of a row among many."""
    held = model.tiers.get(tier)
    if held is None or not held.latency_ms:
        return UNKNOWN_S
    rows = max(held.latency_ms)
    return held.latency_ms[rows] / rows / 1000


def _one(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
