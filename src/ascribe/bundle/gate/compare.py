"""What the gate measures of a bundle on held-out rows, and how it compares two.

power         (y - f(x))^2 against always answering the mean; |y - f(x)| against production
explanation   (f(x) - v(S))^2 over random coalitions (MSE_v), as a share of what the marginal law leaves

Differences are paired by row, and chance is judged over blocks of neighbouring rows (`core.judge.block_mean`): rows
close in time share their errors. `docs/decisions/0017-gate-and-registry.md`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ascribe.core.arrays import evenly
from ascribe.core.conditional import Independent
from ascribe.core.explainers import explain
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.judge import (
    BlockMean,
    ClassError,
    PowerError,
    block_mean,
    class_error,
    game_error,
    mse_v,
    power_error,
)  # fmt: skip
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["Measured", "Said", "against", "alone", "compare", "efficiency_gap", "measured", "spread"]

EXPLAINED_ROWS = 64
COALITIONS, SAMPLES = 32, 32
MARGIN = 0.01
POWER_BLOCKS, EXPLAINED_BLOCKS = 30, 16


@dataclass(frozen=True)
class Said:
    """Reasons against and for, in words."""

    bad: list[str] = field(default_factory=list)
    good: list[str] = field(default_factory=list)

    def say(self, holds: bool, text: str) -> None:
        (self.good if holds else self.bad).append(text)


@dataclass(frozen=True)
class Measured:
    """`absolute (rows,)`: |y - f(x)|; of a classifier 1 - the probability of the true class (without probabilities: 1
    where another is predicted). `plain (rows,)`: that of always answering the mean. `left (explained,)`: MSE_v of each
    row over the marginal law's mean MSE_v.
    """

    power: PowerError | ClassError
    absolute: np.ndarray
    left: np.ndarray | None
    mse_v: float | None
    plain: np.ndarray

    def numbers(self) -> dict[str, Any]:
        share = None if self.left is None else float(self.left.mean())
        return {**asdict(self.power), "mse_v": self.mse_v, "mse_v_share": share}


def measured(model: Model, X: np.ndarray, y: np.ndarray) -> Measured:
    """A model on rows X (rows, n) and targets y (rows,), each with its own f and its own conditional."""
    if model.outputs:
        return _classes(model, X, y)
    assert model.predict is not None
    predicted = np.asarray(model.predict(X), dtype=float)
    left = errors = None
    if model.conditional is not None:
        rows = spread(X, EXPLAINED_ROWS)
        errors = game_error(conditional_game(model, Options(samples=SAMPLES)), rows, COALITIONS).rows
        marginal = mse_v(model.predict, Independent(model.conditional.background), rows, COALITIONS, SAMPLES).rows
        left = errors / max(marginal.mean(), np.finfo(float).tiny)
    return Measured(
        power_error(y, predicted), np.abs(y - predicted), left, None if errors is None else float(errors.mean()),
        np.abs(y - y.mean()),
    )  # fmt: skip


def _classes(model: Model, X: np.ndarray, y: np.ndarray) -> Measured:
    """Of a classifier; y are numbers of classes."""
    probable, true, rows = "probability" in model.spaces, y.astype(int), np.arange(len(y))
    asked = model.choose(space="probability") if probable else model
    assert asked.scores is not None
    scores = np.asarray(asked.scores(X), dtype=float)
    shares = np.bincount(true, minlength=scores.shape[1]) / max(len(y), 1)
    wrong = 1 - scores[rows, true] if probable else (scores.argmax(axis=1) != true).astype(float)
    plain = 1 - shares[true] if probable else (true != shares.argmax()).astype(float)
    return Measured(class_error(y, scores, probable), wrong, None, None, plain)


def alone(model: Model, mine: Measured, y: np.ndarray, said: Said) -> None:
    """Beat the two answers that need no training: the mean of the target, and the marginal law."""
    p = mine.power
    gain = block_mean(mine.plain**2 - mine.absolute**2, POWER_BLOCKS)
    learnt = gain.mean > gain.beyond
    if isinstance(p, ClassError):
        loss = "" if p.log_loss is None else f", log loss {p.log_loss:.3g}"
        text = f"{100 * p.accuracy:.1f} % of held-out rows classified as they are{loss}"
    else:
        mae = f"{p.mae:.3g} {model.unit}".rstrip()
        text = f"R2 {p.r2:.3f}, MAE {mae}, MAPE {100 * p.mape:.1f} % on held-out rows"
    said.say(learnt, text if learnt else f"no better than always answering the mean: {text}")
    if mine.left is not None and learnt:
        what, word = "explanation error", "of what the marginal law leaves"
        compare(what, mine.left, np.ones_like(mine.left), word, EXPLAINED_BLOCKS, said)


def against(mine: Measured, theirs: Measured, whose: str, unit: str, said: Said) -> dict[str, Any]:
    """Not worse than production on the same rows; the paired differences as numbers."""
    what, word = (
        ("missed probability", "a row") if isinstance(mine.power, ClassError) else ("power error", f"{unit} MAE")
    )
    power = compare(f"{what} on {whose} held-out rows", mine.absolute, theirs.absolute, word, POWER_BLOCKS, said)
    found: dict[str, Any] = {"candidate": mine.numbers(), "production": theirs.numbers(), "power_difference": power}
    if mine.left is not None and theirs.left is not None:
        what, word = f"explanation error on {whose} held-out rows", "of the marginal law's"
        found["mse_v_share_difference"] = compare(what, mine.left, theirs.left, word, EXPLAINED_BLOCKS, said)
    return found


def efficiency_gap(model: Model, X: np.ndarray) -> float:
    """How far attributions are from adding up to f(x) - v(empty), in the output's unit; 0 without a conditional."""
    if model.conditional is None:
        return 0.0
    options = Options("kernel" if len(model.names) > 6 else "auto", max(64, 2 * len(model.names) + 2), 8)
    return float(explain(model, spread(X, EXPLAINED_ROWS)[:4], options=options).info.gaps["efficiency_gap"])


def spread(X: np.ndarray, count: int) -> np.ndarray:
    """Rows evenly through the held-out part, so that every workload is met."""
    return np.asarray(X[evenly(len(X), count)])


def compare(
    what: str, mine: np.ndarray, theirs: np.ndarray, word: str, blocks: int, said: Said
) -> dict[str, float | int]:
    """Said whether errors are no worse than theirs, paired: beyond chance over blocks, and by more than `MARGIN`. Where
    production's is no number there is nothing to be worse than: those rows tell of the candidate alone (`alone`).
    """
    known = np.isfinite(theirs)
    if not known.all():
        said.say(True, f"{what}: production's is no number in {int((~known).sum())} of {len(known)} rows")
        mine, theirs = mine[known], theirs[known]
    if not len(theirs):
        return asdict(BlockMean(float("nan"), float("nan"), 0))
    difference = block_mean(mine - theirs, blocks)
    worse = not (difference.mean <= difference.beyond or mine.mean() <= (1 + MARGIN) * theirs.mean())  # NaN is worse
    chance = f"(difference {difference.mean:+.2g} +- {difference.stderr:.2g} over {difference.blocks} blocks)"
    verdict = "worse" if worse else "no worse"
    said.say(not worse, f"{what} is {verdict}: {mine.mean():.4g} against {theirs.mean():.4g} {word} {chance}")
    return asdict(difference)
