"""The Gaussian copula: empirical margins, normal dependence.

    z_j = Phi^-1(F_j(x_j)),   z ~ N(0, C),   hidden  z_u | z_S  as of a Gaussian,   x_j = F_j^-1(Phi(z_j))

Aas, Jullum, Loland 2021. Exact where the dependence is normal, whatever the margins are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from scipy.special import ndtri

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.conditional import Regressions, draw
from ascribe.core.errors import InputError
from ascribe.core.noise import plain_points, sobol_points
from ascribe.core.scaling import Scores, fit_scores

__all__ = ["GaussianCopula"]


@dataclass(frozen=True, eq=False)
class GaussianCopula:
    """`scores`: the margins; `correlation (n, n)`: of normal scores. `quasi`: completions from a Sobol' net, less error
    and error bars that are too wide; or independent points.

    >>> rows = np.random.default_rng(0).standard_normal((500, 2)) @ np.array([[1.0, 1.0], [0.0, 0.5]])
    >>> law = GaussianCopula.fit(np.exp(rows))
    >>> law.correlation.round(1).tolist()
    [[1.0, 0.9], [0.9, 1.0]]
    """

    scores: Scores
    correlation: Float[np.ndarray, "n n"]
    background: Float[np.ndarray, "rows n"]
    quasi: bool = True
    name: str = "copula"

    @classmethod
    def fit(cls, X: Float[np.ndarray, "b n"], seed: int = 0) -> GaussianCopula:
        """Margins by `fit_scores`, C the correlation of the scores; `seed` spreads values that many rows share.

        A constant feature is uncorrelated with all others and stays constant. Raises InputError without rows.
        """
        X = np.asarray(X, dtype=float)
        if not len(X):
            raise InputError("a copula needs rows to be fitted on: none given")
        scores = fit_scores(X)
        Z = scores.randomise(X, np.random.default_rng(seed)).astype(float)
        Z -= Z.mean(axis=0)
        cov = Z.T @ Z / len(X)
        sd = np.sqrt(np.diag(cov))
        constant = (X[0] == X).all(axis=0) | (sd == 0)
        scale = np.where(constant, 1.0, sd)
        C = np.where(constant | constant[:, None], 0.0, cov / np.outer(scale, scale))
        np.fill_diagonal(C, 1.0)
        return cls(scores, C, X)

    @cached_property
    def regressions(self) -> Regressions:
        """Of normal scores on one another."""
        return Regressions(self.correlation)

    def noise(self, s: int, seed: int) -> np.ndarray:
        points = sobol_points if self.quasi else plain_points
        return np.asarray(ndtri(points(s, len(self.correlation), seed)))

    def complete(
        self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"], noise: np.ndarray
    ) -> tuple[np.ndarray, None]:
        z = np.where(S, self.scores.forward(x), 0.0).astype(float)
        Z = self.scores.inverse(self.regressions.complete(z, S, noise))
        return np.where(S[:, None, :], x, Z), None

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """See `conditional.draw`."""
        return draw(self, X, S, n_samples, rng)
