"""A plan times a game: Shapley values with their standard errors, row by row.

    phi = V @ W.T,      se^2 = se_completions^2 + se_coalitions^2

se_completions is the spread of phi between blocks of noise, sd_r / sqrt(r); se_coalitions the plan's
jackknife over the coalitions that were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.estimators import make_plan
from ascribe.core.features import check_rows, players_of
from ascribe.core.games import Game
from ascribe.core.model import Model
from ascribe.core.plan import Plan
from ascribe.core.words import listed

__all__ = ["Options", "shapley"]

LOW_ESS = 0.1


@dataclass(frozen=True)
class Options:
    """What a caller may choose. `budget` coalitions (None: by the number of players), `samples` completions each."""

    estimator: str = "auto"
    budget: int | None = None
    samples: int = 64
    seed: int = 0
    groups: Mapping[str, tuple[str, ...]] | None = None


def shapley(
    model: Model,
    game: Game,
    X: np.ndarray,
    method: str,
    value: str,
    options: Options,
    step: Callable[[], None] | None = None,
) -> Attribution:
    """Shapley values of every row that can be answered; the others hold NaN, a status and a reason."""
    X = np.asarray(X, dtype=float)
    n = len(model.features)
    if X.ndim != 2 or X.shape[1] != n:
        raise InputError(f"rows must be (rows, {n}) in the order {listed(model.names)}; got shape {X.shape}")
    players = players_of(model.names, options.groups)
    plan = make_plan(options.estimator, len(players.names), options.budget, options.seed)
    b, p = len(X), len(players.names)
    values, stderr = np.full((b, p), np.nan), np.full((b, p), np.nan)
    prediction, ess = np.full(b, np.nan), np.full(b, np.nan)
    status, reasons = check_rows(model.features, X)
    base = game.base_value
    inner = players.features_of(plan.S[1:-1])
    for i in np.flatnonzero(status != "invalid"):
        prediction[i], values[i], stderr[i], ess[i] = _one(model, game, X[i], plan, inner, base)
        if not np.isfinite(values[i]).all():
            values[i], stderr[i] = np.nan, np.nan
            status[i], reasons[i] = "not_finite", "the model gave no finite number for this row or its completions"
        elif status[i] == "ok" and ess[i] < LOW_ESS * options.samples and game.kind == "conditional":
            status[i], reasons[i] = "low_ess", f"{ess[i]:.1f} of {options.samples} completions are effective"
        if step:
            step()
    return Attribution(
        values, base, prediction, stderr, ess, status, tuple(reasons), players.names, X,
        _info(model, game, method, value, plan, options, _gap(values, prediction, base)),
    )  # fmt: skip


def _one(model: Model, game: Game, x: np.ndarray, plan: Plan, inner: np.ndarray, base: float) -> tuple:
    """prediction, phi (p,), standard error (p,), smallest ess of one row."""
    assert model.predict is not None
    fx = float(np.asarray(model.predict(x[None]), dtype=float).reshape(-1)[0])
    if not len(inner):  # one player takes the whole difference
        return fx, np.array([fx - base]), np.zeros(1), np.nan
    found = game.values(x, inner)
    r = found.replicates.shape[1]
    V = np.empty((r + 1, len(inner) + 2))  # the mean first, then each replicate
    V[:, 0], V[:, -1] = base, fx
    V[0, 1:-1], V[1:, 1:-1] = found.v, found.replicates.T
    phi = plan.solve(V)
    noise = phi[1:].std(axis=0, ddof=1) / np.sqrt(r) if r > 1 else 0.0
    return fx, phi[0], np.hypot(noise, plan.coalition_stderr(V[:1])[0]), float(found.ess.min())


def _gap(values: np.ndarray, prediction: np.ndarray, base: float) -> float:
    gap = np.abs(prediction - base - values.sum(axis=1))
    return float(gap[np.isfinite(gap)].max(initial=0.0))


def _info(model: Model, game: Game, method: str, value: str, plan: Plan, options: Options, gap: float) -> Info:
    return Info(
        method=method,
        game=game.kind,
        value=value,
        estimator=plan.estimator,
        budget=len(plan.S),
        samples=game.samples,
        seed=options.seed,
        unit=model.unit,
        output=model.output,
        version=model.version,
        gaps={"efficiency_gap": gap},
    )
