"""A plan times a game: Shapley values with their standard errors, row by row.

    phi = W v + offset,      se^2 = se_completions^2 + se_coalitions^2

se_completions is the spread of phi over the replicates of v, sd_s / sqrt(s); se_coalitions comes from the reading of
the plan's coalitions (`core.plan.Solved`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ascribe.core.adjusted import MOST, read
from ascribe.core.adjusted.learnt import learnt
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Deviations, Info
from ascribe.core.by_rows import NOT_FINITE
from ascribe.core.errors import CapabilityError
from ascribe.core.estimators import make_plan
from ascribe.core.features import Players, players_of
from ascribe.core.games import Game
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.plan import Plan

__all__ = ["LEARNT", "MOST_BUDGET", "MOST_SAMPLES", "Row", "answer_row", "plan_of", "remark", "shapley"]

LEARNT = "learnt"
FIRST_BUDGET, MOST_BUDGET, MOST_SAMPLES = 256, MOST, 4096  # of the search for a standard error


@dataclass(frozen=True, eq=False)
class Row:
    """One row answered: `completions (s, p)` and `coalitions (g, p)` are the error's parts."""

    prediction: float
    phi: np.ndarray
    completions: np.ndarray
    coalitions: np.ndarray
    ess: float
    fell_back: bool
    estimator: str
    budget: int
    samples: int

    @property
    def stderr(self) -> np.ndarray:
        return np.sqrt((self.completions**2).sum(axis=0) + (self.coalitions**2).sum(axis=0))


def shapley(
    model: Model, game: Game, X: np.ndarray, method: str, options: Options, step: Callable[[], None] | None = None
) -> Attribution:
    """Shapley values of every row that can be answered; the others hold NaN, a status and a reason."""
    X = model.rows(X)
    players = players_of(model.names, options.groups)
    plan_of(model, players, options, options.budget)  # refuses before any work
    b, p = len(X), len(players.names)
    values, stderr = np.full((b, p), np.nan), np.full((b, p), np.nan)
    prediction, ess = np.full(b, np.nan), np.full(b, np.nan)
    status, reasons = model.check(X)
    base = game.base_value
    found: dict[int, Row] = {}
    for i in np.flatnonzero(status != "invalid").tolist():
        row = answer_row(model, game, X[i], players, base, options)
        prediction[i], values[i], stderr[i], ess[i] = row.prediction, row.phi, row.stderr, row.ess
        if not np.isfinite(values[i]).all():
            values[i], stderr[i] = np.nan, np.nan
            status[i], reasons[i] = "not_finite", NOT_FINITE
        else:
            found[i] = row
            if status[i] == "ok":
                status[i], reasons[i] = remark(row, options.target_stderr)
        if step:
            step()
    gap = np.abs(prediction - base - values.sum(axis=1))
    rows = list(found.values())
    info = Info(
        method=method,
        game=game.kind,
        value=game.value,
        estimator="+".join(sorted({r.estimator for r in rows})) or options.estimator,
        budget=max((r.budget for r in rows), default=0),
        samples=game.samples if game.value == "background" else max((r.samples for r in rows), default=0),
        seed=options.seed,
        tier=options.tier or Info.tier,
        unit=model.unit,
        output=model.output,
        version=model.version,
        space=model.space,
        gaps={"efficiency_gap": float(gap[np.isfinite(gap)].max(initial=0.0))},
    )
    return Attribution(
        values, base, prediction, stderr, ess, status, tuple(reasons), players.names, X, info, model.names,
        _deviations(found, b, p),
    )  # fmt: skip


def answer_row(model: Model, game: Game, x: np.ndarray, players: Players, base: float, options: Options) -> Row:
    """One row, at the budget and samples asked for, or at growing ones until the error asked for is reached."""
    budget, samples, target = options.budget, options.samples, options.target_stderr
    if target is None:
        return _one(model, game, x, players, base, options, budget)
    p = len(players.names)
    most = budget or max(MOST_BUDGET, 4 * p)
    budget = budget if options.estimator == "exact" else min(most, max(FIRST_BUDGET, 4 * p))
    while True:
        row = _one(model, game.with_samples(samples), x, players, base, options, budget)
        if not np.isfinite(row.phi).all() or row.stderr.max() <= target:
            return row
        part = [(d**2).sum(axis=0).max() for d in (row.completions, row.coalitions)]
        untold = bool(np.isnan(part[1]))  # too few coalitions to tell their error
        more_coalitions = (budget or most) < most and (untold or part[1] > 0)
        more_completions = 0 < row.samples < MOST_SAMPLES and not untold
        if more_coalitions and (not more_completions or part[1] >= part[0]):
            budget = min(2 * (budget or most), most)
        elif more_completions and part[0] > 0:
            samples = min(2 * samples, MOST_SAMPLES)
        else:
            return row


def _one(
    model: Model, game: Game, x: np.ndarray, players: Players, base: float, options: Options, budget: int | None
) -> Row:
    assert model.predict is not None
    plan = plan_of(model, players, options, budget)
    inner = players.features_of(plan.S[1:-1])
    fx = float(np.asarray(model.predict(x[None]), dtype=float).reshape(-1)[0])
    p = len(players.names)
    if not len(inner):  # one player takes the whole difference
        nothing = np.zeros((0, p))
        return Row(fx, np.array([fx - base]), nothing, nothing, np.inf, False, plan.estimator, len(plan.S), 0)
    values = game.values(x, inner)
    s = values.replicates.shape[1]
    v = np.concatenate([[base], values.v, [fx]])
    if not np.isfinite(v).all():
        nan = np.full(p, np.nan)
        return Row(fx, nan, nan[None], nan[None], np.nan, False, plan.estimator, len(plan.S), s)
    solved = read(plan, v)
    apart = (values.replicates - values.v[:, None]).T @ solved.W[:, 1:-1].T  # base and prediction are not drawn
    completions = apart / np.sqrt(s * (s - 1)) if s > 1 else np.zeros((0, p))
    ess = float(values.ess.min())
    return Row(
        fx, solved.phi(v), completions, solved.deviations, ess, values.fell_back, solved.estimator, len(plan.S), s
    )  # fmt: skip


def plan_of(model: Model, players: Players, options: Options, budget: int | None) -> Plan:
    """The plan of an estimator by name; `learnt` is this model's own, over single features. Raises CapabilityError."""
    p = len(players.names)
    if options.estimator != LEARNT:
        return make_plan(options.estimator, p, budget, options.seed)
    if model.reading is None or len(model.reading.b) != p or options.groups:
        raise CapabilityError(f"estimator '{LEARNT}' needs scales learnt for these {p} players: use 'auto'")
    coalitions = make_plan("odd", p, budget, options.seed)  # those of `kernel`, or all where they are few
    return coalitions if coalitions.exact else learnt(coalitions, model.reading)


def remark(row: Row, target: float | None) -> tuple[str, str]:
    """Status and reason of a row that was answered."""
    if row.fell_back:
        reason = f"{row.ess:.1f} of {row.samples} completions would be effective: they count alike instead"
        return "low_ess", reason
    if target is not None and not row.stderr.max() <= target:  # NaN: too few coalitions to tell
        return "above_target", f"standard error {row.stderr.max():.3g} at {row.budget} coalitions x {row.samples}"
    return "ok", ""


def _deviations(found: Mapping[int, Row], b: int, p: int) -> Deviations:
    """All rows' parts, in one array each; rows with fewer parts (another budget) are filled up with zeros."""
    s, g = (max((len(getattr(r, word)) for r in found.values()), default=0) for word in ("completions", "coalitions"))
    held = Deviations(np.zeros((b, s, p), np.float32), np.zeros((b, g, p), np.float32))
    for i, row in found.items():
        held.completions[i, : len(row.completions)] = row.completions
        held.coalitions[i, : len(row.coalitions)] = row.coalitions
    return held
