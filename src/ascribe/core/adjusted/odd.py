"""`odd`: Gaussian-process regression of the odd part of a game.

    w(s) = s beta + f(s),     f ~ GP(0, sigma^2 ((1 - rho) k_b + rho 1[s = t]))

beta has no prior, so additive games come back exactly. The pair (grand, empty) is data, so efficiency is exact. With
the sections c = (1 - rho) phi[k_b(., s)] + rho q (n, p), the posterior mean and covariance of phi are

    phi = W w,     W = 2 (s' K^-1 s)^-1 s' K^-1 + c' P
    cov = sigma^2 (C - c' K^-1 c + (2 - c' K^-1 s) (s' K^-1 s)^-1 (2 - c' K^-1 s)'),     C = prior covariance of phi

0 once every pair is seen, as phi then is the full sum. sigma^2 is what leaving one out says: see `scale`.
That only odd terms matter is also what OddSHAP uses (arXiv 2602.01399); kernel, reading and errors are our own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scipy.linalg import lapack, solve_triangular
from scipy.special import gammaln

from ascribe.core.adjusted.cube import Cube
from ascribe.core.adjusted.evidence import JITTER, PAIRS_FOR_EACH, Kernel, scales
from ascribe.core.adjusted.pairs import Pairs, pairs_of
from ascribe.core.adjusted.unanimity import Unanimity
from ascribe.core.arrays import Float, np
from ascribe.core.plan import Plan, Solved

__all__ = ["Regression", "by_the_plan", "fitted", "odd", "regress", "solved", "unanimity"]

LEAST_SPARE = 3  # pairs beyond the p that the single terms take
ADDITIVE = 1e-12  # what digits leave of a sum of single terms
OPTIMISM = 0.3, 2.0  # see `scale`: with one scale for all players, with one each
PICKED = 1.5  # times that


@dataclass(frozen=True, eq=False)
class Regression:
    """One row's fit. `W (p, n)` on pairs; `alpha = P w`; `root (n, n)` and `R (p, n)` with P = root' root - R' R;
    `variance (p,)` of phi, sigma^2 being 1.
    """

    W: Float[np.ndarray, "p n"]
    alpha: Float[np.ndarray, " n"]
    root: Float[np.ndarray, "n n"]
    R: Float[np.ndarray, "p n"]
    variance: Float[np.ndarray, " p"]

    def precision(self) -> Float[np.ndarray, " n"]:
        """diag P: one over the variance of each w given all others, sigma^2 being 1."""
        return (self.root**2).sum(axis=0) - (self.R**2).sum(axis=0)

    def left_out(self) -> Float[np.ndarray, " n"]:
        """w less its prediction from all other pairs: alpha / diag P."""
        return self.alpha / self.precision()

    def without(self, group: np.ndarray) -> Float[np.ndarray, " p"]:
        """phi without those pairs, less phi: -W[:, g] P[g, g]^-1 alpha[g]."""
        root, R = self.root[:, group], self.R[:, group]
        return -self.W[:, group] @ np.linalg.solve(root.T @ root - R.T @ R, self.alpha[group])


def unstructured_variance(p: int) -> float:
    """Prior variance of phi_i where every pair's w is N(0, 1) by itself: sum over pairs of q_i^2."""
    k = np.arange(1, p + 1)
    log_comb = gammaln(p) - gammaln(k) - gammaln(p - k + 1)
    return float(4 * np.exp(log_comb + 2 * (gammaln(k) + gammaln(p - k + 1) - gammaln(p + 1))).sum())


def regress(pairs: Pairs, w: Float[np.ndarray, " n"], kernel: Kernel, rho: float) -> Regression:
    """The reading of w with given scales."""
    s, (n, p) = pairs.s, pairs.s.shape
    K = (1 - rho) * kernel.gram(s)[0]
    K[np.diag_indices(n)] += rho + JITTER
    L, fault = lapack.dpotrf(K, lower=True, clean=True, overwrite_a=True)
    if fault:
        raise np.linalg.LinAlgError("the kernel's matrix has no root")
    root, _ = lapack.dtrtri(L, lower=True, overwrite_c=True)  # K^-1 = root' root
    at_s = root @ s
    A = np.linalg.cholesky(at_s.T @ at_s)
    R = solve_triangular(A, at_s.T @ root, lower=True)
    c = (1 - rho) * kernel.section(s) + rho * pairs.q
    at_c = root @ c
    beta = solve_triangular(A, 2 * np.eye(p) - at_s.T @ at_c, lower=True)  # of 2 - s' K^-1 c
    W = beta.T @ R + at_c.T @ root
    alpha = root.T @ (root @ w) - R.T @ (R @ w)
    prior = (1 - rho) * kernel.variance() + rho * unstructured_variance(p)
    variance = np.maximum(prior - (at_c**2).sum(axis=0) + (beta**2).sum(axis=0), 0)
    return Regression(W, alpha, root, R, variance)


def fitted(kind: type[Kernel], pairs: Pairs, w: Float[np.ndarray, " n"]) -> Regression | None:
    """The reading with scales from the same values; None where they are too few for more than single terms."""
    s, (n, p) = pairs.s, pairs.s.shape
    if n < p + LEAST_SPARE or not np.isfinite(w).all():
        return None
    rest = w - s @ np.linalg.lstsq(s, w, rcond=None)[0]  # P w = P rest, with more digits
    size = np.abs(rest).max()
    try:
        if size <= ADDITIVE * np.abs(w).max():
            return regress(pairs, 0 * w, kind(np.full(p, kind.start(p))), 0.5)
        b, rho = scales(kind, s, rest[:, None] / size)
        return regress(pairs, rest, kind(b), rho)
    except np.linalg.LinAlgError:  # no digits left
        return None


def solved(pairs: Pairs, found: Regression, name: str, picked: bool = False) -> Solved:
    """A regression as the answer for the plan's row."""
    W = found.W + (2 * (np.arange(len(pairs.s)) == 0) - found.W.sum(axis=0)) / len(found.W)  # efficiency's last digits
    return Solved(pairs.on_values(W), deviations(pairs, found, picked), name)


def by_the_plan(plan: Plan, v: Float[np.ndarray, " m"]) -> Solved:
    """The plan's own matrix, which is that of weighted least squares (`kernel`)."""
    return replace(plan.solved(v), estimator="kernel")


def odd(plan: Plan, v: Float[np.ndarray, " m"]) -> Solved:
    """Read one row; where there are too few pairs, through the plan's own matrix."""
    pairs = pairs_of(plan)
    found = fitted(Cube, pairs, pairs.odd(v))
    return by_the_plan(plan, v) if found is None else solved(pairs, found, "odd")


def unanimity(plan: Plan, v: Float[np.ndarray, " m"]) -> Solved:
    """The same with the kernel of games that need several players at once."""
    pairs = pairs_of(plan)
    found = fitted(Unanimity, pairs, pairs.odd(v))
    return by_the_plan(plan, v) if found is None else solved(pairs, found, "unanimity")


def scale(pairs: Pairs, found: Regression, picked: bool) -> float:
    """sigma^2: geometric mean of two averages of z^2 = (left-out error)^2 / (its variance, sigma^2 being 1),

        plain;   and by a = (1/share - 1) sum_i q_i^2 / diag P: what pairs like this one that were not drawn do to phi

    times 1 + OPTIMISM p / (n - p), for the scales were chosen on the same values (`picked`: the kernel too). OPTIMISM
    is measured: 12 players, networks and boosted trees, 40 to 512 coalitions.
    """
    n, p = pairs.s.shape
    precision = found.precision()
    z2 = found.alpha**2 / precision
    a = (1 / pairs.share - 1) * (pairs.q**2).sum(axis=1) / precision
    plain = z2[1:].mean()
    unseen = (a * z2).sum() / a.sum() if a.any() else plain
    optimism = OPTIMISM[n >= PAIRS_FOR_EACH * p] * (PICKED if picked else 1)
    return float(np.sqrt(plain * unseen)) * (1 + optimism * p / (n - p))


def deviations(pairs: Pairs, found: Regression, picked: bool) -> Float[np.ndarray, "g p"]:
    """Errors from leaving out groups of pairs, each player's scaled to its posterior variance."""
    moved = np.array([found.without(group) for group in pairs.groups()])
    size = np.sqrt((moved**2).sum(axis=0))
    se = np.sqrt(found.variance * scale(pairs, found, picked))
    return moved * np.divide(se, size, out=np.zeros_like(size), where=size > 0)
