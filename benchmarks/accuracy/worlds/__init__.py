"""Laws of features whose conditionals are known exactly, by name: what the truth is computed from.

A world has `n`, `sample(rows, seed)`, `law(background, quasi)` (the exact conditional sampler) and
`expected(f, X, S)` (E[f | x_S] in closed form, or None).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ascribe.core.conditional import Conditional
from benchmarks.accuracy.worlds.burr import Burr, BurrResponse
from benchmarks.accuracy.worlds.hyperbolic import Hyperbolic
from benchmarks.accuracy.worlds.mixture import Mixture

__all__ = [
    "Burr", "BurrResponse", "Hyperbolic", "Mixture", "World",
    "burr", "clusters", "gaussian", "mixed", "skewed", "twins",
]  # fmt: skip


class World(Protocol):
    """See the module."""

    @property
    def name(self) -> str: ...

    @property
    def n(self) -> int: ...

    def sample(self, rows: int, seed: int) -> np.ndarray: ...

    def law(self, background: np.ndarray, quasi: bool = False) -> Conditional: ...

    def expected(self, f: Any, X: np.ndarray, S: np.ndarray) -> np.ndarray | None: ...


def equicorrelated(n: int, rho: float) -> np.ndarray:
    return np.full((n, n), rho) + (1 - rho) * np.eye(n)


def gaussian(n: int, rho: float) -> Mixture:
    """N(0, C), unit variances, all correlations rho."""
    return Mixture(
        f"gaussian{n}_rho{rho:g}", np.ones(1), np.zeros((1, n)), equicorrelated(n, rho)[None], np.zeros(n, bool)
    )


def twins(c: float, n: int = 3) -> Mixture:
    """Half N(-mu, C), half N(mu, C), mu = c (1, -.5, 1), correlations .2: recipes E3 and F3."""
    mu = c * np.array([1.0, -0.5, 1.0])
    C = np.tile(equicorrelated(n, 0.2), (2, 1, 1))
    return Mixture(f"twins_c{c:g}", np.full(2, 0.5), np.stack([-mu, mu]), C, np.zeros(n, bool))


def clusters(n: int = 8, k: int = 3) -> Mixture:
    """Three Gaussians with their own means, scales and correlations."""
    rng = np.random.default_rng(11)
    mean = rng.normal(0, 1.5, (k, n))
    factor = rng.standard_normal((k, n, 2)) * 0.7
    cov = factor @ factor.transpose(0, 2, 1) + 0.3 * np.eye(n)
    return Mixture(f"clusters{n}", np.array([0.5, 0.3, 0.2]), mean, cov, np.zeros(n, bool))


def mixed() -> Mixture:
    """A class (3 values), two categorical features (3 and 2 values) that depend on it, four continuous that depend on
    all three: 18 components, whose first three coordinates are codes.
    """
    rng = np.random.default_rng(12)
    cells = np.array([(c, a, b) for c in range(3) for a in range(3) for b in range(2)])
    of_class = np.array([0.5, 0.3, 0.2])
    of_a = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6]])
    of_b = np.array([[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]])
    c, a, b = cells.T
    p = of_class[c] * of_a[c, a] * of_b[c, b]
    shift = rng.normal(0, 1.2, (3, 4))[c] + rng.normal(0, 0.7, (3, 4))[a] + rng.normal(0, 0.7, (2, 4))[b]
    factor = rng.standard_normal((3, 4, 1)) * 0.8
    inner = (factor @ factor.transpose(0, 2, 1) + 0.4 * np.eye(4))[c]
    cov = np.zeros((18, 7, 7))
    cov[:, 3:, 3:] = inner
    return Mixture("mixed7", p, np.column_stack([cells, shift]), cov, np.arange(7) < 3)


def burr(n: int = 10, kappa: float = 1.5) -> tuple[Burr, BurrResponse]:
    """The Burr world and its response; parameters drawn from the published ranges."""
    rng = np.random.default_rng(13)
    b, r = rng.choice(np.arange(2, 6.25, 0.25), n), rng.choice(np.arange(1, 5.25, 0.25), n)
    c = rng.choice(np.arange(0.1, 2.05, 0.1), (n // 5, 3))
    return Burr(f"burr{n}", kappa, r, b), BurrResponse(kappa, r, b, c)


def skewed() -> Hyperbolic:
    """The ten-dimensional generalised hyperbolic law of recipe D10."""
    sigma = np.diag([1.0, 2, 3, 1, 2, 3, 1, 2, 3, 3])
    return Hyperbolic("hyperbolic10", 1.0, 0.5, np.full(10, 3.0), sigma, np.repeat([1.0, 0.5], 5))
