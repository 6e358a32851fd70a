"""The gate: may this bundle go to production?

    power         (y - f(x))^2 against always answering the mean; |y - f(x)| against production
    explanation   (f(x) - v(S))^2 over random coalitions (MSE_v), as a share of what the marginal law leaves

Each bundle is measured with its own f and its own conditional, row by row: MSE_v grows with the spread of f, so only
its share compares between models. A candidate is refused where it is worse beyond chance (mean paired difference above
two standard errors) and by more than one per cent; equal is good enough, so that a refresh on newer rows can go
through (`docs/decisions/0004-gate.md`). It is judged on its own held-out rows and, if they have the same columns, on
production's too: nobody can choose the rows that make him look good.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.holdout import holdout
from ascribe.bundle.registry import Event, Registry
from ascribe.bundle.runtime import load
from ascribe.core.arrays import evenly
from ascribe.core.conditional import Independent
from ascribe.core.errors import NotFound
from ascribe.core.explainers import Options, explain
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.judge import PowerError, game_error, mse_v, power_error
from ascribe.core.model import Model

__all__ = ["Verdict", "judge", "judge_and_promote"]

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
    """`absolute (rows,)`: |y - f(x)|. `left (explained,)`: MSE_v of each row over the marginal law's mean MSE_v."""

    power: PowerError
    absolute: np.ndarray
    left: np.ndarray | None
    mse_v: float | None


def judge(candidate: Bundle, production: Bundle | None) -> Verdict:
    """Open both bundles through the file that serves, measure both on held-out rows, compare."""
    model = load(candidate)
    X, y = holdout(candidate)
    mine = _measure(model, X, y)
    numbers: dict[str, Any] = {"rows": len(y), "candidate": _numbers(mine)}
    good: list[str] = []
    bad: list[str] = []
    gap, scale = _efficiency_gap(model, X), max(1.0, float(np.abs(y).max()) / 100)
    numbers["candidate"]["efficiency_gap"] = gap
    _say(gap <= MAX_EFFICIENCY_GAP * scale, f"attributions add up within {gap:.1g} {model.unit}", good, bad)
    _alone(model, mine, y, good, bad)
    if production is not None:
        champion = load(production)
        if changed := _schema_changes(model, champion):
            bad.append(f"the inputs differ from production's: {changed}")
        else:
            judged = [("its own", (X, y), mine)]
            if candidate.digest("holdout") != production.digest("holdout"):
                theirs = holdout(production)
                judged.append(("production's", theirs, _measure(model, *theirs)))
            for whose, rows, measured in judged:
                held = _measure(champion, *rows)
                numbers[f"on {whose} rows"] = {"candidate": _numbers(measured), "production": _numbers(held)}
                _against(measured, held, whose, model.unit, good, bad)
    return Verdict(not bad, [*bad, *good], numbers)


def judge_and_promote(registry: Registry, name: str, version: str, at: str, channel: str = "production") -> Verdict:
    """Judge a version against what the channel points at, and move the channel if it is accepted.

    A version that is there already is accepted without another look. Raises NotFound, BundleError, and Conflict if the
    channel moved while the gate was judging.
    """
    candidate = registry.fetch(name, version)
    try:
        held: Event | None = registry.channel(name, channel).current
    except NotFound:
        held = None
    if held is not None and held.version == version:
        return Verdict(True, [f"{version} is in {channel} already"])
    verdict = judge(candidate, registry.fetch(name, held.version, held.sha256) if held else None)
    if verdict.accepted:
        registry.promote(name, version, at, channel, verdict.reasons, held.version if held else None)
    return verdict


def _alone(model: Model, mine: _Measured, y: np.ndarray, good: list[str], bad: list[str]) -> None:
    """Beat the two answers that need no training: the mean of the target, and the marginal law."""
    p = mine.power
    gain = (y - y.mean()) ** 2 - mine.absolute**2
    learnt = gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain))
    text = f"R2 {p.r2:.3f}, MAE {p.mae:.3g} {model.unit}, MAPE {100 * p.mape:.1f} % on held-out rows"
    _say(learnt, text if learnt else f"no better than always answering the mean: {text}", good, bad)
    if mine.left is not None and learnt:
        _compare("explanation error", mine.left, np.ones_like(mine.left), "of what the marginal law leaves", good, bad)


def _against(mine: _Measured, theirs: _Measured, whose: str, unit: str, good: list[str], bad: list[str]) -> None:
    _compare(f"power error on {whose} held-out rows", mine.absolute, theirs.absolute, f"{unit} MAE", good, bad)
    if mine.left is not None and theirs.left is not None:
        _compare(
            f"explanation error on {whose} held-out rows", mine.left, theirs.left, "of the marginal law's", good, bad
        )
    elif theirs.left is not None:
        bad.append("production offers conditional attributions, the candidate does not")


def _compare(what: str, mine: np.ndarray, theirs: np.ndarray, word: str, good: list[str], bad: list[str]) -> None:
    difference = mine - theirs
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    worse = not (difference.mean() <= 2 * error or mine.mean() <= (1 + MARGIN) * theirs.mean())  # NaN is worse
    spread = f"(difference {difference.mean():+.2g} +- {error:.2g})"
    text = (
        f"{what} is {'worse' if worse else 'no worse'}: {mine.mean():.4g} against {theirs.mean():.4g} {word} {spread}"
    )
    _say(not worse, text, good, bad)


def _say(holds: bool, text: str, good: list, bad: list) -> None:
    (good if holds else bad).append(text)


def _measure(model: Model, X: np.ndarray, y: np.ndarray) -> _Measured:
    assert model.predict is not None
    predicted = np.asarray(model.predict(X), dtype=float)
    left = errors = None
    if model.conditional is not None:
        rows = _spread(X)
        errors = game_error(conditional_game(model, Options(samples=SAMPLES)), rows, COALITIONS).rows
        marginal = mse_v(model.predict, Independent(model.conditional.background), rows, COALITIONS, SAMPLES).rows
        left = errors / max(marginal.mean(), np.finfo(float).tiny)
    return _Measured(
        power_error(y, predicted), np.abs(y - predicted), left, None if errors is None else float(errors.mean())
    )


def _efficiency_gap(model: Model, X: np.ndarray) -> float:
    if model.conditional is None:
        return 0.0
    options = Options("kernel" if len(model.names) > 6 else "auto", max(64, 2 * len(model.names) + 2), 8)
    return float(explain(model, _spread(X)[:4], options=options).info.gaps["efficiency_gap"])


def _spread(X: np.ndarray) -> np.ndarray:
    """Rows evenly through the held-out part, so that every workload is met."""
    return X[evenly(len(X), EXPLAINED_ROWS)]


def _numbers(m: _Measured) -> dict[str, Any]:
    share = None if m.left is None else float(m.left.mean())
    return {**asdict(m.power), "mse_v": m.mse_v, "mse_v_share": share}


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
