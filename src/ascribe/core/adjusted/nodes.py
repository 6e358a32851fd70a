"""What the kernels on coalitions share: how to integrate 1/|T| = int_0^1 u^(|T|-1) du, and the type of a slope."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ascribe.core.arrays import np

__all__ = ["Slope", "nodes"]

Slope = Callable[[np.ndarray], np.ndarray]
"""M (n, n), symmetric, M s = 0 -> derivatives of sum(M * k(s, s)) in the kernel's p scales."""

MOST_NODES = 32  # exact to 63 players; beyond, the integrands are smooth enough that no digit of use changes


@lru_cache(maxsize=32)
def nodes(p: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [0, 1], exact to degree p - 1."""
    u, weight = np.polynomial.legendre.leggauss(min(p // 2 + 1, MOST_NODES))
    return (u + 1) / 2, weight / 2
