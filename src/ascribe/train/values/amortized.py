"""The one-pass explainer from a value function to a graph and its measured error.

Judged by two independent answers per held-out row, each exact in the mean (antithetic permutations of v - h, with the
Shapley values of the network's own game h put back), so that their noise does not count as error:

    mse_j = mean (phi1_j - phi_j)(phi2_j - phi_j),   r2 = 1 - sum_j mse_j / sum_j cov(phi1_j, phi2_j)

An error that is smaller than its own standard error over rows is recorded as that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ascribe.bundle.runtime import amortized
from ascribe.core.amortized import Amortized, efficient
from ascribe.core.arrays import Predict
from ascribe.core.control import Control
from ascribe.core.energy import EmShap
from ascribe.core.scaling import Scores
from ascribe.core.stack import ValueChoice
from ascribe.core.surrogate import Surrogate
from ascribe.train.families.amortized import JUDGED, AmortizedFit, AmortizedNetwork, Label, fit_amortized
from ascribe.train.graphs.export import to_onnx
from ascribe.train.values.labels import by_row, pair_label, surrogate_label
from ascribe.train.values.pairs import Pairs, valued
from ascribe.train.values.polish import polish
from ascribe.train.watch import Watcher

__all__ = ["Judged", "export_amortized", "judge_amortized", "train_amortized"]

ROWS = 96  # held-out rows judged
POLISHED = 0.25  # of the time, for the second fit
ORDERS, FEW_ORDERS = 16, 4  # pairs of orders an answer: of values that cost one evaluation, and of completions


@dataclass(frozen=True)
class Judged:
    """Error against the accurate answer: `rmse (n,)` in the output's unit, `r2` pooled; on `rows` rows."""

    rmse: np.ndarray
    r2: float
    rows: int


def train_amortized(
    predict: Predict, conditional: EmShap, surrogate: Surrogate, choice: ValueChoice, control: Control | None,
    pairs: Pairs | None, X: np.ndarray, held: np.ndarray, base_value: float, seed: int = 0, device: str = "cpu",
    watch: Watcher | None = None, max_seconds: float | None = None,
) -> tuple[bytes, Judged, AmortizedFit]:  # fmt: skip
    """Fit to the surrogate's games, then to values of `pairs` by the value function that serves (None: that is the
    surrogate), export, and judge against that value function, on rows `held`.
    """
    watch = watch or Watcher()
    scores, limit = surrogate.scores, max_seconds
    further = pairs if choice.value != "surrogate" else None
    first = limit if limit is None or further is None else (1 - POLISHED) * limit
    fit = fit_amortized(
        surrogate_label(surrogate), X, base_value, scores, held, seed, device, watch.progress("one pass"), first
    )
    if further is not None:
        few = valued(predict, conditional, control, X[held[:JUDGED]], np.random.default_rng(seed + 1))
        v, v_held = (made.by(choice, surrogate) for made in (further, few))
        late = None if limit is None else POLISHED * limit
        step = watch.progress("one pass, taught")
        fit = polish(fit, further, v, few, v_held, base_value, scores, seed, device, step, late)
    rows = X[held[:ROWS]]
    graph = export_amortized(fit, rows)
    opened = amortized(graph, base_value, np.zeros(X.shape[1]), 0.0, choice.value, "amortized")
    label, orders = surrogate_label(surrogate), ORDERS
    if choice.value != "surrogate":
        label, orders = by_row(pair_label(choice, surrogate, predict, conditional, control, seed)), FEW_ORDERS
    return graph, judge_amortized(fit.network, opened, label, predict, surrogate.scores, rows, orders, seed), fit


def export_amortized(fit: AmortizedFit, rows: np.ndarray) -> bytes:
    """`x (rows, n)` float32 in natural units -> `attribution (rows, n)`. Raises BundleError."""
    example = {"x": torch.as_tensor(rows[:64], dtype=torch.float32)}
    return to_onnx(fit.network, example, ["attribution"], least=float(fit.network.sd))


def judge_amortized(
    network: AmortizedNetwork, opened: Amortized, label: Label, predict: Predict, scores: Scores, X: np.ndarray,
    orders: int, seed: int = 0,
) -> Judged:  # fmt: skip
    """On rows `X` that the network was not fitted on."""
    base = opened.base_value
    f = np.asarray(predict(X), dtype=float)
    rng = np.random.default_rng(seed)
    phi = efficient(opened.explain(X), f, base)
    with torch.no_grad():
        own = network(torch.as_tensor(X, dtype=torch.float32)).numpy().astype(float)
    rest = f - base - own.sum(axis=1)  # what h leaves of the grand coalition: h(N) - v(empty) = sum of its own values
    one, two = (own + _orders(network, label, scores, X, rest, base, orders, rng) for _ in range(2))
    product = (one - phi) * (two - phi)
    mse, doubt = product.mean(axis=0), product.std(axis=0, ddof=1) / np.sqrt(len(X))
    spread = ((one - one.mean(axis=0)) * (two - two.mean(axis=0))).mean(axis=0).sum()
    r2 = float(1 - mse.sum() / spread) if spread > 0 else 0.0
    return Judged(np.sqrt(np.maximum(mse, doubt)), r2, len(X))


def _orders(
    network: AmortizedNetwork, label: Label, scores: Scores, X: np.ndarray, rest: np.ndarray, base: float,
    pairs: int, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Shapley values (r, n) of v - h by antithetic permutations: unbiased."""
    rows, n = X.shape
    total = np.zeros((rows, n))
    z = torch.as_tensor(scores.forward(X))
    for _ in range(pairs):
        place = rng.random((rows, n)).argsort(axis=1)
        for at in (place, n - 1 - place):
            S = at[:, None, :] < np.arange(1, n)[:, None]  # after 1 .. n-1 features have joined
            with torch.no_grad():
                h = network.game(z, torch.as_tensor(S, dtype=torch.float32)).numpy() * float(network.sd)
            left = np.zeros((rows, n + 1))
            left[:, 1:-1], left[:, -1] = label(X, S) - base - h, rest
            total += np.take_along_axis(np.diff(left, axis=1), at, axis=1)
    return total / (2 * pairs)
