"""Nodes and weights of integrals over 0 ... 1, for paths from a baseline to a row.

    integral_0^1 g(a) da  ~  sum_k w_k g(a_k),        sum_k w_k = 1

`gauss_legendre` is exact for polynomials of degree 2 k - 1 and reaches neither end; the others divide the way evenly.
"""

from __future__ import annotations

import numpy as np

from ascribe.core.errors import InputError

__all__ = ["RULES", "quadrature"]

RULES = ("gauss_legendre", "riemann_trapezoid", "riemann_middle", "riemann_left", "riemann_right")


def quadrature(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (steps,) within 0 ... 1, rising, and weights (steps,) that sum to 1; float64.

    >>> quadrature("riemann_middle", 2)
    (array([0.25, 0.75]), array([0.5, 0.5]))

    Raises InputError for an unknown rule or too few steps (2 for the trapezoid, else 1).
    """
    if rule not in RULES:
        raise InputError(f"no rule '{rule}': choose one of {', '.join(RULES)}")
    least = 2 if rule == "riemann_trapezoid" else 1
    if steps < least:
        raise InputError(f"{rule} needs at least {least} steps, got {steps}")
    if rule == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return (nodes + 1) / 2, weights / 2
    if rule == "riemann_trapezoid":
        weights = np.full(steps, 1 / (steps - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, steps), weights
    shift = {"riemann_left": 0.0, "riemann_middle": 0.5, "riemann_right": 1.0}[rule]
    return (np.arange(steps) + shift) / steps, np.full(steps, 1 / steps)
