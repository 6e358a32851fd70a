"""How predictions and value functions are judged."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import stdtrit

from ascribe.core.arrays import Float, Predict, np
from ascribe.core.conditional import Conditional
from ascribe.core.errors import InputError
from ascribe.core.games import ConditionalGame

__all__ = [
    "BlockMean", "ClassError", "MseV", "PowerError", "block_mean", "class_error", "game_error", "mse_v", "power_error",
    "random_coalitions",
]  # fmt: skip

BLOCKS = 30
TWO_SIGMA = 0.9772498680518208  # of a normal law, below its mean and two deviations


@dataclass(frozen=True)
class PowerError:
    """MAE in the target's unit, MAPE as a share, R2."""

    mae: float
    mape: float
    r2: float


def power_error(y: Float[np.ndarray, " b"], predicted: Float[np.ndarray, " b"]) -> PowerError:
    """Errors of a prediction; MAPE skips rows whose truth is 0.

    >>> power_error(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0])).r2
    0.5
    """
    miss = np.abs(y - predicted)
    spread = ((y - y.mean()) ** 2).sum()
    nonzero = y != 0
    return PowerError(
        mae=float(miss.mean()),
        mape=float((miss[nonzero] / np.abs(y[nonzero])).mean()) if nonzero.any() else float("nan"),
        r2=float(1 - (miss**2).sum() / spread) if spread > 0 else float("nan"),
    )


@dataclass(frozen=True)
class ClassError:
    """Share of rows whose class is predicted; mean of -log of the probability of the true class, in nats, where there
    are probabilities.
    """

    accuracy: float
    log_loss: float | None


def class_error(y: Float[np.ndarray, " b"], scores: Float[np.ndarray, "b k"], probable: bool) -> ClassError:
    """`y`: numbers of the true classes; `probable`: whether scores are probabilities.

    >>> class_error(np.array([0.0, 1.0]), np.array([[0.5, 0.5], [0.0, 1.0]]), True).accuracy
    1.0
    """
    true = y.astype(int)
    loss = -np.log(np.maximum(scores[np.arange(len(y)), true], 1e-15)).mean() if probable else None
    return ClassError(float((scores.argmax(axis=1) == true).mean()), None if loss is None else float(loss))


@dataclass(frozen=True)
class BlockMean:
    """Mean of a number over neighbouring rows, and its standard error over `blocks` blocks of them."""

    mean: float
    stderr: float
    blocks: int

    @property
    def beyond(self) -> float:
        """What the mean must exceed to be beyond chance: two standard errors, and more where blocks are few."""
        return float(stdtrit(self.blocks - 1, TWO_SIGMA)) * self.stderr if self.blocks > 1 else float("nan")


def block_mean(d: Float[np.ndarray, " b"], blocks: int = BLOCKS) -> BlockMean:
    """Rows close in time share their errors, so rows are not independent; blocks of neighbours about are:

        stderr = sd of the blocks' means / sqrt(blocks)

    >>> block_mean(np.array([1.0, 1.0, 1.0, 3.0, 3.0, 3.0]), 2).stderr
    1.0
    """
    means = np.array([part.mean() for part in np.array_split(d, min(blocks, len(d)))])
    spread = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")
    return BlockMean(float(np.mean(d)), spread, len(means))


def random_coalitions(n: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """Proper coalitions, size uniform on 1..n-1, then members uniform."""
    size = rng.integers(1, n, size=m)
    return np.argsort(np.argsort(rng.random((m, n)), axis=1), axis=1) < size[:, None]


class MseV(float):
    """MSE_v as a number, the mean of `rows (b,)`, with `stderr` over rows: `a.rows - b.rows` compares two of them."""

    rows: Float[np.ndarray, " b"]
    stderr: float

    def __new__(cls, rows: Float[np.ndarray, " b"]) -> MseV:
        self = super().__new__(cls, rows.mean())
        self.rows = rows
        self.stderr = float(rows.std(ddof=1) / np.sqrt(len(rows))) if len(rows) > 1 else float("nan")
        return self


def mse_v(
    predict: Predict,
    conditional: Conditional,
    X: Float[np.ndarray, "b n"],
    coalitions: int = 32,
    samples: int = 32,
    seed: int = 0,
) -> MseV:
    """MSE_v:  mean over rows and random proper S of (f(x) - v(S))^2, in the output's unit squared.

    v(S) from completions, or from the surrogate where `conditional` is one. Equals E Var(f | x_S) + error of v +
    Monte-Carlo variance: its level means nothing, so compare methods paired by row, at equal coalitions, samples and
    seed. Frye et al. 2021; Olsen et al. 2022, eq. 12. Raises InputError where there is nothing to hide or to ask.
    """
    X = np.atleast_2d(np.asarray(X, dtype=float))
    if not len(X) or X.shape[1] < 2 or coalitions < 1:
        raise InputError(f"MSE_v needs rows of two features or more and a coalition: got {X.shape} and {coalitions}")
    ask = getattr(conditional, "surrogate_of", None)
    surrogate = None if ask is None else ask(predict)
    value = "completions" if surrogate is None else "surrogate"
    return game_error(ConditionalGame(predict, conditional, samples, seed, 0.0, surrogate, value), X, coalitions, seed)


def game_error(game: ConditionalGame, X: Float[np.ndarray, "b n"], coalitions: int, seed: int = 0) -> MseV:
    """MSE_v of a game as it stands, whatever answers v(S)."""
    S = random_coalitions(X.shape[1], coalitions, np.random.default_rng(seed))
    f = np.asarray(game.predict(X), dtype=float)
    return MseV(np.array([((fx - game.values(x, S).v) ** 2).mean() for x, fx in zip(X, f, strict=True)]))
