"""Components that share everything but their scale: a normal variance-mean mixture, heavy and skewed tails in all
features at once.

    p(z) = sum_c pi_c N(z; mu + w_c beta, w_c Sigma)              mu, beta (n,), Sigma (n, n); w, pi (c,);  sum pi w = 1

Student's t, hyperbolic and Laplace laws are of this kind with a density of w in place of the sum; how far a row is out
in its observed features tells how far it is out in the hidden ones, which no single Gaussian says. By expectation and
conditional maximisation, with r_ic the share of component c in row i, d = z - mu, m() the mean over rows, and
u_i = sum_c r_ic / w_c, e_i = sum_c r_ic w_c:

    w_c   = 2 Q / (n + sqrt(n^2 + 4 B Q)),    Q = sum_i r_ic d'Sigma^-1 d / sum_i r_ic,    B = beta'Sigma^-1 beta
    beta  = (m(z) - m(u z)/m(u)) / (m(e) - 1/m(u)),    mu = (m(u z) - beta)/m(u),    Sigma = m(u d d') - m(e) beta beta'

As many parameters as one Gaussian of all features has, but for w, pi and beta. Barndorff-Nielsen, Kent, Sorensen 1982
(the family); McNeil, Frey, Embrechts 2005, section 3.2.4 (the steps, there for one density of w).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from ascribe.train.emshap.factor_mixture import FLOOR, FactorMixture, factors

__all__ = ["SCALES", "fit_shared_scale"]

SCALES = 8  # components: ten hyperbolic features are .02 nats a row from the truth, by four .11, by sixteen .01
SPREAD = 6  # octaves of w, up and down, that the first guess covers
ROUNDS, ENOUGH = 200, 1e-4  # steps at most; nats a row that a step must gain
RARE = 1e-4  # a component of less weight is left out


def fit_shared_scale(Z: np.ndarray, components: int, rank: int) -> FactorMixture:
    """Fitted on scores `Z (rows, n)`; no randomness. At most `components`, each F F' + diag D of rank `rank`."""
    Z = Z.astype(float)
    n = Z.shape[1]
    w, pi = 2.0 ** np.linspace(-SPREAD, SPREAD, components), np.full(components, 1 / components)
    mean, mu = Z.mean(axis=0), np.median(Z, axis=0)
    beta, sigma = mean - mu, np.cov(Z.T).reshape(n, n) + FLOOR * np.eye(n)
    before = -np.inf
    for _ in range(ROUNDS):
        L = np.linalg.cholesky(sigma)
        d, b = solve_triangular(L, (Z - mu).T, lower=True), solve_triangular(L, beta, lower=True)
        Q, B = (d**2).sum(axis=0), b @ b
        log_p = np.log(pi) - 0.5 * (Q[:, None] / w - 2 * (b @ d)[:, None] + w * B + n * np.log(2 * math.pi * w))
        log_row = logsumexp(log_p, axis=1)
        now = log_row.mean() - np.log(np.diag(L)).sum()
        if now - before < ENOUGH:
            break
        before = now
        r = np.exp(log_p - log_row[:, None])
        pi = np.maximum(r.mean(axis=0), 1e-9)
        Q = Q @ r / (len(Z) * pi)
        w = np.maximum(2 * Q / (n + np.sqrt(n**2 + 4 * B * Q)), 1e-6)
        u, e = r @ (1 / w), (r @ w).mean()
        weighed = (u[:, None] * Z).mean(axis=0)
        beta = (mean - weighed / u.mean()) / max(e - 1 / u.mean(), 1e-9)  # 0 / 0 where all rows have one scale
        mu = (weighed - beta) / u.mean()
        d = Z - mu
        sigma = (u[:, None] * d).T @ d / len(Z) - e * np.outer(beta, beta)
        pi = pi / pi.sum()
        unit = pi @ w
        w, beta, sigma = w / unit, beta * unit, (sigma + sigma.T) * (unit / 2) + FLOOR * np.eye(n)
    kept = pi > RARE
    w, pi = w[kept, None], pi[kept] / pi[kept].sum()
    D, F = factors(sigma, min(rank, n))
    return FactorMixture(pi, mu + w * beta, np.maximum(w * D, FLOOR / 2), np.sqrt(w)[:, :, None] * F)
