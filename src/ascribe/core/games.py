"""Games: value functions v(x, S), with the uncertainty of their own estimate.

    baseline      v(S) = f(x_S, r_u)                      one reference row r
    marginal      v(S) = mean_k f(x_S, r^k_u)             background rows, whole; hidden features ignore x_S
    conditional   v(S) = sum_k w_k f(x_S, z_k) / sum_k w_k,   z_k ~ q(. | x_S)     the mean of f, never f of a mean

v(grand) = f(x) exactly in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ascribe.core.arrays import Bool, Float, Predict, np
from ascribe.core.conditional import Conditional
from ascribe.core.noise import blocks_of

__all__ = ["BaselineGame", "ConditionalGame", "Game", "MarginalGame", "Values", "weigh"]

CELLS = 1 << 19  # numbers completed at a time: small enough for the cache, large enough to hide call overhead


@dataclass(frozen=True, eq=False)
class Values:
    """One row's values: `v (m,)`, its replicates `(m, r)` from blocks of noise, smallest ess `(m,)`.

    `ess` is in completions: s where all weigh alike.
    """

    v: Float[np.ndarray, " m"]
    replicates: Float[np.ndarray, "m r"]
    ess: Float[np.ndarray, " m"]


@runtime_checkable
class Game(Protocol):
    """A value function over `samples` completions, one row at a time: every call has the same shapes whatever the
    batch, so that a row's answer is the same bits alone and among others. `kind`: baseline, marginal or conditional.
    """

    @property
    def kind(self) -> str: ...

    @property
    def base_value(self) -> float: ...

    @property
    def samples(self) -> int: ...

    def values(self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"]) -> Values:
        """Values of the inner coalitions of one row (neither empty nor grand)."""
        ...


@dataclass(frozen=True, eq=False)
class MarginalGame:
    """Hidden features from every background row in turn; `base_value` is the mean of f over the background."""

    predict: Predict
    background: Float[np.ndarray, "rows n"]
    kind: str = "marginal"

    @property
    def base_value(self) -> float:
        return float(np.mean(self.predict(self.background)))

    @property
    def samples(self) -> int:
        return len(self.background)

    def values(self, x: np.ndarray, S: np.ndarray) -> Values:
        v = np.empty(len(S))
        for at in _slices(S, len(self.background)):
            Z = np.where(S[at][:, None, :], x, self.background)
            v[at] = _called(self.predict, Z).mean(axis=1)
        return Values(v, v[:, None], np.full(len(S), float(len(self.background))))


def BaselineGame(predict: Predict, baseline: Float[np.ndarray, " n"]) -> MarginalGame:  # noqa: N802 - reads as a game
    """The marginal game over a single reference row."""
    return MarginalGame(predict, np.atleast_2d(baseline), kind="baseline")


@dataclass(frozen=True, eq=False)
class ConditionalGame:
    """The conditional game by Monte-Carlo (or quasi-Monte-Carlo) completions; `noise` is drawn once, by the caller.

    Self-normalised weights bias v by O(1/s), so blocks are combined by the jackknife: with numerators N_r and
    denominators D_r of R blocks, V = sum N / sum D, replicates  R V - (R-1) (N - N_r)/(D - D_r),  v their mean.
    With equal weights these are the plain block means.
    """

    predict: Predict
    conditional: Conditional
    noise: np.ndarray
    base_value: float
    kind: str = "conditional"

    @property
    def samples(self) -> int:
        return len(self.noise)

    def values(self, x: np.ndarray, S: np.ndarray) -> Values:
        s = self.samples
        r = blocks_of(s)
        replicates = np.empty((len(S), r))
        ess = np.full(len(S), float(s))
        for at in _slices(S, s):
            Z, log_weight = self.conditional.complete(x, S[at], self.noise)
            f = _called(self.predict, Z)
            if log_weight is None:
                replicates[at] = f.reshape(len(f), r, -1).mean(axis=2)
            else:
                w, ess[at] = weigh(log_weight)
                replicates[at] = _jackknife(
                    (w * f).reshape(len(f), r, -1).sum(axis=2), w.reshape(len(f), r, -1).sum(axis=2)
                )
        return Values(replicates.mean(axis=1), replicates, ess)


def weigh(log_weight: Float[np.ndarray, "*m s"]) -> tuple[Float[np.ndarray, "*m s"], Float[np.ndarray, "*m"]]:
    """Weights up to a common factor (the largest is 1), and ess = (sum w)^2 / sum w^2 in completions."""
    w = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
    return w, w.sum(axis=-1) ** 2 / (w**2).sum(axis=-1)


def _jackknife(N: Float[np.ndarray, "m r"], D: Float[np.ndarray, "m r"]) -> Float[np.ndarray, "m r"]:
    r = N.shape[1]
    total_n, total_d = N.sum(axis=1, keepdims=True), D.sum(axis=1, keepdims=True)
    return r * total_n / total_d - (r - 1) * (total_n - N) / (total_d - D)


def _slices(S: np.ndarray, completions: int) -> list[slice]:
    """Runs of coalitions whose completions fit the working set; depends on shapes only."""
    step = max(1, CELLS // (completions * S.shape[1]))
    return [slice(k, k + step) for k in range(0, len(S), step)]


def _called(predict: Predict, Z: Float[np.ndarray, "m s n"]) -> Float[np.ndarray, "m s"]:
    return np.asarray(predict(Z.reshape(-1, Z.shape[2])), dtype=float).reshape(Z.shape[:2])
