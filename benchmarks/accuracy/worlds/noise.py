"""Noise of the exact samplers that mix Gaussians."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ascribe.core.noise import sobol_points

__all__ = ["uniform_and_normal"]


def uniform_and_normal(s: int, n: int, seed: int, quasi: bool) -> np.ndarray:
    """One uniform and n normal numbers for each completion, (s, 1 + n), plain or quasi-random."""
    if quasi:
        u = sobol_points(s, 1 + n, seed)
        return np.column_stack([u[:, 0], ndtri(u[:, 1:])])
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.random(s), rng.standard_normal((s, n))])
