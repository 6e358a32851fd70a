"""Stability: how far an explanation can be moved while the prediction hardly is; Ghorbani et al. 2019.

    moved     = |phi(z) - phi(x)| / |phi(x)|,  the largest found over z in the ball with |f(z) - f(x)| <= delta
    lipschitz = |phi(z) - phi(x)| / distance of z and x in the ball's norm, the largest found; Alvarez-Melis 2018
    rank      = Spearman's rho of phi(z) and phi(x), at the z of the largest move

Search: random rows of the ball, the best of them changed again at random (half the columns, smaller each round). It
asks the method itself, so it serves for every method, with gradient or without; what it finds is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ascribe.core.arrays import Float, np
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import explain
from ascribe.core.faithfulness.agreement import rank_correlation
from ascribe.core.faithfulness.units import unit_values, units_of
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.probes.ball import Ball
from ascribe.core.probes.robustness import ball_of

__all__ = ["Stability", "joined", "largest", "stability", "usual_delta"]

ROUNDS, DRAWS = 4, 16
SPREAD = 0.05  # of the predictions, that one of them may move


@dataclass(frozen=True, eq=False)
class Stability:
    """Of each row (b,): see above. `change (b,)`: of the prediction at the worst row found, within `delta` of the
    output's unit. `rows (b, n)`: the worst rows; the row itself where nothing was found.
    """

    method: str
    norm: str
    epsilon: float
    delta: float
    moved: Float[np.ndarray, " b"]
    rank: Float[np.ndarray, " b"]
    lipschitz: Float[np.ndarray, " b"]
    change: Float[np.ndarray, " b"]
    rows: Float[np.ndarray, "b n"]


def stability(
    model: Model,
    X: Float[np.ndarray, "b n"],
    method: str,
    epsilon: float = 0.02,
    delta: float | None = None,
    norm: str = "linf",
    options: Options | None = None,
    rounds: int = ROUNDS,
    draws: int = DRAWS,
    step: Callable[[], None] | None = None,
) -> Stability:
    """`delta`: how far the prediction may move, in the output's unit (None: `usual_delta`). The method is asked
    rounds x draws times a row.

    Raises as `explain` and `usual_delta`; InputError where no row can be answered or no column can move, or for a delta
    that is no size; CapabilityError for texts.
    """
    options = options or Options()
    if model.layout.kind == "text":
        raise CapabilityError("stability moves numbers a little: the words of a text have no small change")
    model = model.settled(X)
    X = model.rows(X)
    X = X[(model.check(X)[0] != "invalid") & np.isfinite(X).all(axis=1)]
    if not len(X) or model.predict is None:
        raise InputError("no row can be probed: every row holds a value that is missing or impossible")
    delta = usual_delta(model, X) if delta is None else delta
    if not delta >= 0:
        raise InputError(f"delta is how far the prediction may move, 0 or more, not {delta}")
    ball = ball_of(model, X, norm, epsilon)
    if not ball.scale.any():  # a row that cannot move would pass for one whose explanation does not
        raise InputError("no column of these rows has a range to move in: give more rows, or a model with a background")
    own = explain(model, X, method, options).values
    f = np.asarray(model.predict(X), dtype=float).reshape(-1)
    found = []
    for i, x in enumerate(X):
        found.append(_searched(model, x, own[i], float(f[i]), ball, delta, method, options, rounds, draws, i))
        if step:
            step()
    moved, rank, lipschitz, change = (np.array([one[k] for one in found]) for k in range(4))
    return Stability(method, norm, epsilon, delta, moved, rank, lipschitz, change, np.stack([one[4] for one in found]))


def largest(of_rows: Float[np.ndarray, " b"]) -> float:
    """The largest number that is known; NaN where none is, as how far the values of a row of zeros moved."""
    held = of_rows[np.isfinite(of_rows)]
    return float(held.max()) if len(held) else float("nan")


def usual_delta(model: Model, X: Float[np.ndarray, "b n"]) -> float:
    """5 % of the spread of the predictions over the background, or over the rows where there is none.

    Raises InputError where that is one row, whose spread nobody knows: 0 would call every explanation stable.
    """
    assert model.predict is not None
    held = X if model.background is None else model.background
    if len(held) < 2:
        raise InputError("how far the prediction may move is not known from one row: give delta, or more rows")
    return SPREAD * float(np.nanstd(np.asarray(model.predict(held), dtype=float)))


def joined(parts: Sequence[Stability]) -> Stability:
    """Of rows that were searched apart, such as rows of different classes; `delta` is then the largest of theirs."""

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0], moved=column("moved"), rank=column("rank"), lipschitz=column("lipschitz"), change=column("change"),
        rows=column("rows"), delta=max(part.delta for part in parts),
    )  # fmt: skip


def _searched(
    model: Model, x: np.ndarray, own: np.ndarray, f: float, ball: Ball, delta: float, method: str, options: Options,
    rounds: int, draws: int, number: int,
) -> tuple[float, float, float, float, np.ndarray]:  # fmt: skip
    assert model.predict is not None
    rng = np.random.default_rng([options.seed, number])
    size, units = float(np.linalg.norm(own)), units_of(model, x)
    if not np.isfinite(size) or size == 0:
        return np.nan, np.nan, np.nan, 0.0, x
    best, moved, lipschitz, change, values = x, 0.0, 0.0, 0.0, own
    X = np.tile(x, (draws, 1))
    for k in range(rounds):
        fresh = ball.drawn(X, rng)
        if k:  # around the best: half the columns drawn anew, nearer each round
            share = 0.5**k
            turned = rng.random(X.shape) < 0.5
            fresh = ball.within(X, np.where(turned, best + share * (fresh - x), best))
        g = np.asarray(model.predict(fresh), dtype=float).reshape(-1)
        near = np.abs(g - f) <= delta
        if not near.any():
            continue
        told = explain(model, fresh[near], method, options).values
        far = np.linalg.norm(told - own, axis=1)
        away = ball.length(X[near], fresh[near])
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(away > 0, far / away, 0.0)
        if np.isfinite(slope).any():
            lipschitz = max(lipschitz, float(np.nanmax(slope)))
        if np.isfinite(far).any() and np.nanmax(far) / size > moved:
            at = int(np.nanargmax(far))
            best, moved, values = fresh[near][at], float(far[at]) / size, told[at]
            change = float(g[near][at] - f)
    rho = rank_correlation(unit_values(units, own), unit_values(units, values))
    return moved, rho, lipschitz, change, best
