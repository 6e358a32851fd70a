"""The scales of the kernel, by marginal likelihood.

    w = s beta + f,     f ~ N(0, sigma^2 K),     K = (1 - rho) k_b(s, s) + rho I,     beta without a prior

rho I is a game without structure: each pair's value by itself. beta and sigma^2 are integrated and maximised out
(restricted likelihood, Patterson & Thompson 1971; Williams & Rasmussen 1996 for its use with kernels):

    L = ((n - p) log(w' P w) + log|K| + log|s' K^-1 s|) / 2,     P = K^-1 - K^-1 s (s' K^-1 s)^-1 s' K^-1

First with one b for all players, then, with pairs enough, one each, which are drawn towards their mean:
log b_i ~ N(mean, 1).
A subset of the pairs is enough to find scales; the reading itself uses all. Several games may share their scales: each
has a sigma^2 of its own, and their L are added.
"""

from __future__ import annotations

from scipy.linalg import lapack, solve_triangular
from scipy.optimize import minimize

from ascribe.core.adjusted.cube import Cube
from ascribe.core.adjusted.unanimity import Unanimity
from ascribe.core.arrays import Float, evenly, np

__all__ = ["JITTER", "PAIRS_FOR_EACH", "Kernel", "scales"]

Kernel = Cube | Unanimity

JITTER = 1e-10
PAIRS = 8, 128, 384  # used: per player; at least; at most: more lower the error by a few per cent, and time is cubic
PAIRS_FOR_EACH = 4  # per player; with fewer, one b for all: more scales than that fit the chance in the values
STEPS = 12  # of the search for one scale, and again for one each
LOG_B, LOGIT_RHO = (np.log(1e-2), np.log(2.5)), (-14.0, 4.0)


def scales(
    kind: type[Kernel], s: Float[np.ndarray, "n p"], w: Float[np.ndarray, "n r"], steps: int = STEPS
) -> tuple[Float[np.ndarray, " p"], float]:
    """b (p,) and rho of a kind of kernel for observations w at s, one column a game. Deterministic."""
    p = s.shape[1]
    most = max(min(max(PAIRS[0] * p, PAIRS[1]), PAIRS[2]), 2 * p)
    if len(w) > most:
        some = np.append(0, 1 + evenly(len(w) - 1, most - 1))
        s, w = s[some], w[some]
    options, bounds = {"maxiter": steps}, [LOG_B, LOGIT_RHO]
    start = np.array([np.log(kind.start(p)), -4.0])
    common = minimize(_loss, start, (kind, s, w), "L-BFGS-B", jac=True, bounds=bounds, options=options).x
    if len(w) < PAIRS_FOR_EACH * p:
        return np.full(p, np.exp(common[0])), float(1 / (1 + np.exp(-common[1])))
    start, bounds = np.append(np.full(p, common[0]), common[1]), [LOG_B] * p + [LOGIT_RHO]
    each = minimize(_loss, start, (kind, s, w), "L-BFGS-B", jac=True, bounds=bounds, options=options).x
    return np.exp(each[:-1]), float(1 / (1 + np.exp(-each[-1])))


def _loss(at: np.ndarray, kind: type[Kernel], s: np.ndarray, w: np.ndarray) -> tuple[float, np.ndarray]:
    """L of all columns of w and its gradient at (log b, logit rho); one log b stands for all players."""
    (n, p), games = s.shape, w.shape[1]
    one = len(at) == 2
    b, rho = np.exp(np.full(p, at[0]) if one else at[:-1]), 1 / (1 + np.exp(-at[-1]))
    k, slope = kind(b).gram(s)
    L, fault = lapack.dpotrf((1 - rho) * k + (rho + JITTER) * np.eye(n), lower=1)
    if fault:
        return 1e10, np.zeros_like(at)
    half = lapack.dpotri(L, lower=1)[0]
    inverse = np.tril(half) + np.tril(half, -1).T
    Ks = inverse @ s
    A, fault = lapack.dpotrf(s.T @ Ks, lower=1, clean=1)
    if fault:
        return 1e10, np.zeros_like(at)
    R = solve_triangular(A, Ks.T, lower=True)
    P = inverse - R.T @ R
    alpha = P @ w
    q = np.maximum((w * alpha).sum(axis=0), np.finfo(float).tiny)
    loss = (n - p) * np.log(q).sum() / 2 + games * (np.log(np.diag(L)).sum() + np.log(np.diag(A)).sum())
    M = games * P - (alpha * ((n - p) / q)) @ alpha.T
    slope_b = (1 - rho) / 2 * slope(M) * b
    slope_rho = (np.trace(M) - (M * k).sum()) / 2 * rho * (1 - rho)
    if one:
        return loss, np.array([slope_b.sum(), slope_rho])
    apart = at[:-1] - at[:-1].mean()
    return loss + (apart**2).sum() / 2, np.append(slope_b + apart, slope_rho)
