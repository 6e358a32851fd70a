"""A mixture of factor analysers: one law for all features whose every conditional is closed-form.

    p(x) = sum_c pi_c N(x; mu_c, F_c F_c' + diag D_c)                         F (c, n, l), D (c, n)

Given the observed part, with P = diag(1/D) on observed features and 0 on hidden ones, r = x - mu, I + F'PF = M = LL':

    weights   pi_c N(x_S; mu_cS, ..),   log N = -1/2 [ r'Pr - |L^-1 F'Pr|^2 + 2 sum log diag L + sum_S log D ] + const
    hidden    mean mu + F M^-1 F'P r,   covariance F M^-1 F' + diag D  =  (F L^-T)(F L^-T)' + diag D

so a conditional has the head contract of `core.mixture.Mixture` as it stands: no network, no iteration. Ghahramani &
Hinton 1996. EmSHAP's proposal starts here, and its network learns what such a mixture cannot say.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import nn

__all__ = ["FLOOR", "FactorMixture", "Head", "components_within", "factors", "fit_factor_mixture"]

Head = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]

FLOOR = 1e-3  # least variance of a score: what is left to a feature that others determine
ROWS_A_FEATURE = 8  # rows for each component and feature, at least
MOST_COMPONENTS, MOST_CELLS = 64, 640  # of components, and of components x features: an answer's cost grows with them


class FactorMixture(nn.Module):
    """`score (r, n)`, `observed (r, n)` bool -> logits (r, c), mean (r, c, n), diag (r, c, n), factor (r, c, n, l).

    Products run component by component over all rows, which is what keeps them fast.
    """

    log_pi: torch.Tensor
    mu: torch.Tensor
    psi: torch.Tensor
    loading: torch.Tensor
    identity: torch.Tensor

    def __init__(self, weight: np.ndarray, mean: np.ndarray, diag: np.ndarray, factor: np.ndarray) -> None:
        super().__init__()
        for name, held in (("log_pi", np.log(weight)), ("mu", mean), ("psi", diag), ("loading", factor)):
            self.register_buffer(name, torch.as_tensor(held, dtype=torch.float32))
        self.register_buffer("identity", torch.eye(self.rank), persistent=False)

    @property
    def c(self) -> int:
        return self.loading.shape[0]

    @property
    def rank(self) -> int:
        return self.loading.shape[2]

    def forward(self, score: torch.Tensor, observed: torch.Tensor) -> Head:
        c, n, l = self.loading.shape  # noqa: E741 - the page's letter for the rank
        seen = observed.to(self.mu.dtype)
        known = torch.where(observed, score, torch.zeros_like(score))
        P = seen / self.psi.unsqueeze(1)  # (c, r, n)
        r = known - self.mu.unsqueeze(1)
        pairs = (self.loading.unsqueeze(3) * self.loading.unsqueeze(2)).view(c, n, l * l)
        inverse, log_det = _whitener((P @ pairs).view(c, -1, l, l), self.identity)
        b = (P * r) @ self.loading  # (c, r, l)
        white = (inverse * b.unsqueeze(2)).sum(3)
        mean = self.mu.unsqueeze(1) + (inverse * white.unsqueeze(3)).sum(2) @ self.loading.transpose(1, 2)
        log_n = -0.5 * ((P * r * r).sum(2) - (white**2).sum(2) + log_det + self.psi.log() @ seen.t())
        flat = inverse.flatten(1, 2).transpose(1, 2)  # (c, l, r l)
        factor = (self.loading @ flat).view(c, n, -1, l)
        return (
            torch.log_softmax(self.log_pi + log_n.t(), dim=1),
            mean.transpose(0, 1),
            self.psi.expand(score.shape[0], c, n),
            factor.permute(2, 0, 1, 3),
        )


def _whitener(M: torch.Tensor, identity: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """L^-1 (.., l, l) and log det of I + M = L L', by elimination: graphs have no Cholesky operator."""
    l = len(identity)  # noqa: E741 - the page's letter for the rank
    rest = torch.cat([M + identity, identity.expand_as(M)], dim=-1)  # the row operations are collected on the right
    rows, log_det = [], torch.zeros_like(M[..., 0, 0])
    for _ in range(l):
        first, below = rest[..., :1, :], rest[..., 1:, :]
        pivot = first[..., 0, 0]
        log_det = log_det + pivot.log()
        rows.append(first[..., 0, -l:] * pivot.rsqrt().unsqueeze(-1))
        rest = (below - (below[..., :1] / first[..., :1]) * first)[..., 1:]
    return torch.stack(rows, dim=-2), log_det


def components_within(rows: int, n: int) -> list[int]:
    """Numbers of components worth trying: powers of two that leave each component enough rows.

    >>> components_within(15_000, 32)
    [1, 2, 4, 8, 16]
    """
    most = max(1, min(MOST_COMPONENTS, MOST_CELLS // n, rows // (ROWS_A_FEATURE * n)))
    return [2**k for k in range(int(math.log2(most)) + 1)]


def fit_factor_mixture(Z: np.ndarray, components: int, rank: int, seed: int) -> FactorMixture:
    """Expectation-maximisation over full covariances of scores `Z (rows, n)`, then each covariance as factors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture that still improves a little is good enough
        found = GaussianMixture(components, reg_covar=FLOOR, max_iter=200, random_state=seed).fit(Z.astype(float))
    parts = [factors(C, min(rank, Z.shape[1])) for C in found.covariances_]
    return FactorMixture(found.weights_, found.means_, np.stack([D for D, _ in parts]), np.stack([F for _, F in parts]))


def factors(C: np.ndarray, rank: int, rounds: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """C ~ F F' + diag D by principal factors: the leading eigenvectors of C - diag D, D what they leave."""
    D = np.maximum(0.3 * np.diag(C), FLOOR / 2)
    F = np.zeros((len(C), rank))
    for _ in range(rounds):
        value, vector = np.linalg.eigh(C - np.diag(D))
        F = vector[:, -rank:] * np.sqrt(np.maximum(value[-rank:], 0))
        D = np.maximum(np.diag(C) - (F**2).sum(axis=1), FLOOR / 2)
    return D, F
