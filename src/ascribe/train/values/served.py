"""Which value function serves: completions, the surrogate, or both stacked.

Measured on rows that neither EmSHAP nor the surrogate was fitted on.
"""

from __future__ import annotations

import numpy as np

from ascribe.core.arrays import Predict
from ascribe.core.conditional import Conditional
from ascribe.core.control import Control, fit_control
from ascribe.core.energy import EmShap
from ascribe.core.games import ConditionalGame
from ascribe.core.judge import random_coalitions
from ascribe.core.stack import ValueChoice, choose
from ascribe.core.surrogate import Surrogate
from ascribe.train.families.surrogate import SurrogateFit, fit_surrogate
from ascribe.train.settings import computing
from ascribe.train.values.distil import distil
from ascribe.train.values.labels import pair_label
from ascribe.train.values.surrogate import export_surrogate, open_surrogate
from ascribe.train.watch import Watcher

__all__ = ["choose_value", "fit_taught", "fit_value"]

ROWS, COALITIONS, SAMPLES = 256, 24, 32


def choose_value(
    predict: Predict,
    conditional: Conditional,
    surrogate: Surrogate,
    X: np.ndarray,
    unit: str = "",
    seed: int = 0,
    control: Control | None = None,
) -> ValueChoice:
    """On the first `ROWS` of held-out rows `X`, each under `COALITIONS` coalitions of its own."""
    X = X[:ROWS]
    n = X.shape[1]
    rng = np.random.default_rng(seed)
    game = ConditionalGame(predict, conditional, SAMPLES, seed, base_value=0.0, control=control)
    S = [random_coalitions(n, COALITIONS, rng) for _ in X]
    completions = np.array([game.values(x, s).v for x, s in zip(X, S, strict=True)])
    surrogates = np.array([surrogate.value(x, s) for x, s in zip(X, S, strict=True)])
    f = np.asarray(predict(X), dtype=float)
    return choose(f, completions, surrogates, np.array([s.sum(axis=1) for s in S]), n, unit)


def fit_taught(
    predict: Predict, conditional: EmShap, X: np.ndarray, held: np.ndarray, unit: str, seed: int, device: str,
    watch: Watcher, max_seconds: float | None = None, control: Control | None = None,
) -> tuple[SurrogateFit, bytes, Surrogate, ValueChoice]:  # fmt: skip
    """A surrogate, taught by the value function that was chosen with it where that is not the surrogate alone, its
    graph, and the choice with the one that results: on rows `held`, which neither it nor `conditional` was fitted on.
    """

    def chosen(fit: SurrogateFit) -> tuple[bytes, Surrogate, ValueChoice]:
        graph = export_surrogate(fit)
        surrogate = open_surrogate(graph, fit)
        return graph, surrogate, choose_value(predict, conditional, surrogate, X[held], unit, seed, control)

    first = fit_surrogate(predict, X, seed, device, watch.progress("surrogate"), max_seconds, conditional.scores, held)
    graph, surrogate, choice = chosen(first)
    if choice.value == "surrogate":
        return first, graph, surrogate, choice
    label = pair_label(choice, surrogate, predict, conditional, control, seed)
    taught = distil(first, label, predict, X, seed, device, watch.progress("surrogate, taught"), max_seconds)
    return taught, *chosen(taught)


def fit_value(
    predict: Predict,
    law: Conditional,
    seed: int = 0,
    max_seconds: float | None = None,
) -> tuple[Surrogate, ValueChoice | None]:
    """A surrogate of a function beside a fitted law, on the same training rows; and the choice among it, completions
    and the stack on the rows that the law left out (None for a law that left out none).
    """
    X = law.background
    held = np.array(getattr(law, "held", ()), dtype=int)
    with computing() as device:
        fit = fit_surrogate(
            predict, X, seed, device, None, max_seconds, getattr(law, "scores", None), held if len(held) else None
        )
        surrogate = open_surrogate(export_surrogate(fit), fit)
    if not len(held):
        return surrogate, None
    control = fit_control(predict, law)
    return surrogate, choose_value(predict, law, surrogate, X[held], seed=seed, control=control)
