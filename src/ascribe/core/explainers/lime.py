"""LIME: a linear model of f near the row, after Ribeiro et al. 2016; perturbations and kernel are in
`core.perturbations`, the fit and its errors in `core.local_fit`.

    g(r) = base + sum_j beta_j r_j

    table          value_j = beta_j r_j(x): slope times how far the row is from the background's mean
    image, text    value_j = beta_j: what a segment or a word adds while the others come and go

base is g of the background's mean, or of nothing present: each row's own. base + sum of values = g(x), which is not
f(x): `efficiency_gap` tells by how much it is missed, `local_misfit` how much of f's movement near the row g does
not follow, 1 - R2; each row's R2 is the answer's `fit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.by_rows import One, by_rows
from ascribe.core.errors import BudgetError
from ascribe.core.features import players_of
from ascribe.core.local_fit import LocalFit, local_fit
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.perturbations import TABLE_WIDTH, WIDTH, Table, asked, kept, near
from ascribe.core.players import Segments, nothing, seated
from ascribe.core.reference import reference_row
from ascribe.core.spending import LIME, LIME_EACH, LIME_GROWN, LIME_TABLE

__all__ = ["lime"]

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
    member, law = players.member.astype(float), Table(model.features, np.asarray(model.background, dtype=float))
    _most(options, n, LIME_TABLE)  # refuses before any work

    def answer(i: int) -> One:
        def fitted(m: int) -> Fitted:
            Z, R, apart, own = law.around(X[i], m, np.random.default_rng(options.seed))
            f = asked(predict, m, n, lambda at: Z[at])
            return f[0], _fit(R, f, near(apart, TABLE_WIDTH * np.sqrt(n))), member * own

        return _grown(options, n, LIME_TABLE, fitted)

    return answer, players.names, "background"


def _segments(model: Model, X: np.ndarray, options: Options) -> Answers:
    assert model.predict is not None
    predict, kind, seats = model.predict, model.layout.kind, seated(model, options, X)
    _most(options, max((s.p for s in seats.values()), default=0), LIME)  # refuses before any work

    def answer(i: int) -> One:
        segments, x = seats[i], X[i]
        if not segments.p:
            return nothing(options)
        hidden = _hidden(model, options, x, segments)

        def fitted(m: int) -> Fitted:
            S = kept(kind, segments.p, m, np.random.default_rng(options.seed))
            f = asked(predict, m, len(x), lambda at: np.where(segments.features_of(S[at]), x, hidden))
            return f[0], _fit(S.astype(float), f, near(1 - np.sqrt(S.mean(axis=1)), WIDTH)), np.eye(segments.p)

        one = _grown(options, segments.p, LIME, fitted)
        values, stderr = segments.spread(one.values), segments.spread(one.stderr)
        return replace(one, values=values, stderr=stderr, owner=segments.owner)

    return answer, model.names, "baseline" if kind != "image" or options.baseline is not None else "mean colour"


def _hidden(model: Model, options: Options, x: np.ndarray, segments: Segments) -> np.ndarray:
    if model.layout.kind == "image" and options.baseline is None:
        return segments.mean(x, model.layout.shape[2])
    return reference_row(model, options, x)


Fitted = tuple[float, LocalFit | None, np.ndarray]  # f(x), the fit, and what each player makes of its slopes (p, q)


def _grown(options: Options, p: int, usual: int, fitted: Callable[[int], Fitted]) -> One:
    """At the budget, or at doubled ones until the error asked for is reached."""
    target, most = options.target_stderr, _most(options, p, usual)
    m = most if target is None else min(most, max(usual, LIME_EACH * p))
    while True:
        prediction, fit, M = fitted(m)
        if fit is None:
            nan = np.full(len(M), np.nan)
            return One(prediction, np.nan, nan, nan, np.nan)
        stderr = np.sqrt(np.maximum(np.einsum("pq,qr,pr->p", M, fit.covariance, M, optimize=True), 0.0))
        missed = target is not None and not stderr.max() <= target
        if not missed or m >= most:
            break
        m = min(2 * m, most)
    reason = f"standard error {stderr.max():.3g} at {m} perturbations" if missed else ""
    return One(
        prediction, fit.intercept, M @ fit.slopes, stderr, fit.ess, None, m, ESTIMATOR,
        "above_target" if missed else "ok", reason, fit.r2,
    )  # fmt: skip


def _most(options: Options, p: int, usual: int) -> int:
    """Perturbations that may be spent on one row."""
    if options.budget is None:
        return max(usual, LIME_EACH * p) * (1 if options.target_stderr is None else LIME_GROWN)
    if options.budget < p + 2:
        raise BudgetError(f"lime needs a budget of at least {p + 2} perturbations for {p} players: {options.budget}")
    return options.budget


def _fit(R: np.ndarray, f: np.ndarray, w: np.ndarray) -> LocalFit | None:
    return local_fit(R, f, w) if np.isfinite(f).all() else None
