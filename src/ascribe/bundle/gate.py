"""The gate: may this bundle go to production?

Judged on the candidate's own held-out rows, against what is in production, paired row by row:

    power         |y - f(x)|          mean absolute error
    explanation   (f(x) - v(S))^2     MSE_v over random coalitions, each bundle by its own f and its own conditional

A candidate is refused where it is worse beyond chance (mean paired difference above two standard errors) and by more
than one per cent; equal is good enough, so that a refresh on newer rows can go through
(`docs/decisions/0004-gate.md`). With nothing in production it must beat the mean of its own held-out target and the
marginal law.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow.feather

from ascribe.bundle.archive import Bundle
from ascribe.bundle.runtime import load
from ascribe.core.conditional import Independent
from ascribe.core.explainers import Options, explain
from ascribe.core.judge import PowerError, mse_v, power_error
from ascribe.core.model import Model

__all__ = ["Verdict", "judge"]

EXPLAINED_ROWS = 64
COALITIONS, SAMPLES = 32, 32
MARGIN = 0.01
MAX_EFFICIENCY_GAP = 1e-4  # of the output's unit, for outputs of the order of 100


@dataclass(frozen=True)
class Verdict:
    """`accepted`, the reasons in words (also of what was found good), and the numbers behind them."""

    accepted: bool
    reasons: list[str]
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Measured:
    power: PowerError
    absolute: np.ndarray
    mse_v: np.ndarray | None


def judge(candidate: Bundle, production: Bundle | None) -> Verdict:
    """Open both bundles through the file that serves, measure both on the candidate's held-out rows, compare."""
    model = load(candidate)
    X, y = _holdout(candidate)
    mine = _measure(model, X, y)
    unit = model.unit
    numbers: dict[str, Any] = {"rows": len(y), "candidate": _numbers(mine)}
    good, bad = [], []
    gap, scale = _efficiency_gap(model, X), max(1.0, float(np.abs(y).max()) / 100)
    numbers["candidate"]["efficiency_gap"] = gap
    _say(gap <= MAX_EFFICIENCY_GAP * scale, f"attributions add up within {gap:.1g} {unit}", good, bad)
    if production is None:
        _alone(model, mine, X, y, numbers, good, bad)
    else:
        champion = load(production)
        if changed := _schema_changes(model, champion):
            bad.append(f"the inputs differ from production's: {changed}")
        else:
            held = _measure(champion, X, y)
            numbers["production"] = _numbers(held)
            _compare("power error", mine.absolute, held.absolute, "MAE", unit, good, bad)
            if mine.mse_v is not None and held.mse_v is not None:
                _compare("explanation error", mine.mse_v, held.mse_v, "MSE_v", f"{unit}^2", good, bad)
            elif held.mse_v is not None:
                bad.append("production offers conditional attributions, the candidate does not")
    return Verdict(not bad, [*bad, *good], numbers)


def _alone(
    model: Model, mine: _Measured, X: np.ndarray, y: np.ndarray, numbers: dict[str, Any], good: list, bad: list
) -> None:
    """Nothing in production: beat the two answers that need no training."""
    p = mine.power
    text = f"R2 {p.r2:.3f}, MAE {p.mae:.3g} {model.unit}, MAPE {100 * p.mape:.1f} % on held-out rows"
    _say(p.r2 > 0, text if p.r2 > 0 else f"worse than always answering the mean: {text}", good, bad)
    if mine.mse_v is None:
        return
    assert model.predict is not None
    assert model.background is not None
    marginal = _mse_v(model, X, Independent(model.background))
    numbers["marginal"] = {"mse_v": float(marginal.mean())}
    _compare("explanation error", mine.mse_v, marginal, "MSE_v", f"{model.unit}^2", good, bad, "the marginal law's")


def _compare(
    what: str, mine: np.ndarray, theirs: np.ndarray, word: str, unit: str, good: list, bad: list,
    whose: str = "production's",
) -> None:  # fmt: skip
    difference = mine - theirs
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    worse = difference.mean() > 2 * error and mine.mean() > (1 + MARGIN) * theirs.mean()
    text = f"{word} {mine.mean():.4g} against {whose} {theirs.mean():.4g} {unit} (difference {difference.mean():+.2g} +- {error:.2g})"
    _say(not worse, f"{what} is worse: {text}" if worse else f"{what} is no worse: {text}", good, bad)


def _say(holds: bool, text: str, good: list, bad: list) -> None:
    (good if holds else bad).append(text)


def _measure(model: Model, X: np.ndarray, y: np.ndarray) -> _Measured:
    assert model.predict is not None
    predicted = np.asarray(model.predict(X), dtype=float)
    explained = None if model.conditional is None else _mse_v(model, X, model.conditional)
    return _Measured(power_error(y, predicted), np.abs(y - predicted), explained)


def _mse_v(model: Model, X: np.ndarray, conditional: Any) -> np.ndarray:
    assert model.predict is not None
    return mse_v(model.predict, conditional, _spread(X), COALITIONS, SAMPLES)


def _efficiency_gap(model: Model, X: np.ndarray) -> float:
    if model.conditional is None:
        return 0.0
    options = Options("kernel" if len(model.names) > 6 else "auto", max(64, 2 * len(model.names) + 2), 8)
    return float(explain(model, _spread(X)[:4], options=options).info.gaps["efficiency_gap"])


def _spread(X: np.ndarray) -> np.ndarray:
    """Rows evenly through the held-out part, so that every workload is met."""
    return X[np.linspace(0, len(X) - 1, min(EXPLAINED_ROWS, len(X))).astype(int)]


def _numbers(m: _Measured) -> dict[str, Any]:
    return {**asdict(m.power), "mse_v": None if m.mse_v is None else float(m.mse_v.mean())}


def _schema_changes(mine: Model, theirs: Model) -> str:
    """In words, or "" where names, order and units agree."""
    ours, others = ({f.name: f.unit for f in m.features} for m in (mine, theirs))
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("new", [n for n in ours if n not in others]),
            ("missing", [n for n in others if n not in ours]),
            ("another unit for", [n for n in ours if n in others and ours[n] != others[n]]),
        )
        if names
    ]
    if (mine.output, mine.unit) != (theirs.output, theirs.unit):
        parts.append(f"predicts {mine.output} in {mine.unit}, not {theirs.output} in {theirs.unit}")
    if not parts and list(ours) != list(others):
        parts.append("the same features in another order")
    return "; ".join(parts)


def _holdout(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """The held-out rows that training left in the bundle."""
    table = pyarrow.feather.read_table(io.BytesIO(bundle.read("holdout")))
    names = [f.name for f in bundle.manifest.feature_list]
    X = np.column_stack([table[name].to_numpy() for name in names]).astype(float)
    return X, table[bundle.manifest.target.name].to_numpy().astype(float)
