"""SAGE: Shapley values of what features take off the loss; Covert et al. 2020.

    v(S)    = mean_i L(y_i, v_i(empty)) - mean_i L(y_i, v_i(S)),     v_i(S) = E f(X | X_S = x_i,S)
    value_p = mean over rows i and orders of  L(y_i, v_i(those before p)) - L(y_i, v_i(those and p))

    sum_p value_p = mean_i L(y_i, base_value) - mean_i L(y_i, f(x_i))      exactly: every row is walked equally often

v_i(S) is the game of the model: conditional where it has a law of hidden features, else marginal over its background.
A pass walks each row along one order and along its reverse. Passes are added until the noise of the values is below
`tolerance` of the span between the largest and the smallest, or there are `passes` of them. A mean of `samples`
completions makes a squared loss larger by variance / samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.features import players_of
from ascribe.core.games import Game, MarginalGame
from ascribe.core.importance.losses import Loss, loss_of, unit_of
from ascribe.core.importance.record import Importance
from ascribe.core.importance.rows import measured
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["PASSES", "TOLERANCE", "sage"]

PASSES, TOLERANCE = 32, 0.025
LEAST = 2  # passes, for the noise to be known


def sage(
    model: Model,
    X: Float[np.ndarray, "b n"],
    y: Float[np.ndarray, " rows"] | None = None,
    loss: str = "squared",
    options: Options | None = None,
    passes: int = PASSES,
    tolerance: float = TOLERANCE,
    step: Callable[[float], None] | None = None,
) -> Importance:
    """Values in the loss's unit. `options`: samples, seed, groups and value as `explain` takes them. `step` is told
    the share done, at most.

    Raises InputError for fewer than two passes and for what `measured` and `loss_of` refuse, CapabilityError for a
    model with neither a conditional nor a background.
    """
    if passes < LEAST:
        raise InputError(f"passes is at least {LEAST}, not {passes}")
    options = options or Options()
    players = players_of(model.names, options.groups)
    X, y, f = measured(model, X, y)
    cost, game, b, p = loss_of(loss, y, f), _game(model, options), len(X), len(players.names)
    ends = np.stack([cost(y, np.full(b, game.base_value)), cost(y, f)], axis=1)
    total, square = np.zeros((b, p)), np.zeros((b, p))
    done = 0
    while done < passes:
        for i in range(b):
            gains = _walked(game, X[i], y[i], cost, ends[i], players.member, [options.seed, done, i])
            total[i] += gains
            square[i] += gains**2
            if step:
                step((done + (i + 1) / b) / passes)
        done += 1
        noise = _noise(total, square, done)
        values = total.mean(axis=0) / done
        if done >= LEAST and noise.max() <= tolerance * (values.max() - values.min()):
            break
    return Importance(
        players.names, values, (total / done).std(axis=0, ddof=1) / np.sqrt(b), "sage", b, unit_of(loss, model.unit),
        loss, options.seed, noise, float((ends[:, 0] - ends[:, 1]).mean()),
        {"loss": float(ends[:, 1].mean()), "passes": float(done)},
    )  # fmt: skip


def _game(model: Model, options: Options) -> Game:
    if model.conditional is not None:
        return conditional_game(model, options)
    if model.background is None or model.predict is None:
        raise CapabilityError("sage needs a conditional or background rows: this model offers neither")
    return MarginalGame(model.predict, model.background)


def _walked(
    game: Game,
    x: Float[np.ndarray, " n"],
    y: float,
    cost: Loss,
    ends: Float[np.ndarray, " 2"],
    member: Bool[np.ndarray, "p n"],
    seed: Sequence[int],
) -> Float[np.ndarray, " p"]:
    """Gains of each player along one order and along its reverse, in the mean."""
    p = len(member)
    order = np.random.default_rng(seed).permutation(p)
    place = np.empty(p, int)
    place[order] = np.arange(p)
    before = place[None, :] < np.arange(1, p)[:, None]  # (p - 1, p): the first k of the order
    S = np.concatenate([before, ~before]).astype(np.int32) @ member.astype(np.int32) > 0
    lost = cost(y, game.values(x, S).v) if len(S) else np.empty(0)
    there = np.concatenate([ends[:1], lost[: p - 1], ends[1:]])
    back = np.concatenate([ends[:1], lost[p - 1 :][::-1], ends[1:]])
    gains = np.empty(p)
    gains[order] = -np.diff(there) / 2
    gains[order[::-1]] += -np.diff(back) / 2
    return gains


def _noise(total: Float[np.ndarray, "b p"], square: Float[np.ndarray, "b p"], done: int) -> Float[np.ndarray, " p"]:
    """Standard error of the values over orders alone: rows as they are. Infinite before it is known."""
    if done < LEAST:
        return np.full(total.shape[1], np.inf)
    within = np.maximum(square - total**2 / done, 0) / (done - 1)
    return np.sqrt(within.mean(axis=0) / done / len(total))
