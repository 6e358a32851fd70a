"""Conditionals: where completions of hidden features come from.

A completion keeps `x_S` as observed and fills the hidden features from (an approximation of) p(x_u | x_S). A
conditional never looks at the hidden cells of the rows that it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

from scipy.special import ndtri

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import InputError
from ascribe.core.noise import sobol_points

__all__ = ["Conditional", "Gaussian", "Independent", "Regressions", "draw"]

KEPT = 1 << 23  # numbers of regressions kept: 64 MB


@runtime_checkable
class Conditional(Protocol):
    """What a conditional game asks for. `name` says in words which law it is."""

    @property
    def name(self) -> str: ...

    @property
    def background(self) -> Float[np.ndarray, "rows n"]:
        """Training rows; v(empty) is the mean of f over them."""
        ...

    def noise(self, s: int, seed: int) -> np.ndarray:
        """Noise for `s` completions, shared by all rows and coalitions."""
        ...

    def complete(
        self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"], noise: np.ndarray
    ) -> tuple[Float[np.ndarray, "m s n"], Float[np.ndarray, "m s"] | None]:
        """Completions of one row for each coalition, and their log-weights (None: all equal)."""
        ...


def draw(
    conditional: Conditional,
    X: Float[np.ndarray, "b n"] | Float[np.ndarray, " n"],
    S: Bool[np.ndarray, "m n"],
    n_samples: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "b m s n"], Float[np.ndarray, "b m s"]]:
    """Completions `(b, m, s, n)` and log-weights `(b, m, s)` of all rows at once, for looking at and for tests."""
    noise = conditional.noise(n_samples, int(rng.integers(2**63)))
    parts = [conditional.complete(x, S, noise) for x in np.atleast_2d(X)]
    Z = np.stack([z for z, _ in parts])
    log_weight = np.stack([np.zeros(Z.shape[1:3]) if w is None else w for _, w in parts])
    return Z, log_weight


@dataclass(frozen=True, eq=False)
class Independent:
    """Hidden features from whole training rows, whatever is observed: the marginal law. The rival that ignores x_S."""

    background: Float[np.ndarray, "rows n"]
    name: str = "independent"

    def noise(self, s: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(len(self.background), size=s)

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, None]:
        return np.where(S[:, None, :], x, self.background[noise]), None

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """See `draw`."""
        return draw(self, X, S, n_samples, rng)


@dataclass(frozen=True, eq=False)
class Regressions:
    """Hidden features on observed ones under a covariance C, per coalition and whatever the row:

        z_u = gain x_S + root e,    gain = C_uS C_SS^-1,    root root' = C_uu - gain C_Su,    e ~ N(0, I)

    Computed once per set of coalitions and kept, oldest out first, up to `KEPT` numbers. Singular C is no obstacle.
    """

    cov: Float[np.ndarray, "n n"]
    _kept: dict[bytes, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, init=False, repr=False)

    def of(self, S: Bool[np.ndarray, "m n"]) -> tuple[Float[np.ndarray, "m n n"], Float[np.ndarray, "m n n"]]:
        """`gain` (zero but from observed to hidden) and `root` (zero but among hidden), transposed: rows times them."""
        key = S.tobytes()
        if (found := self._kept.get(key)) is None:
            found = self._computed(S)
            room = KEPT - 2 * found[0].size
            while self._kept and sum(2 * gain.size for gain, _ in list(self._kept.values())) > room:
                self._kept.pop(next(iter(self._kept), b""), None)
            self._kept[key] = found
        return found

    def complete(
        self, x: Float[np.ndarray, "m n"], S: Bool[np.ndarray, "m n"], noise: Float[np.ndarray, "s n"]
    ) -> Float[np.ndarray, "m s n"]:
        """Hidden coordinates of centred rows, one per coalition, zero where hidden; observed coordinates come out 0."""
        gain, root = self.of(S)
        return x[:, None, :] @ gain + noise @ root

    def _computed(self, S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = len(self.cov)
        sd = np.sqrt(np.diagonal(self.cov))
        scale = np.where(sd > 0, sd, 1.0)
        cor = self.cov / np.outer(scale, scale)  # what counts as singular must not hang on units
        gain, root = np.zeros((len(S), n, n)), np.zeros((len(S), n, n))
        for k, observed in enumerate(S):
            u = ~observed
            across = cor[np.ix_(observed, u)]
            to = np.linalg.lstsq(cor[np.ix_(observed, observed)], across, rcond=None)[0]
            value, vector = np.linalg.eigh(cor[np.ix_(u, u)] - to.T @ across)  # also stands singular covariances
            gain[k][np.ix_(observed, u)] = to
            root[k][np.ix_(u, u)] = (vector * np.sqrt(np.maximum(value, 0))).T
        return gain * (scale / scale[:, None]), root * scale


@dataclass(frozen=True, eq=False)
class Gaussian:
    """x ~ N(mean, cov):  hidden mean mu_u + C_uS C_SS^-1 (x_S - mu_S), covariance C_uu - C_uS C_SS^-1 C_Su.

    `quasi=False` draws plain random numbers: with true moments this is the exact sampler that others are judged by.
    """

    mean: Float[np.ndarray, " n"]
    cov: Float[np.ndarray, "n n"]
    background: Float[np.ndarray, "rows n"]
    quasi: bool = True
    name: str = "gaussian"

    @classmethod
    def fit(cls, X: Float[np.ndarray, "b n"]) -> Gaussian:
        """Sample moments; needs more rows than features."""
        if len(X) <= X.shape[1]:
            raise InputError(f"a Gaussian of {X.shape[1]} features needs more than {X.shape[1]} rows, got {len(X)}")
        return cls(X.mean(axis=0), np.cov(X.T, bias=True).reshape(X.shape[1], -1), X)

    def noise(self, s: int, seed: int) -> np.ndarray:
        n = len(self.mean)
        return np.asarray(ndtri(sobol_points(s, n, seed))) if self.quasi else _plain(s, n, seed)

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, None]:
        Z = self.regressions.complete(np.where(S, x - self.mean, 0.0), S, noise) + self.mean
        return np.where(S[:, None, :], x, Z), None

    @cached_property
    def regressions(self) -> Regressions:
        """Of the centred features on one another."""
        return Regressions(self.cov)

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """See `draw`."""
        return draw(self, X, S, n_samples, rng)


def _plain(s: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((s, n))
