"""Shapley values of segments of an image, of words of a text, of days of a window: players of each row's own.

v(S) = mean over references r of f(x where S is present, r elsewhere)
value of column j = phi of its player / number of the player's columns
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scipy.special import stdtrit

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.attribution import Attribution, Deviations, Info
from ascribe.core.by_rows import One, by_rows
from ascribe.core.errors import BudgetError
from ascribe.core.features import Players
from ascribe.core.games import Game, Values
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.players import Segments, nothing, seated
from ascribe.core.reference import reference_game
from ascribe.core.shapley import Row, answer_row, plan_of, remark, shapley

__all__ = ["SegmentGame", "shapley_by_reference"]

CELLS = 1 << 22  # present or absent, columns of coalitions laid out at a time
MOST_PLAYERS = 300  # their plan holds a third of a gigabyte


@dataclass(frozen=True, eq=False)
class SegmentGame:
    """A game on rows, as one on the players of a row: coalitions `S (m, p)`."""

    inner: Game
    segments: Segments
    base_value: float = float("nan")

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def value(self) -> str:
        return self.inner.value

    @property
    def samples(self) -> int:
        return self.inner.samples

    def with_samples(self, s: int) -> SegmentGame:
        return replace(self, inner=self.inner.with_samples(s))

    def values(self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m p"]) -> Values:
        step = max(1, CELLS // len(x))
        found = [self.inner.values(x, self.segments.features_of(S[k : k + step])) for k in range(0, len(S), step)]
        return Values(
            np.concatenate([f.v for f in found]),
            np.concatenate([f.replicates for f in found]),
            np.concatenate([f.ess for f in found]),
        )


def shapley_by_reference(
    model: Model, X: np.ndarray, method: str, options: Options, step: Callable[[], None] | None = None
) -> Attribution:
    """Shapley values of the reference game: of features or groups of a table, of segments of an image, of words, of
    inputs by day.

    Raises InputError for segments that do not fit, BudgetError for more players than a plan can hold.
    """
    X = model.rows(X)
    if model.layout.kind == "table":
        return shapley(model, reference_game(model, options, np.zeros(X.shape[1])), X, method, options, step)
    seats = seated(model, options, X)
    most = max((s.p for s in seats.values()), default=0)
    if most > MOST_PLAYERS:
        raise BudgetError(f"{most} players are more than a plan holds ({MOST_PLAYERS}): put columns into segments")
    if most:
        plan_of(model, _players(most), options, options.budget)  # refuses before any work
    spare = reference_game(model, options, X[0]) if len(X) else None

    def answer(i: int) -> One:
        segments, x = seats[i], X[i]
        if not segments.p:
            return nothing(options)
        game = SegmentGame(reference_game(model, options, x), segments)
        base = float(game.values(x, np.zeros((1, segments.p), bool)).v[0])
        row = answer_row(model, game, x, _players(segments.p), base, options)
        status, reason = remark(row, options.target_stderr)
        stderr = segments.spread(row.stderr * _wider(row))
        return One(
            row.prediction, base, segments.spread(row.phi), stderr, row.ess, segments.owner,
            row.budget, row.estimator, status, reason,
        )  # fmt: skip

    info = Info(
        method=method,
        game=spare.kind if spare else "baseline",
        value=spare.value if spare else "background",
        estimator=options.estimator,
        budget=0,
        samples=spare.samples if spare else 0,
        seed=options.seed,
        tier=options.tier or Info.tier,
    )
    return by_rows(model, X, model.names, answer, info, step)


def _wider(row: Row) -> np.ndarray:
    """Student's t over the normal quantile: the error's parts are not kept, so its degrees of freedom are in it."""
    parts = Deviations(row.completions[None], row.coalitions[None])
    return np.asarray(stdtrit(np.minimum(parts.freedom()[0], 1e6), 0.975) / stdtrit(1e6, 0.975))


def _players(p: int) -> Players:
    return Players(tuple(str(k) for k in range(p)), np.eye(p, dtype=bool))
