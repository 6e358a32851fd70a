"""How predictions and value functions are judged."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, Predict, np
from ascribe.core.conditional import Conditional
from ascribe.core.games import ConditionalGame

__all__ = ["PowerError", "mse_v", "power_error", "random_coalitions"]


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


def random_coalitions(n: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """Proper coalitions, size uniform on 1..n-1, then members uniform."""
    size = rng.integers(1, n, size=m)
    return np.argsort(np.argsort(rng.random((m, n)), axis=1), axis=1) < size[:, None]


def mse_v(
    predict: Predict,
    conditional: Conditional,
    X: Float[np.ndarray, "b n"],
    coalitions: int = 32,
    samples: int = 32,
    seed: int = 0,
) -> Float[np.ndarray, " b"]:
    """MSE_v of each row:  mean over random proper S of (f(x) - v(S))^2, in the output's unit squared.

    Equals E Var(f | x_S) + error of v + Monte-Carlo variance: its level means nothing, so compare methods paired by
    row, at equal coalitions, samples and seed. Frye et al. 2021; Olsen et al. 2022, eq. 12.
    """
    rng = np.random.default_rng(seed)
    S = random_coalitions(X.shape[1], coalitions, rng)
    game = ConditionalGame(predict, conditional, conditional.noise(samples, seed), base_value=0.0)
    f = np.asarray(predict(X), dtype=float)
    return np.array([((fx - game.values(x, S).v) ** 2).mean() for x, fx in zip(X, f, strict=True)])
