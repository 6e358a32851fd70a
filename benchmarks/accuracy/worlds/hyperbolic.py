"""Generalised hyperbolic features: heavy, skewed tails that all coordinates share.

    X = mu + W beta + sqrt(W) N(0, Sigma),    W ~ GIG(lambda, chi, psi): density ∝ w^(lambda-1) exp(-(chi/w + psi w)/2)
    W | x_S ~ GIG(lambda - |S|/2,  chi + d' Sigma_SS^-1 d,  psi + beta_S' Sigma_SS^-1 beta_S),    d = x_S - mu_S

and the hidden part is Gaussian given W, of mean mu_u + W beta_u + gain (d - W beta_S) and covariance W Sigma_u|S.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import geninvgauss

from ascribe.core.conditional import Regressions
from benchmarks.accuracy.functions import Terms
from benchmarks.accuracy.worlds.noise import uniform_and_normal

__all__ = ["Hyperbolic", "HyperbolicLaw"]

NODES, REACH = 257, 10.0  # of log W: nodes, and how far they go, in its own spread


@dataclass(frozen=True, eq=False)
class Hyperbolic:
    """`index` is lambda; chi = psi = `omega`."""

    name: str
    index: float
    omega: float
    mu: np.ndarray
    sigma: np.ndarray
    beta: np.ndarray

    @property
    def n(self) -> int:
        return len(self.mu)

    def sample(self, rows: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        w = geninvgauss(p=self.index, b=self.omega).rvs(rows, random_state=rng)[:, None]
        e = rng.standard_normal((rows, self.n)) @ np.linalg.cholesky(self.sigma).T
        return self.mu + w * self.beta + np.sqrt(w) * e

    def law(self, background: np.ndarray, quasi: bool = False) -> HyperbolicLaw:
        """The exact conditional sampler; plain draws unless `quasi`."""
        return HyperbolicLaw(self, background, quasi)

    @cached_property
    def regressions(self) -> Regressions:
        return Regressions(self.sigma)

    def mixing(self, X: np.ndarray, S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W | x_S on a grid even in log W: nodes and their shares, both (m, NODES); x_S of row k under S[k]."""
        chi, psi = np.full(len(S), self.omega), np.full(len(S), self.omega)
        for k, (x, observed) in enumerate(zip(X, S, strict=True)):
            if observed.any():
                d, beta = (x - self.mu)[observed], self.beta[observed]
                both = np.linalg.solve(self.sigma[np.ix_(observed, observed)], np.column_stack([d, beta]))
                chi[k] += d @ both[:, 0]
                psi[k] += beta @ both[:, 1]
        index = self.index - S.sum(axis=1) / 2
        bend = np.sqrt(index**2 + chi * psi)  # minus the second derivative of the log density of log W at its mode
        mode = np.log((index + bend) / psi) if (index + bend > 0).all() else np.log(chi / (bend - index))
        u = mode[:, None] + np.linspace(-REACH, REACH, NODES) / np.sqrt(bend)[:, None]
        log_p = index[:, None] * u - 0.5 * (chi[:, None] * np.exp(-u) + psi[:, None] * np.exp(u))
        p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        return np.exp(u), p / p.sum(axis=1, keepdims=True)

    def expected(self, f: object, X: np.ndarray, S: np.ndarray) -> np.ndarray | None:
        """E[f | x_S], rows X (b, n), coalitions S (m, n) -> (b, m); a sum over W. None where f has no closed form."""
        if not isinstance(f, Terms):
            return None
        V = np.empty((len(X), len(S)))
        a, b = f.pairs.T
        for c, observed in enumerate(S):
            w, p = self.mixing(X, np.tile(observed, (len(X), 1)))
            gain, root = (part[0] for part in self.regressions.of(observed[None]))
            C = root.T @ root
            at = self.mu + w[:, :, None] * self.beta  # (b, nodes, n)
            m = np.where(observed, X[:, None, :], at + np.where(observed, X[:, None, :] - at, 0.0) @ gain)
            V[:, c] = (p * f.expected(m, w[:, :, None] * np.diag(C), w[:, :, None] * C[a, b])).sum(axis=1)
        return V


@dataclass(frozen=True, eq=False)
class HyperbolicLaw:
    """W by its inverse distribution function on the grid, then the Gaussian given W."""

    world: Hyperbolic
    background: np.ndarray
    quasi: bool = False
    name: str = "exact"

    def noise(self, s: int, seed: int) -> np.ndarray:
        """Uniform number for W, normal ones for the coordinates: (s, 1 + n)."""
        return uniform_and_normal(s, self.world.n, seed, self.quasi)

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, None]:
        world = self.world
        nodes, p = world.mixing(np.tile(np.where(S.any(axis=0), x, 0.0), (len(S), 1)), S)
        edge = np.cumsum(p, axis=1) - 0.5 * p  # node k stands in the middle of its share
        log_w = np.array([np.interp(noise[:, 0], e, np.log(u)) for e, u in zip(edge, nodes, strict=True)])
        w = np.exp(log_w)[:, :, None]
        gain, root = world.regressions.of(S)
        # hidden = mu_u + W beta_u + (d - W beta_S) gain: linear in W, so two vectors per coalition
        fixed = np.where(S, x - world.mu, 0.0)[:, None, :] @ gain + world.mu
        slope = world.beta - (np.where(S, world.beta, 0.0)[:, None, :] @ gain)
        Z = fixed + w * slope + np.sqrt(w) * (noise[:, 1:] @ root)
        return np.where(S[:, None, :], x, Z), None
