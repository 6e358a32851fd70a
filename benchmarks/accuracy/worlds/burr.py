"""Burr features: a hidden gamma variable moves all coordinates, whose margins differ.

V ~ Gamma(kappa, 1),  Z_j ~ Exp(1),  x_j = (Z_j / (r_j V))^(1/b_j);      V | x_S ~ Gamma(kappa + |S|, rate A),
A = 1 + sum_S r_j x_j^b_j,   hidden coordinates independent given V.     Olsen, Glad, Jullum, Aas 2022
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import gammaincinv, gammaln

from ascribe.core.noise import sobol_points
from benchmarks.accuracy.functions import Terms

__all__ = ["Burr", "BurrLaw", "BurrResponse"]

LOG_V = np.linspace(-36.0, 8.0, 441)  # grid of log V: a trapezoid rule, whose error falls exponentially
LOG_Z = np.linspace(-34.0, 4.0, 153)
P_Z = np.exp(LOG_Z - np.exp(LOG_Z)) / np.exp(LOG_Z - np.exp(LOG_Z)).sum()


@dataclass(frozen=True, eq=False)
class BurrResponse:
    """Per block of five:  c1 sin(pi u1 u2) + c2 u3 exp(c3 u4 u5),   u_j = 1 - (1 + r_j x_j^b_j)^-kappa.

    `c (blocks, 3)`, `r`, `b` (n,).
    """

    kappa: float
    r: np.ndarray
    b: np.ndarray
    c: np.ndarray

    def u(self, X: np.ndarray) -> np.ndarray:
        """Uniform by itself under the law; completions of other laws below 0 count as 0."""
        return 1 - (1 + self.r * np.maximum(X, 0.0) ** self.b) ** -self.kappa

    def __call__(self, X: np.ndarray) -> np.ndarray:
        u = self.u(np.asarray(X, dtype=float)).reshape(len(X), -1, 5)
        c1, c2, c3 = self.c.T
        return (
            c1 * np.sin(np.pi * u[:, :, 0] * u[:, :, 1])
            + c2 * u[:, :, 2] * np.exp(c3 * u[:, :, 3] * u[:, :, 4])
        ).sum(axis=1)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Burr:
    """`r`, `b` (n,)."""

    name: str
    kappa: float
    r: np.ndarray
    b: np.ndarray

    @property
    def n(self) -> int:
        return len(self.r)

    def sample(self, rows: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        v = rng.gamma(self.kappa, size=(rows, 1))
        return (rng.exponential(size=(rows, self.n)) / (self.r * v)) ** (1 / self.b)

    def law(self, background: np.ndarray, quasi: bool = False) -> BurrLaw:
        """The exact conditional sampler; plain draws unless `quasi`."""
        return BurrLaw(self, background, quasi)

    def rate(self, X: np.ndarray, S: np.ndarray) -> np.ndarray:
        """A of rows X (b, n) under coalitions S (m, n): (b, m)."""
        return 1 + np.where(S, self.r * np.where(S, X[:, None, :], 0.0) ** self.b, 0.0).sum(axis=2)

    def expected(self, f: object, X: np.ndarray, S: np.ndarray) -> np.ndarray | None:
        """E[f | x_S] (b, m): sums of single features in closed form, `BurrResponse` by quadrature; else None."""
        if isinstance(f, BurrResponse):
            return self._response(f, X, S)
        if not isinstance(f, Terms) or len(f.pairs) or f.cosine:
            return None
        k, A = (self.kappa + S.sum(axis=1))[:, None], self.rate(X, S)[:, :, None]
        t = 1 / self.b
        log_mean = gammaln(1 + t) + gammaln(k - t) - gammaln(k) + t * np.log(A / self.r)
        return f.intercept + np.where(S, X[:, None, :], np.exp(log_mean)) @ f.beta

    def _response(self, f: BurrResponse, X: np.ndarray, S: np.ndarray) -> np.ndarray:
        """Given V every term is an integral over one or two Z, the same for all rows and coalitions but for what is
        observed; then one over V.
        """
        hidden_u = 1 - (1 + np.exp(LOG_Z - LOG_V[:, None])) ** -self.kappa  # (V, Z)
        mean_u = hidden_u @ P_Z
        u = f.u(X)  # (b, n)
        log_p = (self.kappa + S.sum(axis=1))[None, :, None] * LOG_V - self.rate(X, S)[:, :, None] * np.exp(LOG_V)
        p = np.exp(log_p - log_p.max(axis=2, keepdims=True))
        p /= p.sum(axis=2, keepdims=True)  # (b, m, V)
        V = np.zeros((len(X), len(S)))
        for block, (c1, c2, c3) in enumerate(f.c):
            i, j, k, fourth, fifth = range(5 * block, 5 * block + 5)
            for both, scale, mean in (((i, j), c1, None), ((fourth, fifth), c2, k)):
                g = _sine if mean is None else partial(_growth, c3)
                tables = _pair(g, u[:, both[0]], u[:, both[1]], hidden_u)  # keyed by what is observed
                for seen, table in tables.items():
                    at = (S[:, both[0]] == seen[0]) & (S[:, both[1]] == seen[1])
                    if not at.any():
                        continue
                    weight = p[:, at]
                    if mean is None:
                        V[:, at] += scale * np.einsum("bmv,bv->bm", weight, table)
                        continue
                    third = np.einsum("bmv,bv->bm", weight, table) * u[:, k : k + 1]
                    hidden = np.einsum("bmv,bv->bm", weight, table * mean_u)
                    V[:, at] += scale * np.where(S[at, k], third, hidden)
        return V


def _sine(t: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * t)


def _growth(c: float, t: np.ndarray) -> np.ndarray:
    return np.exp(c * t)


def _pair(
    g: Callable[[np.ndarray], np.ndarray], first: np.ndarray, second: np.ndarray, hidden_u: np.ndarray
) -> dict[tuple[bool, bool], np.ndarray]:
    """E[g(u_1 u_2) | V] (b, V) for each choice of what is observed."""
    both = np.einsum("vyz,y,z->v", g(hidden_u[:, :, None] * hidden_u[:, None, :]), P_Z, P_Z)
    one = [np.einsum("bvz,z->bv", g(c[:, None, None] * hidden_u), P_Z) for c in (first, second)]
    shape = (len(first), len(hidden_u))
    return {
        (False, False): np.broadcast_to(both, shape),
        (True, False): one[0],
        (False, True): one[1],
        (True, True): np.broadcast_to(g(first * second)[:, None], shape),
    }


@dataclass(frozen=True, eq=False)
class BurrLaw:
    """V by its inverse distribution function, the hidden coordinates by theirs."""

    world: Burr
    background: np.ndarray
    quasi: bool = False
    name: str = "exact"

    def noise(self, s: int, seed: int) -> np.ndarray:
        """Gamma variables for each size of S, then exponential ones: (s, n + 1 + n)."""
        n, kappa = self.world.n, self.world.kappa
        u = sobol_points(s, 1 + n, seed) if self.quasi else np.random.default_rng(seed).random((s, 1 + n))
        return np.column_stack([gammaincinv(kappa + np.arange(n + 1), u[:, :1]), -np.log1p(-u[:, 1:])])

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, None]:
        n = self.world.n
        v = noise[:, : n + 1].T[S.sum(axis=1)] / self.world.rate(x[None], S).T  # (m, s)
        Z = (noise[:, n + 1 :] / (self.world.r * v[:, :, None])) ** (1 / self.world.b)
        return np.where(S[:, None, :], x, Z), None
