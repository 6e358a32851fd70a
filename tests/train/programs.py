"""Models whose parts are plain graphs, and the same parts as a compiled program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ascribe.bundle.runtime import graph_predict, surrogate
from ascribe.bundle.sessions import session
from ascribe.core.control import Control
from ascribe.core.energy import EmShap
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.factor_mixture import FactorMixture
from ascribe.core.features import Feature, players_of
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.scaling import Scores, fit_scores
from ascribe.core.shapley import plan_of, shapley
from ascribe.train.compiled.law import AnyProposal, FixedMixture
from ascribe.train.compiled.program import Program, written
from ascribe.train.compiled.values import Drawn

from .small_graphs import energy_graph, mixture_of, predict_graph, proposal_graph, surrogate_graph

BASE = 49.0


def rows_of(n: int, count: int, seed: int = 0) -> np.ndarray:
    """One feature zero in half of the rows, one heavy-tailed, the others normal."""
    X = np.random.default_rng([seed, n]).standard_normal((count, n))
    X[:, 1] = np.maximum(X[:, 1], 0)
    X[:, 2] = np.exp(0.7 * X[:, 2])
    return X


def a_control(n: int, cubic: bool) -> Control:
    rng = np.random.default_rng(n)
    A = rng.standard_normal((n, n))
    T = sum(np.transpose(rng.standard_normal((n, n, n)), order) for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1],
            [0, 2, 1], [2, 1, 0], [1, 0, 2]))  # fmt: skip
    T = sum(np.transpose(T, order) for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1])) / 3
    T = (T + np.transpose(T, [0, 2, 1])) / 2
    return Control(rng.standard_normal(n), (A + A.T) / 2, 0.1 * T if cubic else None, 0.5)


def a_mixture(n: int, c: int, rank: int, seed: int = 0) -> FactorMixture:
    rng = np.random.default_rng([seed, n, c])
    return FactorMixture(
        np.log(rng.dirichlet(np.full(c, 3.0))), 0.8 * rng.standard_normal((c, n)), rng.uniform(0.1, 0.8, (c, n)),
        0.6 * rng.standard_normal((c, n, rank)),
    )  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A model of plain parts and its compiled graph."""

    model: Model
    options: Options
    program: Program
    X: np.ndarray

    def graph(self, inside: bool = False) -> bytes:
        return written(self.program, {}, inside).SerializeToString(deterministic=True)

    def asked(self, X: np.ndarray | None = None, inside: bool = False) -> dict[str, np.ndarray]:
        run = session(self.graph(inside), "compiled")
        names = [o.name for o in run.get_outputs()]
        fed = (self.X if X is None else X).astype(np.float32)
        return dict(zip(names, run.run(names, {"x": fed}), strict=True))

    def plain(self, X: np.ndarray | None = None) -> Any:
        return shapley(
            self.model, conditional_game(self.model, self.options), self.X if X is None else X, "conditional_shap",
            self.options,
        )  # fmt: skip


def made(
    value: str = "completions",
    law: str = "mixture",
    n: int = 5,
    c: int = 3,
    rank: int = 2,
    control: str = "none",
    energy: float | None = None,
    samples: int = 12,
    estimator: str = "kernel",
    budget: int | None = 24,
    predict: bytes | None = None,
    graph: bytes | None = None,
    scores: Scores | None = None,
    rows: int = 7,
) -> Made:
    """`law`: mixture, or proposal (of a graph); `energy`: the tilt's strength where completions are weighted."""
    X = rows_of(n, 400)
    scores = scores or fit_scores(X)
    predict = predict or predict_graph(n)
    mixture, proposal = a_mixture(n, c, rank), proposal_graph(n, c, rank)
    tilt = None if energy is None else energy_graph(n, energy)
    run = None if tilt is None else session(tilt, "energy").run
    held = EmShap(
        scores, mixture if law == "mixture" else mixture_of(proposal),
        None if run is None else lambda Z, S: run(None, {"score": Z.astype(np.float32), "observed": S})[0],
        rank, X[:50], "proposal" if energy is None else "energy",
    )  # fmt: skip
    quick = None if value == "completions" else graph or surrogate_graph(n)
    share = np.linspace(0.2, 0.9, n + 1) if value == "stacked" else None
    h = None if control == "none" else a_control(n, control == "cubic")
    model = Model(
        tuple(Feature(f"x{j}") for j in range(n)), graph_predict(predict, "predict"), X[:50], held, BASE, value=value,
        share=share, control=h, surrogate=None if quick is None else surrogate(quick, scores, "surrogate"),
    )  # fmt: skip
    options = Options(estimator, budget, samples, 3, value=value)
    plan = plan_of(model, players_of(model.names), options, budget)
    noise = held.noise(samples, 3)
    how = FixedMixture(mixture, noise) if law == "mixture" else AnyProposal(proposal, n, rank, noise)
    drawn = None if value == "surrogate" else Drawn(predict, how, samples, h, tilt)
    program = Program(predict, scores, plan, BASE, drawn, quick, share)
    return Made(model, options, program, rows_of(n, rows, seed=9))
