"""Games: value functions v(x, S), with the uncertainty of their own estimate.

    baseline      v(S) = f(x_S, r_u)                      one reference row r
    marginal      v(S) = mean_k f(x_S, r^k_u)             background rows, whole; hidden features ignore x_S
    conditional   v(S) = sum_k w_k f(x_S, z_k) / sum_k w_k,   z_k ~ q(. | x_S)     the mean of f, never f of a mean

v(grand) = f(x) exactly in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from ascribe.core.arrays import Bool, Float, Predict, np
from ascribe.core.conditional import Conditional
from ascribe.core.control import Control
from ascribe.core.stack import stacked
from ascribe.core.surrogate import Surrogate

__all__ = ["BaselineGame", "ConditionalGame", "Game", "MarginalGame", "Values", "weigh"]

FALLBACK = 0.3  # of the completions effective, at least, for the weights to be used; tau <= 1 keeps 0.42
CELLS = 1 << 19  # numbers completed at a time: small enough for the cache, large enough to hide call overhead


@dataclass(frozen=True, eq=False)
class Values:
    """One row's values: `v (m,)`, and a replicate of them for each independent completion, `(m, r)`: r = s, or 0
    where nothing was left to chance. `ess (m,)` in completions: s where all weigh alike. `fell_back`: the weights left
    too few completions effective somewhere, so this row's completions count alike.
    """

    v: Float[np.ndarray, " m"]
    replicates: Float[np.ndarray, "m r"]
    ess: Float[np.ndarray, " m"]
    fell_back: bool = False


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

    @property
    def value(self) -> str:
        """What answers v(S): background, completions, surrogate or stacked."""
        ...

    def values(self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"]) -> Values:
        """Values of the inner coalitions of one row (neither empty nor grand)."""
        ...

    def with_samples(self, s: int) -> Game:
        """The same game with another number of completions."""
        ...


@dataclass(frozen=True, eq=False)
class MarginalGame:
    """Hidden features from every background row in turn; `base_value` is the mean of f over the background."""

    predict: Predict
    background: Float[np.ndarray, "rows n"]
    kind: str = "marginal"
    value: str = "background"

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
        return Values(v, np.empty((len(S), 0)), np.full(len(S), float(len(self.background))))

    def with_samples(self, s: int) -> MarginalGame:
        """The same: all of the background is used."""
        return self


def BaselineGame(predict: Predict, baseline: Float[np.ndarray, " n"]) -> MarginalGame:  # noqa: N802 - reads as a game
    """The marginal game over a single reference row."""
    return MarginalGame(predict, np.atleast_2d(baseline), kind="baseline")


@dataclass(frozen=True, eq=False)
class ConditionalGame:
    """The conditional game, its v(S) from one of

        completions   mean_k f(x_S, z_k), by `seed` and `samples`
        surrogate     g(x_S, S), no completions
        stacked       share[|S|] of the first, the rest of the second

    `control` takes out of the completions what a polynomial can follow. Replicate k of a mean is its k-th term; of a
    self-normalised mean, biased by O(1/s), it is the jackknife's  s V - (s-1) V_(-k), and v their mean.
    """

    predict: Predict
    conditional: Conditional
    samples: int
    seed: int
    base_value: float
    surrogate: Surrogate | None = None
    value: str = "completions"
    share: Float[np.ndarray, " n1"] | None = None
    control: Control | None = None
    kind: str = "conditional"

    def with_samples(self, s: int) -> ConditionalGame:
        return replace(self, samples=s)

    def values(self, x: np.ndarray, S: np.ndarray) -> Values:
        """`x (m, n)`, a row for each coalition, where the conditional takes that (training asks so)."""
        if self.value == "completions":
            return self._completed(x, S)
        assert self.surrogate is not None
        g = np.concatenate([self.surrogate.value(_of(x, at), S[at]) for at in _slices(S, 1)])
        if self.value == "surrogate":
            return Values(g, np.empty((len(S), 0)), np.full(len(S), np.inf))
        assert self.share is not None
        size = S.sum(axis=1)
        c = self._completed(x, S)
        replicates = stacked(self.share, size[:, None], c.replicates, g[:, None])
        return replace(c, v=stacked(self.share, size, c.v, g), replicates=replicates)

    def _completed(self, x: np.ndarray, S: np.ndarray) -> Values:
        s = self.samples
        noise = self.conditional.noise(s, self.seed)
        plain, weighted = np.empty((len(S), s)), None
        ess = np.full(len(S), float(s))
        for at in _slices(S, s):
            f, log_weight, correction = self._drawn(_of(x, at), S[at], noise)
            plain[at] = f - correction
            if log_weight is not None:
                weighted = np.empty_like(plain) if weighted is None else weighted
                w, ess[at] = weigh(log_weight)
                weighted[at] = _jackknife(w * f, w) - correction
        low = bool((ess < FALLBACK * s).any())
        replicates = plain if weighted is None or low else weighted
        return Values(replicates.mean(axis=1), replicates, ess, low)

    def _drawn(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, Any]:
        """f of the completions (m, s), their log-weights, and h - E h of each."""
        if self.control is None:
            Z, log_weight = self.conditional.complete(x, S, noise)
            return _called(self.predict, Z), log_weight, 0.0
        drawn = self.conditional.latent(x, S, noise)  # type: ignore[attr-defined]
        over = self.control.at(drawn.z) - self.control.mean(drawn.q, drawn.known, S)[:, None]
        return _called(self.predict, drawn.Z), drawn.log_weight, over


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


def _of(x: np.ndarray, at: slice) -> np.ndarray:
    return x if x.ndim == 1 else x[at]


def _called(predict: Predict, Z: Float[np.ndarray, "m s n"]) -> Float[np.ndarray, "m s"]:
    return np.asarray(predict(Z.reshape(-1, Z.shape[2])), dtype=float).reshape(Z.shape[:2])
