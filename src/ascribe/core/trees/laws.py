"""What a leaf gives each of its features, by the pattern of features that a row fails: Shapley values of a product.

A leaf of value c with features j = 1..D is a game of its own:

    v(S) = c E_r prod_j (a_j if j in S else r_j),     a_j, r_j in {0, 1}: do the row and the background meet j's tests

Interventional, the law of r is counted over background rows; path-dependent, its r_j are independent with the ratios of
cover on the way as means. Either is a vector p over the 2^D patterns of failing features. The values are integrals of
derivatives of the game's multilinear extension (Owen 1972), f(t) with each j in S with chance t:

    phi_i = int_0^1 d_i f(t, .., t) dt,          phi_ij = int_0^1 d_i d_j f(t, .., t) dt     (interaction index)

polynomials in t of degree below D: ceil(D / 2) Gauss-Legendre points give them exactly. At one t, f is p through one
2 x 2 matrix a feature, and d_i a step along one axis, for all 2^D patterns of the row at once. O(D^2 2^D) in all.
"""

from __future__ import annotations

from itertools import combinations

from ascribe.core.arrays import Float, np

__all__ = ["independent", "pairs", "points", "shares"]


def points(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (0, 1) that integrate polynomials up to `degree` exactly."""
    t, w = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return (t + 1) / 2, w / 2


def independent(ratio: Float[np.ndarray, "l d"]) -> Float[np.ndarray, "l patterns"]:
    """The law of background patterns whose features meet their tests independently, with chance `ratio`."""
    p = np.ones((len(ratio), 1))
    for z in ratio.T[::-1]:  # the first feature is the lowest bit
        p = np.stack([p * z[:, None], p * (1 - z)[:, None]], axis=2).reshape(len(p), -1)
    return p


def shares(p: Float[np.ndarray, "l patterns"], d: int) -> Float[np.ndarray, "l d patterns"]:
    """phi of each of d features for a leaf of value 1, for every pattern of features that a row fails."""
    out = np.zeros((len(p), d, 2**d))
    for t, w in zip(*points(max(d - 1, 0)), strict=True):
        f = _extended(p, d, t)
        f *= w
        for i in range(d):
            out[:, i] += _derived(f, i, t)
    return out


def pairs(p: Float[np.ndarray, "l patterns"], d: int) -> Float[np.ndarray, "l pairs patterns"]:
    """phi_ij of the pairs i < j in `combinations` order, likewise."""
    both = list(combinations(range(d), 2))
    out = np.zeros((len(p), len(both), 2**d))
    for t, w in zip(*points(max(d - 2, 0)), strict=True):
        f = _extended(p, d, t)
        f *= w
        once = [_derived(f, i, t) for i in range(d)]
        for k, (i, j) in enumerate(both):
            out[:, k] += _derived(once[i], j, t)
    return out


def _extended(p: np.ndarray, d: int, t: float) -> np.ndarray:
    """f(t, .., t) by pattern of the row: along each axis  meets: p0 + t p1,   fails: (1 - t) p0."""
    f = p.copy()
    for i in range(d):
        axis = f.reshape(len(p), -1, 2, 2**i)
        axis[:, :, 0] += t * axis[:, :, 1]
        axis[:, :, 1] = (axis[:, :, 0] - t * axis[:, :, 1]) * (1 - t)
    return f


def _derived(f: np.ndarray, i: int, t: float) -> np.ndarray:
    """d_i f: along axis i  meets: p1,   fails: -p0,   from  meets: p0 + t p1,   fails: (1 - t) p0."""
    axis = f.reshape(len(f), -1, 2, 2**i)
    out = np.empty_like(axis)
    np.divide(axis[:, :, 1], t - 1, out=out[:, :, 1])
    np.add(axis[:, :, 0], out[:, :, 1], out=out[:, :, 0])
    out[:, :, 0] /= t
    return out.reshape(len(f), -1)
