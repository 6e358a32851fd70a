"""Quantiles moved so that they hold what they say on windows that were not learnt from (split conformal).

    E = y - quantile_a                     in scores of the window, over held-out origins and a group of steps
    offset_a = E_(ceil((m + 1) a))         above the median; its mirror below

so that a share a of what came lies below the moved quantile (Y. Romano, E. Patterson, E. Candes, "Conformalized
quantile regression", 2019, each side by itself). Neighbouring steps of the horizon are one group: held-out windows
overlap, and a step by itself has few that do not.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = ["moved"]

GROUPS = 8  # of the horizon


def moved(missed: np.ndarray, levels: tuple[float, ...], groups: int = GROUPS) -> np.ndarray:
    """missed (o, h, q): y - quantile, NaN where nothing was measured -> offsets (h, q); 0 for the median.

    >>> moved(np.arange(1.0, 20.0)[:, None, None].repeat(2, 2), (0.05, 0.95)).tolist()
    [[1.0, 19.0]]
    """
    _, h, q = missed.shape
    found = np.zeros((h, q))
    edges = np.unique(np.linspace(0, h, groups + 1).round().astype(int))
    for first, last in pairwise(edges):
        for k, level in enumerate(levels):
            held = missed[:, first:last, k]
            held = np.sort(held[np.isfinite(held)])
            if level != 0.5 and len(held):
                m = len(held)
                rank = min(m, int(np.ceil((m + 1) * max(level, 1 - level) - 1e-9)))
                found[first:last, k] = held[rank - 1] if level > 0.5 else held[m - rank]
    return found
