"""Slopes of many points, a bounded number of them at a time, and their integral between two points of a row.

    integral = sum_k w_k df/dz (z0 + a_k (z1 - z0))          (b, k), for nodes a_k and weights w_k of a rule

Steps and rows are folded into one axis: a pass sees points of several steps of several rows. How a row's steps are cut
depends on nothing but their number and the point's length, so a row's sum does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ascribe.core.arrays import Float, np
from ascribe.core.gradient import Gradient

__all__ = ["around", "integral", "points_at_once", "slopes"]

NUMBERS = 1 << 18  # of the points of one pass: activations grow with them
LEAST = 16


def points_at_once(k: int) -> int:
    """Points of k numbers that one pass takes."""
    return max(LEAST, NUMBERS // max(k, 1))


def slopes(
    gradient: Gradient, Z: Float[np.ndarray, "p k"], X: Float[np.ndarray, "p n"]
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "p k"]]:
    """f and df/dz of points Z, which are those of the rows X."""
    step = points_at_once(Z.shape[1])
    parts = [gradient.slope(Z[at : at + step], X[at : at + step]) for at in range(0, max(1, len(Z)), step)]
    f, g = (np.concatenate([np.asarray(part[j], dtype=float) for part in parts]) for j in (0, 1))
    return f, g


def around(
    gradient: Gradient, Z: Float[np.ndarray, "b k"], X: Float[np.ndarray, "b n"], count: int,
    copies: Callable[[Float[np.ndarray, "r k"]], Float[np.ndarray, "r s k"]],
) -> Iterator[tuple[slice, Float[np.ndarray, "r s k"]]]:  # fmt: skip
    """Slopes at the `count` copies that `copies` makes of each point, a few rows r after the other."""
    rows = max(1, points_at_once(Z.shape[1]) // count)
    for at in range(0, len(Z), rows):
        held = slice(at, at + rows)
        made = copies(Z[held])
        g = slopes(gradient, made.reshape(-1, Z.shape[1]), np.repeat(X[held], count, axis=0))[1]
        yield held, g.reshape(made.shape)


def integral(
    gradient: Gradient, start: Float[np.ndarray, "b k"], end: Float[np.ndarray, "b k"], X: Float[np.ndarray, "b n"],
    nodes: Float[np.ndarray, " s"], weights: Float[np.ndarray, " s"],
) -> Float[np.ndarray, "b k"]:  # fmt: skip
    """The mean slope on the way from `start` to `end`, by the rule."""
    (b, k), total = start.shape, np.zeros(start.shape)
    per = points_at_once(k)
    chunk = min(len(nodes), per)
    rows = max(1, per // chunk)
    for first in range(0, b, rows):
        held = slice(first, first + rows)
        z0, span, x = start[held], end[held] - start[held], X[held]
        for at in range(0, len(nodes), chunk):
            a, w = nodes[at : at + chunk], weights[at : at + chunk]
            Z = (z0[:, None] + a[None, :, None] * span[:, None]).reshape(-1, k)
            g = np.asarray(gradient.slope(Z, np.repeat(x, len(a), axis=0))[1], dtype=float)
            total[held] += np.einsum("s,rsk->rk", w, g.reshape(len(x), len(a), k))
    return total
