"""LIME: a linear model of f near the row, after Ribeiro et al. 2016; perturbations and kernel are in
`core.perturbations`, the fit and its errors in `core.local_fit`.

    g(r) = base + sum_j beta_j r_j

    table          value_j = beta_j r_j(x): slope times how far the row is from the background's mean
    image, text    value_j = beta_j: what a segment or a word adds while the others come and go

base is g of the background's mean, or of nothing present: each row's own. base + sum of values = g(x), which is not
f(x): `efficiency_gap` tells by how much it is missed, `local_r2` how much of f's movement near the row g follows.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.by_rows import One, by_rows
from ascribe.core.errors import BudgetError
from ascribe.core.features import players_of
from ascribe.core.local_fit import LocalFit, local_fit
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.perturbations import TABLE_WIDTH, WIDTH, Table, asked, kept, near
from ascribe.core.players import NO_WORDS, Segments, seated
from ascribe.core.reference import reference_row

__all__ = ["lime"]

TABLE_BUDGET, BUDGET = 4096, 1024
LEAST = 4  # perturbations for each player, where no budget is named
ESTIMATOR = "weighted least squares"


def lime(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By `budget` perturbations. The value of a group of features is the sum of its members'. A hidden segment of an
    image has its own mean colour, or the baseline asked for; a removed word leaves padding where it stood.

    Raises BudgetError for fewer perturbations than players and two more; InputError for segments that do not fit.
    """
    X = model.rows(X)
    answer, names, value = (_table if model.layout.kind == "table" else _segments)(model, X, options)
    info = Info(
        method="lime", game="local linear", value=value, estimator=ESTIMATOR, budget=0, samples=0,
        seed=options.seed, tier=options.tier or Info.tier,
    )  # fmt: skip
    return by_rows(model, X, names, answer, info, step)


Answers = tuple[Callable[[int], One], tuple[str, ...], str]


def _table(model: Model, X: np.ndarray, options: Options) -> Answers:
    assert model.predict is not None and model.background is not None
    predict, n = model.predict, X.shape[1]
    players = players_of(model.names, options.groups)
    m, member = _budget(options, n, TABLE_BUDGET), players.member.astype(float)
    law = Table(model.features, np.asarray(model.background, dtype=float))

    def answer(i: int) -> One:
        Z, R, apart, own = law.around(X[i], m, np.random.default_rng(options.seed))
        f = asked(predict, m, n, lambda at: Z[at])
        if not np.isfinite(f).all():
            return _unanswered(f[0], len(member))
        fit = local_fit(R, f, near(apart, TABLE_WIDTH * np.sqrt(n)))
        return _one(options, f[0], fit, member @ (fit.slopes * own), _errors(member * own, fit), m)

    return answer, players.names, "background"


def _segments(model: Model, X: np.ndarray, options: Options) -> Answers:
    assert model.predict is not None
    predict, layout, seats = model.predict, model.layout, seated(model, options, X)
    most = max((s.p for s in seats.values()), default=0)
    _budget(options, most, BUDGET)  # refuses before any work

    def answer(i: int) -> One:
        segments, x = seats[i], X[i]
        if not segments.p:
            return NO_WORDS
        hidden = _hidden(model, options, x, segments)
        m = _budget(options, segments.p, BUDGET)
        S = kept(layout.kind, segments.p, m, np.random.default_rng(options.seed))
        f = asked(predict, m, len(x), lambda at: np.where(segments.features_of(S[at]), x, hidden))
        if not np.isfinite(f).all():
            return _unanswered(f[0], len(x), segments)
        fit = local_fit(S.astype(float), f, near(1 - np.sqrt(S.mean(axis=1)), WIDTH))
        stderr = segments.spread(_errors(np.eye(segments.p), fit))
        return _one(options, f[0], fit, segments.spread(fit.slopes), stderr, m, segments)

    value = "baseline" if layout.kind == "text" or options.baseline is not None else "mean colour"
    return answer, model.names, value


def _hidden(model: Model, options: Options, x: np.ndarray, segments: Segments) -> np.ndarray:
    if model.layout.kind == "image" and options.baseline is None:
        return segments.mean(x, model.layout.shape[2])
    return reference_row(model, options, x)


def _budget(options: Options, p: int, usual: int) -> int:
    if options.budget is None:
        return max(usual, LEAST * p)
    if options.budget < p + 2:
        raise BudgetError(f"lime needs a budget of at least {p + 2} perturbations for {p} players: {options.budget}")
    return options.budget


def _errors(M: np.ndarray, fit: LocalFit) -> np.ndarray:
    """Of M (p, q) times the slopes."""
    return np.sqrt(np.maximum(np.einsum("pq,qr,pr->p", M, fit.covariance, M, optimize=True), 0.0))


def _one(
    options: Options, prediction: float, fit: LocalFit, values: np.ndarray, stderr: np.ndarray, m: int,
    segments: Segments | None = None,
) -> One:  # fmt: skip
    missed = options.target_stderr is not None and not stderr.max() <= options.target_stderr
    status, reason = (
        ("above_target", f"standard error {stderr.max():.3g} at {m} perturbations") if missed else ("ok", "")
    )
    return One(
        prediction, fit.intercept, values, stderr, fit.ess, None if segments is None else segments.owner, m, ESTIMATOR,
        status, reason, {"local_r2": fit.r2},
    )  # fmt: skip


def _unanswered(prediction: float, p: int, segments: Segments | None = None) -> One:
    nan = np.full(p, np.nan)
    return One(prediction, np.nan, nan, nan, np.nan, None if segments is None else segments.owner)
