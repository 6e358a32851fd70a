"""A mixture of factor analysers: one law for all features whose every conditional is closed-form.

    p(z) = sum_c pi_c N(z; mu_c, F_c F_c' + diag psi_c)

Given the observed scores, with P = diag(1/psi) on observed features and 0 on hidden ones, r = z - mu, I + F'PF = LL':

    weights   pi_c N(z_S; mu_cS, ..),   log N = -1/2 [ r'Pr - |L^-1 F'Pr|^2 + 2 sum log diag L + sum_S log psi ] + const
    hidden    mean mu + G L^-1 F'P r,  factor G = F L^-T,  diagonal psi

Ghahramani & Hinton 1996. G, L and the determinants depend on the coalition alone: with fixed coalitions they are
constants of a compiled graph, and what is left for a row is r'Pr and two products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.mixture import Mixture

__all__ = ["FactorMixture", "Regression"]

PARTS = ("log_pi", "mu", "psi", "loading")


@dataclass(frozen=True, eq=False)
class Regression:
    """What of the conditionals depends on the coalition alone: factors `G (m, c, n, l)`, `white (m, c, l, n)` =
    L^-1 F'P (0 at hidden features), `log_norm (m, c)` = log pi - 1/2 [ 2 sum log diag L + sum_S log psi ].
    """

    G: Float[np.ndarray, "m c n l"]
    white: Float[np.ndarray, "m c l n"]
    log_norm: Float[np.ndarray, "m c"]


@dataclass(frozen=True, eq=False)
class FactorMixture:
    """`log_pi (c,)`, `mu (c, n)`, `psi (c, n)`, `loading (c, n, l)`, in scores."""

    log_pi: Float[np.ndarray, " c"]
    mu: Float[np.ndarray, "c n"]
    psi: Float[np.ndarray, "c n"]
    loading: Float[np.ndarray, "c n l"]

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file; `FactorMixture.of(arrays)` is the way back."""
        return {name: getattr(self, name) for name in PARTS}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> FactorMixture:
        """Raises KeyError where an array is missing."""
        return cls(*(np.asarray(arrays[name], dtype=float) for name in PARTS))

    def regression(self, S: Bool[np.ndarray, "m n"]) -> Regression:
        """The constants of coalitions S."""
        seen = S[:, None, :].astype(float)
        P = seen / self.psi  # (m, c, n)
        M = np.einsum("mcn,cnl,cnk->mclk", P, self.loading, self.loading, optimize=True)
        L = np.linalg.cholesky(M + np.eye(M.shape[-1]))
        inverse = np.linalg.inv(L)
        white = (inverse @ np.swapaxes(self.loading, 1, 2)) * P[:, :, None, :]
        log_det = 2 * np.log(np.diagonal(L, axis1=2, axis2=3)).sum(axis=2)
        log_norm = self.log_pi - 0.5 * (log_det + (seen * np.log(self.psi)).sum(axis=2))
        return Regression(self.loading @ np.swapaxes(inverse, 2, 3), white, log_norm)

    def __call__(self, score: Float[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"]) -> Mixture:
        """The conditional of each row under its coalition: what a proposal answers, single but for the logits."""
        given = self.regression(observed)
        r = np.where(observed[:, None, :], np.asarray(score, dtype=float)[:, None, :] - self.mu, 0.0)
        white = np.einsum("mcln,mcn->mcl", given.white, r)
        logits = given.log_norm - 0.5 * ((r**2 / self.psi).sum(axis=2) - (white**2).sum(axis=2))
        mean = self.mu + np.einsum("mcnl,mcl->mcn", given.G, white)
        single = np.float32
        diag = np.broadcast_to(self.psi.astype(single), mean.shape)
        return Mixture(logits, mean.astype(single), diag, given.G.astype(single))
