"""Mixture of low-rank-plus-diagonal Gaussians over the hidden features.

    q(x_u | x_S) = sum_c pi_c N(x_u; mu_c[u], F_c[u] F_c[u]' + diag D_c[u])

Marginalising a Gaussian drops coordinates: hidden ones keep their mean, diagonal and factor rows, observed ones vanish.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import logsumexp, ndtri

from ascribe.core.arrays import Bool, Float, np

__all__ = ["Mixture"]

FEW = 8  # components, to which all noise goes through each of them


@dataclass(frozen=True, eq=False)
class Mixture:
    """One mixture for each of `m` coalitions; `c` components, factors of rank `l`."""

    logits: Float[np.ndarray, "m c"]
    mean: Float[np.ndarray, "m c n"]
    diag: Float[np.ndarray, "m c n"]
    factor: Float[np.ndarray, "m c n l"]

    @property
    def weights(self) -> Float[np.ndarray, "m c"]:
        """pi: softmax of the logits."""
        e = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def moments(self) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "m n"]]:
        """Mean and variance of each feature under the mixture."""
        pi = self.weights[:, :, None]
        mean = (pi * self.mean).sum(axis=1)
        variance = self.diag + (self.factor**2).sum(axis=3)
        return mean, (pi * (variance + self.mean**2)).sum(axis=1) - mean**2

    def draw(self, noise: Float[np.ndarray, "s w"]) -> Float[np.ndarray, "m s n"]:
        """One draw per coalition and noise row; `w = 1 + l + n`.

        j = inverse CDF of pi at the first number;  z = mu_j + F_j eps + sqrt(D_j) delta  with the others through the
        normal quantile.
        """
        rank = self.factor.shape[3]
        normal = ndtri(noise[:, 1:]).astype(self.mean.dtype)
        eps, delta = normal[:, :rank], normal[:, rank:]
        edges = np.cumsum(self.weights, axis=1)[:, :-1]
        j = (noise[:, 0] > edges[:, :, None]).sum(axis=1)  # (m, s)
        at = np.arange(len(self.mean))[:, None]
        z = np.sqrt(self.diag)[at, j] * delta
        z += self.mean[at, j]
        if self.factor.shape[1] <= FEW:
            for c in range(self.factor.shape[1]):  # all noise through each component: one product each
                np.add(z, eps @ np.swapaxes(self.factor[:, c], 1, 2), out=z, where=(j == c)[..., None])
            return z
        for l in range(rank):  # noqa: E741 - a gather for each factor: the cost does not grow with the components
            z += self.factor[:, :, :, l][at, j] * eps[:, None, l]
        return z

    def log_density(self, z: Float[np.ndarray, "m n"], hidden: Bool[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
        """log q(z_u | x_S); with r = z - mu on hidden coordinates, M = I + F'D^-1 F, c = F'D^-1 r:

        log N = -1/2 [ r'D^-1 r - c'M^-1 c + log det M + sum log D + |u| log 2 pi ]
        """
        h = hidden[:, None, :]
        D = np.where(h, self.diag, 1.0).astype(float)
        F = np.where(h[..., None], self.factor, 0.0).astype(float)
        r = np.where(h, np.where(hidden, z, 0.0)[:, None] - self.mean, 0.0)
        scaled = F / D[..., None]
        M = np.eye(F.shape[3]) + np.swapaxes(scaled, 2, 3) @ F
        c = np.einsum("mcnl,mcn->mcl", scaled, r)
        quadratic = (r**2 / D).sum(2) - (c * np.linalg.solve(M, c[..., None])[..., 0]).sum(2)
        log_det = np.linalg.slogdet(M)[1] + np.log(D).sum(2)
        log_normal = -0.5 * (quadratic + log_det + hidden.sum(1)[:, None] * np.log(2 * np.pi))
        logits = self.logits.astype(float)  # the difference is exactly 0 where nothing is hidden
        return np.asarray(logsumexp(logits + log_normal, axis=1) - logsumexp(logits, axis=1))
