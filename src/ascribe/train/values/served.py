"""Which value function serves: completions, the surrogate, or both stacked.

Measured on rows that neither EmSHAP nor the surrogate was fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from ascribe.train.values.pairs import Pairs, made_pairs
from ascribe.train.values.surrogate import export_surrogate, open_surrogate
from ascribe.train.watch import Watcher

__all__ = ["HeldRows", "fit_taught", "fit_value"]

ROWS, COALITIONS, SAMPLES = 1024, 24, 32


@dataclass(frozen=True, eq=False)
class HeldRows:
    """At most `ROWS` held-out rows `X (b, n)`, each with coalitions `S (b, m, n)` of its own, `f (b,)`, and their
    values by completions `(b, m)`: what a surrogate is compared with.
    """

    X: np.ndarray
    S: np.ndarray
    f: np.ndarray
    completions: np.ndarray

    @classmethod
    def of(
        cls, predict: Predict, conditional: Conditional, X: np.ndarray, seed: int = 0, control: Control | None = None
    ) -> HeldRows:
        X = X[:ROWS]
        rng = np.random.default_rng(seed)
        game = ConditionalGame(predict, conditional, SAMPLES, seed, base_value=0.0, control=control)
        S = np.array([random_coalitions(X.shape[1], COALITIONS, rng) for _ in X])
        completions = np.array([game.values(x, s).v for x, s in zip(X, S, strict=True)])
        return cls(X, S, np.asarray(predict(X), dtype=float), completions)

    def choose(self, surrogate: Surrogate, unit: str = "") -> ValueChoice:
        """Among these completions, the surrogate and the stack."""
        surrogates = np.array([surrogate.value(x, s) for x, s in zip(self.X, self.S, strict=True)])
        return choose(self.f, self.completions, surrogates, self.S.sum(axis=2), self.X.shape[1], unit)


def fit_taught(
    predict: Predict, conditional: EmShap, X: np.ndarray, held: np.ndarray, unit: str, seed: int, device: str,
    watch: Watcher, max_seconds: float | None = None, control: Control | None = None,
) -> tuple[SurrogateFit, bytes, Surrogate, ValueChoice, Pairs | None]:  # fmt: skip
    """A surrogate, taught by the value function that was chosen with it where that is not the surrogate alone, its
    graph, the choice with the one that results: on rows `held`, which neither it nor `conditional` was fitted on; and
    what it was taught by.
    """

    rows = HeldRows.of(predict, conditional, X[held], seed, control)

    def chosen(fit: SurrogateFit) -> tuple[bytes, Surrogate, ValueChoice]:
        graph = export_surrogate(fit)
        surrogate = open_surrogate(graph, fit)
        return graph, surrogate, rows.choose(surrogate, unit)

    first = fit_surrogate(predict, X, seed, device, watch.progress("surrogate"), max_seconds, conditional.scores, held)
    graph, surrogate, choice = chosen(first)
    if choice.value == "surrogate":
        return first, graph, surrogate, choice, None
    limit = None if max_seconds is None else max_seconds / 2
    kept = X[np.setdiff1d(np.arange(len(X)), held)]
    pairs = made_pairs(predict, conditional, control, kept, seed, watch.progress("values to learn from"), limit)
    v = pairs.by(choice, surrogate)
    taught = distil(first, pairs, v, predict, X, seed, device, watch.progress("surrogate, taught"), limit)
    return taught, *chosen(taught), pairs


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
    return surrogate, HeldRows.of(predict, law, X[held], seed, fit_control(predict, law)).choose(surrogate)
