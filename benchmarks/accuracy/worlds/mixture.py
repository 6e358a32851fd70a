"""Mixtures of Gaussians, some coordinates discrete: one component is the Gaussian world, eighteen the mixed one.

    x ~ sum_k p_k N(mu_k, C_k);     p_k | x_S  ∝  p_k N(x_S; mu_k,S, C_k,SS),     hidden part Gaussian given k

A discrete coordinate has no variance within a component, so observing it rules components out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from ascribe.core.conditional import Regressions
from benchmarks.accuracy.functions import Terms
from benchmarks.accuracy.worlds.noise import uniform_and_normal

__all__ = ["Mixture", "MixtureLaw"]


@dataclass(frozen=True, eq=False)
class Mixture:
    """`p (k,)`, `mean (k, n)`, `cov (k, n, n)`; `discrete (n,)`: coordinates with one value per component."""

    name: str
    p: np.ndarray
    mean: np.ndarray
    cov: np.ndarray
    discrete: np.ndarray

    @property
    def n(self) -> int:
        return self.mean.shape[1]

    def sample(self, rows: int, seed: int) -> np.ndarray:
        """Rows (rows, n) of the law."""
        rng = np.random.default_rng(seed)
        k = rng.choice(len(self.p), size=rows, p=self.p)
        e = rng.standard_normal((rows, self.n))
        root = np.array([_root(C) for C in self.cov])
        return self.mean[k] + np.einsum("bj,bij->bi", e, root[k])

    def law(self, background: np.ndarray, quasi: bool = False) -> MixtureLaw:
        """The exact conditional sampler; plain draws unless `quasi`."""
        return MixtureLaw(self, background, quasi)

    @cached_property
    def regressions(self) -> list[Regressions]:
        """Of each component's covariance; components that share one share its work."""
        known: dict[bytes, Regressions] = {}
        return [known.setdefault(C.tobytes(), Regressions(C)) for C in self.cov]

    def posterior(self, X: np.ndarray, S: np.ndarray) -> np.ndarray:
        """p_k | x_S, rows X (b, n) under one coalition S (n,): (b, k)."""
        log_p = np.tile(np.log(self.p), (len(X), 1))
        numbers, codes = S & ~self.discrete, S & self.discrete
        for k, (mu, C) in enumerate(zip(self.mean, self.cov, strict=True)):
            if numbers.any():
                L = np.linalg.cholesky(C[np.ix_(numbers, numbers)])
                z = np.linalg.solve(L, (X[:, numbers] - mu[numbers]).T)
                log_p[:, k] -= 0.5 * (z**2).sum(axis=0) + np.log(np.diag(L)).sum()
            log_p[:, k] += np.where((X[:, codes] == mu[codes]).all(axis=1), 0.0, -np.inf)
        return np.exp(log_p - logsumexp(log_p, axis=1, keepdims=True))

    def expected(self, f: object, X: np.ndarray, S: np.ndarray) -> np.ndarray | None:
        """E[f | x_S] in closed form, rows X (b, n), coalitions S (m, n) -> (b, m); None where f has none."""
        if not isinstance(f, Terms):
            return None
        V = np.empty((len(X), len(S)))
        a, b = f.pairs.T
        for c, observed in enumerate(S):
            p = self.posterior(X, observed)
            V[:, c] = 0
            for k, regress in enumerate(self.regressions):
                gain, root = (part[0] for part in regress.of(observed[None]))
                centred = np.where(observed, X - self.mean[k], 0.0)
                m = np.where(observed, X, self.mean[k] + centred @ gain)
                C = root.T @ root
                V[:, c] += p[:, k] * f.expected(m, np.diag(C), C[a, b])
        return V


@dataclass(frozen=True, eq=False)
class MixtureLaw:
    """Component by inverse distribution function of p | x_S, then the Gaussian of that component."""

    world: Mixture
    background: np.ndarray
    quasi: bool = False
    name: str = "exact"

    def noise(self, s: int, seed: int) -> np.ndarray:
        """Uniform number for the component, normal ones for the coordinates: (s, 1 + n)."""
        return uniform_and_normal(s, self.world.n, seed, self.quasi)

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, None]:
        w = self.world
        safe = np.where(S, x, 0.0)
        p = np.array([w.posterior(safe[k : k + 1], S[k])[0] for k in range(len(S))]) if len(w.p) > 1 else None
        Z = np.empty((len(S), len(noise), w.n))
        chosen = None if p is None else (noise[:, 0] > np.cumsum(p, axis=1)[:, :-1, None]).sum(axis=1)  # (m, s)
        spread: dict[int, np.ndarray] = {}
        for k, regress in enumerate(w.regressions):
            gain, root = regress.of(S)
            if id(regress) not in spread:
                spread[id(regress)] = noise[:, 1:] @ root
            at = np.where(S, x - w.mean[k], 0.0)[:, None, :] @ gain + w.mean[k]
            if chosen is None:
                Z = at + spread[id(regress)]
            else:
                of_k = chosen == k
                Z[of_k] = (np.broadcast_to(at, Z.shape)[of_k]) + spread[id(regress)][of_k]
        return np.where(S[:, None, :], x, Z), None


def _root(C: np.ndarray) -> np.ndarray:
    """The symmetric one, which is unique: eigenvectors of equal correlations are each processor's own."""
    value, vector = np.linalg.eigh(C)
    return (vector * np.sqrt(np.maximum(value, 0))) @ vector.T
